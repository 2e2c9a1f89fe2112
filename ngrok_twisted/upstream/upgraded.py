"""
`Upgraded`: after 101, two transports joined (RFC 9110 section 7.8): WebSocket, and whatever else both ends agreed on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.net.timeouts import IdleWatch


class Upgraded:
    """
    The upstream's end of the pair; the visitor's is made by `join`.

    Each transport is the other's producer. When one side ends its sending, the other is told so and may still answer.
    """

    def __init__(self, request: Any, clock: Any, idle: float) -> None:
        """
        :param request: the `EdgeRequest` that was upgraded.
        :param idle: seconds without a byte either way until both are closed.
        """
        self._request = request
        self._flow = request.flow
        self._watch = IdleWatch(clock, idle, self._idle)
        self._timeout = idle
        self._left: list[Any] = []
        self._ended_sides: set[str] = set()
        self._over = False
        self._upstream: Any = None
        self._visitor: Any = None

    def join(self, head: Any, upstream: Any, data: bytes) -> None:
        """
        :param head: the 101 `ResponseHead`.
        :param upstream: the transport to the target.
        :param data: what came with the head.
        """
        self._upstream = upstream
        self._request.upgrade(head, _Visitor(self))
        if data and not self._over:
            self.dataReceived(data)

    # -- from the upstream

    def dataReceived(self, data: bytes) -> None:
        """Bytes for the visitor."""
        self._watch.touch()
        self._flow.bytes_out += len(data)
        self._visitor.write(data)

    def readConnectionLost(self) -> None:
        """The upstream sends no more."""
        self._ended("upstream", self._visitor)

    def connectionLost(self, reason: Failure) -> None:
        """The upstream is gone."""
        self._lost(self._upstream, self._visitor)

    # -- from the visitor

    def visitor_connected(self, transport: Any) -> None:
        """The visitor's transport is ours: join the two."""
        self._visitor = transport
        self._upstream.registerProducer(transport, True)
        transport.registerProducer(self._upstream, True)

    def visitor_data(self, data: bytes) -> None:
        """Bytes for the upstream."""
        self._watch.touch()
        self._flow.bytes_in += len(data)
        self._upstream.write(data)

    def visitor_ended(self) -> None:
        """The visitor sends no more."""
        self._ended("visitor", self._upstream)

    def visitor_lost(self) -> None:
        """The visitor is gone."""
        self._lost(self._visitor, self._upstream)

    # -- ends

    def _lost(self, gone: Any, other: Any) -> None:
        if not self._over:
            self._end(other)
            return
        if gone in self._left:
            self._left.remove(gone)
        if not self._left:
            self._watch.stop()

    def _idle(self) -> None:
        """Nothing moved for long: close, and if the last bytes are not taken either, insist."""
        if not self._over:
            self.close()
            return
        left, self._left = self._left, []
        for transport in left:
            transport.abortConnection()

    def _ended(self, side: str, other: Any) -> None:
        if self._over:
            return
        self._ended_sides.add(side)
        half_close = getattr(other, "loseWriteConnection", None)
        if len(self._ended_sides) == 2 or half_close is None:
            self.close()
        else:
            half_close()

    def close(self) -> None:
        """Close both, after what was written."""
        self._end(self._upstream, self._visitor)

    def _end(self, *closing: Any) -> None:
        """
        The stream is over.

        :param closing: the transports that are still there.
        """
        if self._over:
            return
        self._over = True
        self._left = [transport for transport in closing if transport is not None]
        self._watch.change(self._timeout)
        for transport in tuple(self._left):
            transport.unregisterProducer()
            transport.loseConnection()
        self._request.ended()


@implementer(IHalfCloseableProtocol)
class _Visitor:
    """What the visitor's connection calls from now on."""

    def __init__(self, upgraded: Upgraded) -> None:
        self._upgraded = upgraded

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self._upgraded.visitor_connected(transport)

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._upgraded.visitor_data(data)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        self._upgraded.visitor_ended()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._upgraded.visitor_lost()
