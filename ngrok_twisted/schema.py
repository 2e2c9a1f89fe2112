"""
Outside data becomes typed values here, once: `parse` fills a frozen dataclass from what YAML or JSON said and reports
every problem with its path; `dump` is the way back.

Strict: no text becomes a number, no number a truth, no unknown key is passed over. ``null`` is the same as leaving the key
out. The types understood are ``str``, ``int``, ``float``, ``bool``, ``None``, ``Literal``, unions of different shapes,
``tuple[X, ...]``, ``Mapping[str, X]``, ``object`` (anything), dataclasses, and classes with a ``from_text`` classmethod.
`ngrok_twisted.marks` are added with `typing.Annotated`. A ``ValueError`` from ``__post_init__`` or ``from_text`` becomes a problem.
"""

from __future__ import annotations

import types
from collections.abc import Mapping as AbstractMapping
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Callable, Iterable, Literal, Mapping, TypeVar, Union, get_args, get_origin

from ngrok_twisted.document import join
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, REST, ByName, ChosenBy, FieldSpec, specs, unwrap
from ngrok_twisted.records.base import Problem

T = TypeVar("T")

#: Characters of a foreign key or name that a message repeats.
SHOWN = 60

#: Problems that are looked for: nobody reads more, and a list may have a hundred thousand items that are all wrong.
PROBLEMS_MAX = 100


# -- parse -------------------------------------------------------------------------------------------------------------


def parse(
    cls: type[T],
    data: Any,
    *,
    path: str = "",
    external: Callable[[str], str] | None = None,
    reveal: Callable[[str], str] | None = None,
    stored: bool = False,
) -> T:
    """
    Make a value of a dataclass, or of any type this module understands, from JSON-shaped data.

    :param path: what problems' paths start with.
    :param external: reads a text that says ``file:…`` or ``env:…``; it raises `ValueError` with a sentence. Without it
        such texts are taken as they are.
    :param reveal: opens the texts of secret fields that `dump` sealed; what it raises is passed on.
    :param stored: the data was written by us: read-only fields are welcome.
    :raises InvalidConfig: with every problem found, or the first `PROBLEMS_MAX`.
    """
    reading = _Reading(external, reveal, stored)
    try:
        value = reading.read(cls, (), data, path, False)
    except _TooManyProblems:
        raise InvalidConfig(reading.problems) from None
    if reading.problems:
        raise InvalidConfig(reading.problems)
    return value  # type: ignore[no-any-return]


_FAILED: Any = object()
_WANTED = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "nothing"}
_FOUND = {
    str: "text",
    int: "a whole number",
    float: "a number with a fraction",
    bool: "true or false",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


class _TooManyProblems(Exception):
    """There is no use in looking on."""


class _Reading:
    """One run of `parse`: it gathers problems instead of stopping at the first."""

    def __init__(self, external: Any, reveal: Any, stored: bool) -> None:
        self.problems: list[Problem] = []
        self._external = external
        self._reveal = reveal
        self._stored = stored

    def problem(self, path: str, message: str, kind: str = "shape") -> Any:
        self.problems.append(Problem(path, message, kind=kind))
        if len(self.problems) >= PROBLEMS_MAX:
            raise _TooManyProblems()
        return _FAILED

    def read(self, hint: Any, marks: tuple[Any, ...], data: Any, path: str, secret: bool) -> Any:
        """
        :return: the value, or ``_FAILED`` after a problem was noted.
        """
        hint, more = unwrap(hint)
        marks = marks + more
        origin = get_origin(hint)
        if hint is Any or hint is object:
            return data
        if origin is Union or origin is types.UnionType:
            return self._union(hint, marks, data, path, secret)
        if origin is Literal:
            return self._literal(get_args(hint), data, path)
        if origin is tuple:
            return self._tuple(get_args(hint)[0], marks, data, path, secret)
        if origin in (AbstractMapping, dict):
            return self._mapping(get_args(hint)[1], marks, data, path, secret, ())
        if is_dataclass(hint) and not hasattr(hint, "from_text"):
            return self._dataclass(hint, data, path, secret, ())
        if hasattr(hint, "from_text"):
            return self._made(hint.from_text, data, path) if isinstance(data, str) else self._wrong("text", data, path)
        return self._scalar(hint, marks, data, path, secret)

    def _wrong(self, wanted: str, data: Any, path: str) -> Any:
        hint = "; put it in quotes" if wanted == "text" and isinstance(data, (int, float)) else ""
        return self.problem(path, f"must be {wanted}, not {_FOUND.get(type(data), 'this')}{hint}")

    def _scalar(self, hint: Any, marks: tuple[Any, ...], data: Any, path: str, secret: bool) -> Any:
        if hint not in _WANTED:
            raise TypeError(f"the schema does not know the type {hint!r} at {path!r}")
        if hint is float and type(data) is int:
            return float(data)
        if type(data) is not hint:
            return self._wrong(_WANTED[hint], data, path)
        if hint is str and secret and self._reveal is not None:
            return self._reveal(data)
        if hint is str and EXTERNAL in marks and self._external is not None and data.startswith(("file:", "env:")):
            return self._made(self._external, data, path)
        return data

    def _made(self, make: Callable[..., Any], data: Any, path: str) -> Any:
        try:
            return make(data)
        except ValueError as error:
            return self.problem(path, str(error))

    def _literal(self, allowed: tuple[Any, ...], data: Any, path: str) -> Any:
        if any(data == value and type(data) is type(value) for value in allowed):
            return data
        close = suggestion(data, [value for value in allowed if isinstance(value, str)])
        return self.problem(path, f"must be one of {', '.join(map(str, allowed))}{close}")

    def _union(self, hint: Any, marks: tuple[Any, ...], data: Any, path: str, secret: bool) -> Any:
        options = get_args(hint)
        for option in options:
            if fits(option, data):
                return self.read(option, marks, data, path, secret)
        rest = [option for option in options if option is not type(None)]
        if len(rest) == 1:
            return self.read(rest[0], marks, data, path, secret)
        return self._wrong(" or ".join(_wanted(option) for option in rest), data, path)

    def _tuple(self, hint: Any, marks: tuple[Any, ...], data: Any, path: str, secret: bool) -> Any:
        if ONE_OR_MANY in marks and not isinstance(data, (list, tuple)):
            one = self.read(hint, marks, data, path, secret)
            return _FAILED if one is _FAILED else (one,)
        if not isinstance(data, (list, tuple)):
            return self._wrong("a list", data, path)
        items = [self.read(hint, marks, item, join(path, number), secret) for number, item in enumerate(data)]
        return _FAILED if any(item is _FAILED for item in items) else tuple(items)

    def _mapping(
        self, hint: Any, marks: tuple[Any, ...], data: Any, path: str, secret: bool, also: tuple[str, ...]
    ) -> Any:
        if not isinstance(data, AbstractMapping):
            return self._wrong("a mapping", data, path)
        by_name = next((mark for mark in marks if isinstance(mark, ByName)), None)
        if by_name is not None:
            return self._by_name(by_name, data, path, also)
        items = {}
        for key, item in data.items():
            if not isinstance(key, str):
                self.problem(path, "its keys must be text")
                continue
            items[key] = self.read(hint, (), item, join(path, key), secret)
        return _FAILED if any(item is _FAILED for item in items.values()) else items

    def _by_name(self, mark: ByName, data: Mapping[str, Any], path: str, also: tuple[str, ...]) -> Any:
        types_, items = mark.types(), {}
        for key, item in data.items():
            inner = join(path, str(key)[:SHOWN])
            if key in mark.planned and key not in types_:
                if item is not None:
                    self.problem(inner, f"this {mark.word} is not built into this version; take it out")
            elif key not in types_:
                word = f"key or {mark.word}" if also and mark.word != "key" else mark.word
                self._unknown(inner, key, (*types_, *also), word)
            elif item is not None:
                value = self.read(types_[key], (), item, inner, False)
                if value is not _FAILED:
                    items[key] = value
        return items

    def _unknown(self, path: str, key: Any, known: Iterable[str], word: str = "key") -> None:
        close = suggestion(key, known) or f"; known here: {', '.join(sorted(known)) or 'none'}"
        self.problem(path, f"is not a known {word}{close}", "unknown")

    def _dataclass(self, cls: Any, data: Any, path: str, secret: bool, also: tuple[str, ...]) -> Any:
        if not isinstance(data, AbstractMapping):
            return self._wrong("a mapping", data, path)
        before = len(self.problems)
        plain = [spec for spec in specs(cls) if REST not in spec.marks]
        rest = next((spec for spec in specs(cls) if REST in spec.marks), None)
        names = tuple(spec.name for spec in plain if self._stored or READ_ONLY not in spec.marks)
        values = self._fields(plain, data, path, secret)
        others = {key: item for key, item in data.items() if key not in {spec.name for spec in plain}}
        if rest is not None:
            values[rest.name] = self._others(rest, others, path, secret, (*names, *also))
        else:
            for key in others:
                self._unknown(join(path, str(key)[:SHOWN]), key, (*names, *also))
        if len(self.problems) > before or any(value is _FAILED for value in values.values()):
            return _FAILED
        return self._built(cls, values, path)

    def _others(self, rest: FieldSpec, data: Any, path: str, secret: bool, also: tuple[str, ...]) -> Any:
        if is_dataclass(rest.hint):
            return self._dataclass(rest.hint, data, path, secret or rest.secret, also)
        return self._mapping(get_args(rest.hint)[1], rest.marks, data, path, secret or rest.secret, also)

    def _fields(self, plain: list[FieldSpec], data: Any, path: str, secret: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for spec in plain:
            inner, item = join(path, spec.name), data.get(spec.name)
            if item is None and not (spec.name in data and _takes_null(spec.hint)):
                if spec.required:
                    self.problem(inner, "is required", "missing")
            elif READ_ONLY in spec.marks and not self._stored:
                self.problem(inner, "is set by the server; take it out")
            else:
                values[spec.name] = self._field(spec, item, inner, secret or spec.secret, values)
        return values

    def _field(self, spec: FieldSpec, item: Any, path: str, secret: bool, values: dict[str, Any]) -> Any:
        chosen = spec.mark(ChosenBy)
        if chosen is None:
            return self.read(spec.hint, spec.marks, item, path, secret)
        types_, name = chosen.types(), str(values.get(chosen.field))
        if name not in types_:
            return self.problem(path, f"its {chosen.field} is unknown to this version")
        return self.read(types_[name], (), item, path, secret)

    def _built(self, cls: Any, values: dict[str, Any], path: str) -> Any:
        try:
            return cls(**values)
        except InvalidConfig as error:
            for inner in error.problems:
                self.problems.append(replace(inner, path=join(path, inner.path) if inner.path else path))
            return _FAILED
        except ValueError as error:
            return self.problem(path, str(error))


def _takes_null(hint: Any) -> bool:
    """Whether null is a value of its own, and not just a key that is left out."""
    return type(None) in get_args(hint)


def fits(hint: Any, data: Any) -> bool:
    """Whether data has the shape that a type is written in."""
    hint, marks = unwrap(hint)
    origin = get_origin(hint)
    if origin is Union or origin is types.UnionType:
        return any(fits(option, data) for option in get_args(hint))
    if origin is Literal:
        return type(data) in {type(value) for value in get_args(hint)}
    if origin is tuple:
        return isinstance(data, (list, tuple))
    if hasattr(hint, "from_text"):
        return isinstance(data, str)
    if is_dataclass(hint) or origin in (AbstractMapping, dict):
        return isinstance(data, AbstractMapping)
    return type(data) is hint or hint is float and type(data) is int or hint is object or hint is Any


def _wanted(hint: Any) -> str:
    hint, marks = unwrap(hint)
    origin = get_origin(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if origin is tuple:
        return "a list"
    if hasattr(hint, "from_text"):
        return "text"
    return "a mapping" if is_dataclass(hint) or origin is not None else _WANTED.get(hint, str(hint))


def suggestion(word: Any, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known word that is nearest, or nothing."""
    close = get_close_matches(str(word)[:SHOWN], list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


# -- dump --------------------------------------------------------------------------------------------------------------


def dump(value: Any, *, seal: Callable[[str], str] | None = None, secrets: bool = True) -> Any:
    """
    Make JSON-shaped data that `parse` turns into an equal value.

    :param seal: called with each text in a secret field; what it returns stands in its place.
    :param secrets: whether secret fields are there at all.
    """
    return _dumped(value, seal, secrets, False)


# Most values are of these types; the first question decides them, since lists of thousands of records are dumped.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def _dumped(value: Any, seal: Any, secrets: bool, secret: bool) -> Any:
    if type(value) in _PLAIN:
        return seal(value) if secret and seal is not None and isinstance(value, str) else value
    if hasattr(value, "from_text"):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _dumped_fields(value, seal, secrets, secret)
    if isinstance(value, AbstractMapping):
        return {key: _dumped(item, seal, secrets, secret) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_dumped(item, seal, secrets, secret) for item in value]
    return seal(value) if secret and seal is not None and isinstance(value, str) else value


def _dumped_fields(value: Any, seal: Any, secrets: bool, secret: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    cls: Any = type(value)
    for spec in specs(cls):
        if spec.secret and not secrets:
            continue
        data = _dumped(getattr(value, spec.name), seal, secrets, secret or spec.secret)
        if REST in spec.marks:
            made.update(data)
        else:
            made[spec.name] = data
    return made
