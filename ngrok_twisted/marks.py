"""
The marks that a field's type may carry for the schema, by `typing.Annotated`, and what the schema knows of a dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Annotated, Any, Callable, Mapping, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


# -- marks for Annotated -----------------------------------------------------------------------------------------------


class Mark:
    """A mark without a value, for `typing.Annotated`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: On a ``tuple``: a single value is a list of one.
ONE_OR_MANY = Mark("ONE_OR_MANY")
#: On a ``str``: the text may stand elsewhere, as ``file:PATH`` or ``env:NAME``.
EXTERNAL = Mark("EXTERNAL")
#: On one field of a dataclass: it has no key of its own but takes the keys that no other field names.
REST = Mark("REST")
#: On a field: set by the server, not by whoever writes the data.
READ_ONLY = Mark("READ_ONLY")


@dataclass(frozen=True, slots=True)
class ByName:
    """
    On a ``Mapping``: each key has its own type.

    :ivar types: a callable that gives the types by key; called at each use, since kinds are found late.
    :ivar word: what such a key is called in messages.
    :ivar planned: keys that exist in ngrok's API but are not built into this version.
    """

    types: Callable[[], Mapping[str, Any]]
    word: str = "key"
    planned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChosenBy:
    """
    On an ``object``: its type is chosen by the value of another field of the same dataclass.

    :ivar field: the other field's name.
    :ivar types: a callable that gives the types by that field's value.
    """

    field: str
    types: Callable[[], Mapping[str, Any]]


# -- what is known of a dataclass --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """
    One field of a dataclass, as the schema sees it.

    :ivar name: the key.
    :ivar hint: its type, without ``Annotated``.
    :ivar marks: what ``Annotated`` added.
    :ivar required: there is no default.
    :ivar secret: ``repr=False``: never shown, sealed in stores.
    """

    name: str
    hint: Any
    marks: tuple[Any, ...]
    required: bool
    secret: bool

    def mark(self, kind: type[T]) -> T | None:
        """The mark of this class, if there is one."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


@lru_cache(maxsize=None)
def specs(cls: type) -> tuple[FieldSpec, ...]:
    """The fields of a dataclass, in order."""
    hints = get_type_hints(cls, include_extras=True)
    made = []
    for item in fields(cls):
        if item.init:
            hint, marks = unwrap(hints[item.name])
            required = item.default is MISSING and item.default_factory is MISSING
            made.append(FieldSpec(name=item.name, hint=hint, marks=marks, required=required, secret=not item.repr))
    return tuple(made)


def unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its ``Annotated``, and the marks."""
    return (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())
