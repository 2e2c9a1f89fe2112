"""
What an answer of the edge's own says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.edge.wire import Visitor

_FRAMING = (b"content-length", b"date", b"server", b"connection")


class Rendered(NamedTuple):
    """
    :ivar status: of the response.
    :ivar headers: names in lower case, without framing.
    :ivar body: of the response.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def rendered(resource: Any) -> Rendered:
    """Ask an `IResource`."""
    visitor = Visitor(resource)
    visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = visitor.take().partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = [line.split(b": ", 1) for line in lines]
    return Rendered(
        int(status.split()[1]), {name.lower(): value for name, value in fields if name.lower() not in _FRAMING}, body
    )
