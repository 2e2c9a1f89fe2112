"""
How the values of variables become text (specification of Traffic Policy, section 2).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping as AbstractMapping
from datetime import datetime, timedelta, timezone
from typing import Any

_MICROSECONDS = 1_000_000


def to_text(value: Any) -> str:
    """
    A text as it is; ``true`` and ``false``; whole numbers in decimal; others in their shortest form; times by RFC 3339;
    durations as Go writes them; bytes in base64; lists and mappings as compact JSON; nothing for ``None``.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (list, tuple, AbstractMapping)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return str(_plain(value)) if not isinstance(value, bool) else "true" if value else "false"


def _plain(value: Any) -> Any:
    """The same value made of what JSON has."""
    if isinstance(value, AbstractMapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return go_duration(value)
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def rfc3339(moment: datetime) -> str:
    """A time in UTC, such as ``2026-01-31T09:00:00Z``; with a fraction only if there is one."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def go_duration(duration: timedelta) -> str:
    """A duration as Go's ``time.Duration`` prints it: ``1h30m0s``, ``2.5s``, ``12.345ms``, ``7µs``."""
    left = round(duration / timedelta(microseconds=1))
    sign, left = ("-", -left) if left < 0 else ("", left)
    if left < 1000:
        return f"{sign}{left}µs" if left else "0s"
    if left < _MICROSECONDS:
        return f"{sign}{_decimal(left, 1000)}ms"
    minutes, rest = divmod(left, 60 * _MICROSECONDS)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _MICROSECONDS)}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text


def _decimal(number: int, unit: int) -> str:
    """``number / unit`` without an exponent and without zeros at the end."""
    whole, rest = divmod(number, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0").rstrip(".") if rest else str(whole)
