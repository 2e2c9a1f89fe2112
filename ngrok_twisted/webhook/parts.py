"""
What signed messages are made of, and where signatures and timestamps stand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, Iterator

from ngrok_twisted.webhook.delivery import MISSING, SHAPE, STALE, Delivery, NotGenuine

SECONDS = 1.0
KILOBYTE = 1024

#: What is allowed where a provider recommends nothing, in both directions (ngrok's default).
TOLERANCE = 180 * SECONDS

# Signatures in one delivery that are compared; providers send one for each of two or three keys.
MAX_SIGNATURES = 100

# JSON that is read before its signature is known to be right: the largest genuine messages are a quarter of it.
MAX_JSON = 1024 * KILOBYTE

_DIGITS = re.compile(rb"[0-9]{1,15}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


# -- parts of messages -------------------------------------------------------------------------------------------------


class Body:
    """The body as sent."""

    def of(self, delivery: Delivery) -> bytes:
        """The bytes that stand for it."""
        return delivery.body


class Method:
    """The method as sent."""

    def of(self, delivery: Delivery) -> bytes:
        """The bytes that stand for it."""
        return delivery.method


@dataclass(frozen=True, slots=True)
class Text:
    """
    :ivar text: what always stands there.
    """

    text: bytes

    def of(self, delivery: Delivery) -> bytes:
        """The bytes that stand for it."""
        return self.text


@dataclass(frozen=True, slots=True)
class Header:
    """
    The value of a header field.

    :ivar name: lower case.
    """

    name: bytes

    def of(self, delivery: Delivery) -> bytes:
        """
        The bytes that stand for it.

        :raises NotGenuine: it is not there, or more than once.
        """
        value = delivery.value(self.name)
        if not value:
            raise NotGenuine(MISSING, "a header field that is signed along is not there")
        return value


@dataclass(frozen=True, slots=True)
class Pair:
    """
    One of the ``name=value`` pairs in a header field.

    :ivar header: lower case.
    :ivar name: of the pair.
    """

    header: bytes
    name: bytes

    def of(self, delivery: Delivery) -> bytes:
        """
        The bytes that stand for it.

        :raises NotGenuine: it is not there, or more than once.
        """
        found = [value for name, value in pairs(delivery.value(self.header)) if name == self.name]
        if len(found) != 1:
            raise NotGenuine(MISSING, "the header field of the signature lacks a part")
        return found[0]


@dataclass(frozen=True, slots=True)
class Member:
    """
    A member of the JSON object in the body.

    :ivar name: its key.
    """

    name: str

    def of(self, delivery: Delivery) -> bytes:
        """
        The bytes that stand for it.

        :raises NotGenuine: it is not there.
        """
        value = read_object(delivery.body).get(self.name)
        if not isinstance(value, (str, int)):
            raise NotGenuine(MISSING, "the body lacks a member")
        return str(value).encode("utf-8", "replace")


BODY, METHOD = Body(), Method()


def pairs(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The ``name=value`` pairs of a header field, separated by commas."""
    for item in value.split(b",", MAX_SIGNATURES):
        name, equals, rest = item.strip().partition(b"=")
        if equals:
            yield name.strip(), rest.strip()


# -- where signatures stand --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InHeader:
    """
    Signatures that are header fields, or stand in one.

    :ivar names: of the fields, lower case; any of them counts.
    :ivar prefix: what stands before each signature; what does not begin with it is none.
    :ivar separator: what stands between several in one field; empty if there is but one.
    """

    names: tuple[bytes, ...]
    prefix: bytes = b""
    separator: bytes = b""

    def present(self, delivery: Delivery) -> bool:
        """Whether there is such a field at all."""
        return any(delivery.has(name) for name in self.names)

    def found(self, delivery: Delivery) -> list[bytes]:
        """What may be a right signature."""
        values = [value for name in self.names for value in delivery.values(name)]
        if self.separator:
            values = [item.strip() for value in values for item in value.split(self.separator, MAX_SIGNATURES)]
        length = len(self.prefix)
        return [value[length:] for value in values[:MAX_SIGNATURES] if value[:length].lower() == self.prefix]


@dataclass(frozen=True, slots=True)
class InPairs:
    """
    Signatures that are values of ``name=value`` pairs in a header field.

    :ivar header: lower case.
    :ivar name: of the pairs.
    """

    header: bytes
    name: bytes

    def present(self, delivery: Delivery) -> bool:
        """Whether there is such a field at all."""
        return delivery.has(self.header)

    def found(self, delivery: Delivery) -> list[bytes]:
        """What may be a right signature."""
        return [value for name, value in pairs(delivery.value(self.header)) if name == self.name]


# -- timestamps --------------------------------------------------------------------------------------------------------


def seconds(text: bytes) -> float | None:
    """Seconds since the epoch, in digits."""
    return float(text) if _DIGITS.fullmatch(text) else None


def milliseconds(text: bytes) -> float | None:
    """Milliseconds since the epoch, in digits."""
    return float(text) / 1000 if _DIGITS.fullmatch(text) else None


def moment(text: bytes) -> float | None:
    """A moment in the form of RFC 3339; without an offset it is UTC."""
    try:
        found = text.decode("ascii")
        if _MOMENT.fullmatch(found) is None:
            return None
        when = datetime.fromisoformat(found)
        return (when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """
    When a delivery says that it was sent.

    :ivar part: where it says so; an object with a method ``of``. ``None`` for those who use `judge` alone.
    :ivar read: `seconds`, `milliseconds` or `moment`.
    :ivar tolerance: how many seconds it may differ from our clock, in both directions.
    """

    part: Any = None
    read: Callable[[bytes], float | None] = seconds
    tolerance: float = TOLERANCE

    def check(self, delivery: Delivery) -> None:
        """
        :raises NotGenuine: it is not there, cannot be read, or is too far from now.
        """
        self.judge(self.part.of(delivery), delivery.now)

    def judge(self, text: bytes, now: float) -> None:
        """
        :param text: the timestamp as sent.
        :param now: seconds since the epoch.
        :raises NotGenuine: it cannot be read, or is too far from now.
        """
        when = self.read(text)
        if when is None:
            raise NotGenuine(SHAPE, "its timestamp cannot be read")
        if abs(now - when) > self.tolerance:
            raise NotGenuine(STALE, "its timestamp is too old or too new, or this server's clock is wrong")


# -- JSON --------------------------------------------------------------------------------------------------------------


def read_json(data: bytes, members: Any = None) -> Any:
    """
    :param members: makes an object of its members, as for `json.loads`.
    :raises NotGenuine: it is not JSON in UTF-8, or too long to be a message.
    """
    if len(data) > MAX_JSON:
        raise NotGenuine(SHAPE, "it is too long for such a message")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=members)
    except (ValueError, RecursionError):
        raise NotGenuine(SHAPE, "its body is not JSON") from None


def read_object(data: bytes) -> dict[str, Any]:
    """
    :raises NotGenuine: it is not a JSON object.
    """
    found = read_json(data)
    if not isinstance(found, dict):
        raise NotGenuine(SHAPE, "its body is not a JSON object")
    return found
