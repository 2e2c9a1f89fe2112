"""
``websocket_tcp_converter``: visitors speak WebSocket, the service gets the bytes inside over plain TCP.

What comes in data frames, text or binary, goes to the service as it is; what the service sends goes out in binary frames.
The service's end becomes a Close frame of code 1000, its failure one of 1011. A visitor's Close frame ends the sending to
the service, which may still send the rest of its answer before the edge's own Close frame follows.

This file answers the handshake (RFC 6455 section 4.2); what follows is `ngrok_twisted.net.conversion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.errors import EdgeError
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.net import websocket as ws
from ngrok_twisted.net.conversion import Conversion
from ngrok_twisted.wrapper import CONVERSATION, Guard, Phase, ResponseHead


class WebSocketExpected(EdgeError):
    """The request does not begin a WebSocket connection."""

    code = 3206
    status = 400
    sentence = "This address is for WebSocket connections only."


class WebSocketVersion(WebSocketExpected):
    """The visitor speaks another version of WebSocket (RFC 6455 section 4.4)."""

    status = 426
    sentence = "This version of WebSocket is not spoken here."
    fields = ((b"Sec-WebSocket-Version", ws.VERSION), (b"Upgrade", b"websocket"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketTCPConverterConfig:
    """There is nothing to set but whether it is enabled."""


def from_flags(flags: Mapping[str, Any]) -> WebSocketTCPConverterConfig:
    """
    The settings that an agent's flags mean.

    :param flags: ``websocket-tcp-converter``, which is true.
    """
    return WebSocketTCPConverterConfig()


@provider(IModuleKind)
@implementer(IHTTPModule)
class WebSocketTCPConverter:
    """
    Turns WebSocket connections into plain ones to the service. Other requests are answered 400.
    """

    name = "websocket_tcp_converter"
    Config = WebSocketTCPConverterConfig
    needs_termination = True
    phase = Phase.PROTECT
    attaches = frozenset({"route"})
    from_flags = staticmethod(from_flags)

    def __init__(self, config: WebSocketTCPConverterConfig, context: ModuleContext) -> None:
        self._clock = context.runtime.reactor

    def wrap_resource(self, inner: Any) -> Guard:
        """IHTTPModule."""
        return Guard(inner, self._admit)

    def _admit(self, request: Any) -> None:
        head = switching(request)
        clock = self._clock
        request.flow.remember(CONVERSATION, lambda idle: Conversion(head, clock, idle))


def switching(request: Any) -> ResponseHead:
    """
    The head that accepts a WebSocket (RFC 6455 section 4.2).

    :raises WebSocketExpected: the request asks for none, or not in the way it should.
    """
    upgrades = [token.strip().lower() for token in request.upgrade_to.split(b",")]
    if b"websocket" not in upgrades or request.method != b"GET":
        raise WebSocketExpected()
    if request.header_values(b"sec-websocket-version") != [ws.VERSION]:
        raise WebSocketVersion()
    keys = request.header_values(b"sec-websocket-key")
    answer = ws.accepted(keys[0]) if len(keys) == 1 else None
    if answer is None:
        raise WebSocketExpected("The request's Sec-WebSocket-Key is not valid.")
    fields = [(b"Upgrade", b"websocket"), (b"Sec-WebSocket-Accept", answer)]
    offered = b",".join(request.header_values(b"sec-websocket-protocol"))
    if b"binary" in [token.strip() for token in offered.split(b",")]:
        fields.append((b"Sec-WebSocket-Protocol", b"binary"))
    return ResponseHead(101, b"Switching Protocols", fields, None, bodiless=True)
