"""
What the signs of a filter mean for values: those of a shown object (JSON), of the filter itself, and moments in time.
See `ngrok_twisted.control.api.filters`.

A comparison that has no meaning for the values at hand is not true, and never an error: one item that lacks a field is
no reason to refuse the whole list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Callable, Mapping

Object = Mapping[str, Any]
Of = Callable[[Object], Any]
Test = Callable[[Object], bool]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)

_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|[wdhms])", re.ASCII)
_SECONDS = {"w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Moment:
    """
    :ivar seconds: since the epoch.
    """

    seconds: float


@lru_cache(maxsize=1024)
def moment(text: str) -> Moment | None:
    """The moment that an RFC 3339 text means, or ``None`` for any other text."""
    if not _RFC3339.match(text):
        return None
    try:
        return Moment((datetime.fromisoformat(text.upper()) - _EPOCH).total_seconds())
    except (ValueError, OverflowError):
        return None


def duration(text: str) -> float | None:
    """
    :param text: numbers with units, such as ``7d`` or ``1h30m``.
    :return: seconds, or ``None`` for any other text.
    """
    seconds, place = 0.0, 0
    while place < len(text):
        match = _PART.match(text, place)
        if match is None:
            return None
        seconds += float(match[1]) * _SECONDS[match[2]]
        place = match.end()
    return seconds if text else None


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same. An object with an id is the same as that id."""
    if type(left) is str and type(right) is str:
        return left == right
    left, right = _alike(left, right)
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right
    return type(left) is type(right) and bool(left == right)


def less(left: Any, right: Any) -> bool:
    """Whether one value stands before the other; numbers, texts and moments do."""
    if type(left) is str and type(right) is str:
        return left < right
    left, right = _alike(left, right)
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.seconds < right.seconds
    for types in ((int, float), (str,)):
        if isinstance(left, types) and isinstance(right, types):
            return not isinstance(left, bool) and not isinstance(right, bool) and bool(left < right)  # type: ignore
    return False


def within(item: Any, items: Any) -> bool:
    """Whether a list has this item."""
    if isinstance(item, str) and isinstance(items, list) and items and isinstance(items[0], str):
        return item in items
    return isinstance(items, (list, tuple)) and any(equal(item, other) for other in items)


def size(value: Any) -> int | None:
    """Characters of a text, items of a list or mapping, 0 for null; ``None`` for what has no size."""
    if value is None:
        return 0
    return len(value) if isinstance(value, (str, list, tuple, Mapping)) else None


def comparison(sign: str, left: Of, right: Of) -> Test:
    """What a sign says of two values of an object."""
    meanings: Mapping[str, Test] = {
        "==": lambda shown: equal(left(shown), right(shown)),
        "!=": lambda shown: not equal(left(shown), right(shown)),
        "<": lambda shown: less(left(shown), right(shown)),
        ">": lambda shown: less(right(shown), left(shown)),
        "<=": lambda shown: _less_or_equal(left(shown), right(shown)),
        ">=": lambda shown: _less_or_equal(right(shown), left(shown)),
    }
    return meanings[sign]


def at(shown: Any, names: list[str]) -> Any:
    """What is in a field, ``None`` if it is not there."""
    for name in names:
        shown = shown.get(name) if isinstance(shown, Mapping) else None
    return shown


def one_of(of: Of, texts: list[str]) -> Test:
    """As `within` with literal texts, however many they are."""
    known = frozenset(texts)

    def found(shown: Object) -> bool:
        value = of(shown)
        if isinstance(value, Mapping):
            value = value.get("id")
        return value in known if isinstance(value, str) else isinstance(value, Moment) and within(value, texts)

    return found


def _less_or_equal(left: Any, right: Any) -> bool:
    has_order = not isinstance(left, (bool, list, Mapping)) and left is not None
    return less(left, right) or has_order and equal(left, right)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Both values as such of one kind, where one of them can be had as the other's."""
    return _as(left, right), _as(right, left)


def _as(value: Any, other: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(other, str):
        return value.get("id")
    if isinstance(value, str) and isinstance(other, Moment):
        return moment(value)
    return value
