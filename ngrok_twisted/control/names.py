"""
`Names`: what declared things are called, so that a name serves wherever an id of that kind is expected.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field, is_dataclass, replace
from functools import lru_cache
from typing import Any, Callable, Iterable, Mapping

from ngrok_twisted.control.lists import Item
from ngrok_twisted.document import join
from ngrok_twisted.marks import REST, specs
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.references import references
from ngrok_twisted.schema import suggestion

#: The account that owns what names no other.
DEFAULT_ACCOUNT = "default"

#: Fields that hold ids though their names do not say of which family.
_FAMILIES: Mapping[str, str] = {
    "certificate_id": "tls_certificates",
    "destination_ids": "event_destinations",
    "owner_id": "service_users",
}


def account_id(name: str) -> str:
    """The id of the account of this name; of the default account for none."""
    return declared_id(Account.prefix, "accounts", name or DEFAULT_ACCOUNT)


@dataclass(slots=True)
class Resolving:
    """
    What came of looking references up.

    :ivar problems: references that lead nowhere.
    :ivar places: what each reference means, by its path; ``None`` where that is a problem.
    """

    problems: list[Problem] = field(default_factory=list)
    places: dict[str, Item | None] = field(default_factory=dict)


class Names:
    """
    Looks up what a reference means.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._found: dict[tuple[str, str], dict[str, Item]] = {}
        for item in items:
            for name in (item.id, item.name):
                if name:
                    known = self._found.setdefault((family_of(item), name), {})
                    known.setdefault(item.account or DEFAULT_ACCOUNT, item)

    def get(self, family: str, name: str, account: str = "") -> Item | None:
        """
        What an id or a name means, or ``None``.

        :param account: the name of the account whose things go first.
        """
        known = self._found.get((family, name), {})
        return known.get(account or DEFAULT_ACCOUNT) or next(iter(known.values()), None)

    def all(self, family: str) -> list[str]:
        """The names in a family, for messages."""
        return [name for (known, name), found in self._found.items() if known == family and name not in _ids(found)]

    def resolved(self, item: Item, resolving: Resolving) -> Any:
        """
        :param resolving: takes what is found on the way.
        :return: the body of an item, with ids where it had names. What leads nowhere stays as it is.
        """

        def to_id(reference: str, family: str, path: str) -> str:
            other = self.get(family, reference, item.account)
            problem = self._problem(reference, family, path, item, other)
            resolving.places[path] = None if problem else other
            if problem:
                resolving.problems.append(problem)
            return other.id if other is not None and other.id else reference

        return rewrite(item.body, item.path, to_id)

    def _problem(self, reference: str, family: str, path: str, item: Item, other: Item | None) -> Problem | None:
        if other is None:
            close = suggestion(reference, self.all(family))
            return Problem(path, f"there is nothing of this name or id in {family}{close}")
        if (other.account or DEFAULT_ACCOUNT) != (item.account or DEFAULT_ACCOUNT):
            return Problem(path, f"{other.path} belongs to another account")
        return None


def family_of(item: Item) -> str:
    """The family of the record that an item becomes."""
    family: str = item.list.resource.record.family
    return family


def _ids(found: Mapping[str, Item]) -> set[str]:
    return {item.id for item in found.values()}


def rewrite(value: Any, path: str, change: Callable[[str, str, str], str]) -> Any:
    """
    Put other texts in the place of every reference inside a value.

    :param change: called with the reference, the family that it means, and its path.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _rewrite_fields(value, path, change)
    if isinstance(value, tuple):
        return tuple(rewrite(item, join(path, number), change) for number, item in enumerate(value))
    if isinstance(value, AbstractMapping):
        return {key: rewrite(item, join(path, key), change) for key, item in value.items()}
    return value


def _rewrite_fields(value: Any, path: str, change: Callable[[str, str, str], str]) -> Any:
    changed = {}
    cls: Any = type(value)
    for name, is_rest, family in _fields(cls):
        before = getattr(value, name)
        inner = path if is_rest else join(path, name)
        after = _references(before, inner, family, change) if family else rewrite(before, inner, change)
        if after is not before and after != before:
            changed[name] = after
    return replace(value, **changed) if changed else value


@lru_cache(maxsize=None)
def _fields(cls: type) -> tuple[tuple[str, bool, str], ...]:
    """Each field's name, whether it has no key of its own, and the family that it refers to."""
    families = {**_FAMILIES, **{reference.field: reference.family for reference in references(cls)}}
    return tuple((spec.name, REST in spec.marks, families.get(spec.name, "")) for spec in specs(cls))


def _references(value: Any, path: str, family: str, change: Callable[[str, str, str], str]) -> Any:
    if isinstance(value, str):
        return change(value, family, path) if value else value
    if isinstance(value, tuple):
        return tuple(change(item, family, join(path, number)) for number, item in enumerate(value))
    if isinstance(value, AbstractMapping):
        return {change(key, family, join(path, key)): item for key, item in value.items()}
    return value
