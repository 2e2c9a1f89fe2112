"""
Requests as templates see them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.wire import Render, Visitor


def asked(target: bytes = b"/", *fields: bytes, host: bytes = b"A.Example:8443", proto: str = "https") -> Any:
    """A request that has arrived, with these field lines."""
    kept: list[Any] = []
    clock = Clock()
    clock.advance(1_700_000_000.25)
    visitor = Visitor(Render(lambda request: kept.append(request) or NOT_DONE_YET), proto=proto, clock=clock)
    visitor.channel._opened -= 90.5
    visitor.send(b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: " + host, *fields, b"", b""]))
    return kept[0]


def facts(*arguments: Any, response: ResponseHead | None = None, **settings: Any) -> Facts:
    """What templates may speak of then."""
    return Facts(asked(*arguments, **settings), response)
