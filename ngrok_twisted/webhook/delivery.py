"""
`Delivery`: a webhook as it arrived, and `NotGenuine`, what is wrong with one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Sequence
from urllib.parse import unquote_to_bytes

#: Why a delivery is refused; each is a sentence's part for logs, and a word for the event.
MISSING, WRONG, STALE, SHAPE, SOURCE = "missing", "wrong", "stale", "shape", "source"

# The parameters of one query or form. Genuine ones have dozens; sorting millions is a way to burn processor time.
MAX_PARAMETERS = 1000


class NotGenuine(Exception):
    """
    A delivery cannot be shown to come from its provider.

    :ivar word: one of `MISSING` (no signature), `WRONG`, `STALE` (its timestamp), `SHAPE` (not such a message at all) and
        `SOURCE` (somebody else of the same provider).
    :ivar reason: a sentence's part for the operator. It holds nothing of the secret and nothing that the sender chose.
    """

    def __init__(self, word: str, reason: str) -> None:
        self.word = word
        self.reason = reason
        super().__init__(word, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    :ivar method: as sent.
    :ivar target: path and query as sent.
    :ivar authority: ``Host`` as sent.
    :ivar scheme: ``https`` or ``http``: how it came.
    :ivar fields: ``(name, value)`` of the header, as sent.
    :ivar body: as sent; empty while only the head is there.
    :ivar now: seconds since the epoch.
    """

    method: bytes
    target: bytes
    authority: bytes
    scheme: bytes
    fields: Sequence[tuple[bytes, bytes]]
    body: bytes = b""
    now: float = 0.0

    @classmethod
    def of(cls, request: Any) -> Delivery:
        """
        The head of a request.

        :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
        """
        return cls(
            method=request.method,
            target=request.uri,
            authority=request.authority,
            scheme=request.flow.proto.encode("ascii"),
            fields=tuple(request.fields),
        )

    def whole(self, body: bytes, now: float) -> Delivery:
        """The same with its body, at the time when it is looked at."""
        return replace(self, body=body, now=now)

    def values(self, name: bytes) -> list[bytes]:
        """
        The values of a header field, as often as it was sent.

        :param name: lower case.
        """
        return [value.strip(b" \t") for key, value in self.fields if key.lower() == name]

    def value(self, name: bytes) -> bytes:
        """
        The one value of a header field; empty where it is absent.

        :param name: lower case.
        :raises NotGenuine: it was sent more than once, so that the service may read another value.
        """
        found = self.values(name)
        if len(found) > 1:
            raise NotGenuine(SHAPE, "a header field that may be there once is there more often")
        return found[0] if found else b""

    def has(self, name: bytes) -> bool:
        """
        Whether there is such a header field.

        :param name: lower case.
        """
        return any(key.lower() == name for key, value in self.fields)

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def query(self) -> list[tuple[bytes, bytes]]:
        """
        The parameters of the query, decoded, in order.

        :raises NotGenuine: there are too many.
        """
        return parameters(self.target.partition(b"?")[2])

    @property
    def is_form(self) -> bool:
        """Whether the body says that it is a form."""
        types = self.values(b"content-type")
        return len(types) == 1 and types[0].partition(b";")[0].strip().lower() == b"application/x-www-form-urlencoded"

    def form(self) -> list[tuple[bytes, bytes]]:
        """
        The fields of a form, decoded, in order; none if the body is no form.

        :raises NotGenuine: there are too many.
        """
        return parameters(self.body) if self.is_form else []


def parameters(data: bytes) -> list[tuple[bytes, bytes]]:
    """
    Names and values of ``application/x-www-form-urlencoded`` data. Bytes stay bytes: no two texts become one.

    :raises NotGenuine: there are more than `MAX_PARAMETERS`.
    """
    if data.count(b"&") >= MAX_PARAMETERS:
        raise NotGenuine(SHAPE, "it has too many parameters")
    found = []
    for item in data.split(b"&"):
        if item:
            name, _, value = item.replace(b"+", b" ").partition(b"=")
            found.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return found
