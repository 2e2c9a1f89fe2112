"""
A visitor, a site and an upstream without sockets: what the tests of the HTTP path stand on.
"""

from __future__ import annotations

import re
from typing import Any, Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from zope.interface import implementer

from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.site import HTTPLimits, Site
from ngrok_twisted.records.endpoint import Upstream


class Wire(StringTransport):
    """A transport that remembers how it was used, closes like a real one, and can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.half_closed = False
        self.aborted = False
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        if self.half_closed or self.disconnecting:
            return
        self.writes.append(data)
        super().write(data)

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True

    @property
    def paused(self) -> bool:
        return self.producerState == "paused"

    @property
    def ended(self) -> bool:
        """Whether the other end sees the end of the stream."""
        return self.half_closed or self.disconnecting


class RecordingSite(Site):
    """Gives every request to one resource, and keeps requests and flows."""

    __slots__ = ("resource", "requests", "flows")

    def __init__(self, resource: Any, clock: Any, limits: HTTPLimits = HTTPLimits(), proto: str = "https") -> None:
        self.flows: list[Any] = []
        super().__init__(proto, clock, limits, (self.flows.append,))
        self.resource = resource
        self.requests: list[Any] = []

    def resource_for(self, request: Any) -> Any:
        self.requests.append(request)
        return self.resource(request) if not IResource.providedBy(self.resource) else self.resource


class Visitor:
    """One connection to the edge, driven from the visitor's end."""

    def __init__(
        self, resource: Any, limits: HTTPLimits = HTTPLimits(), proto: str = "https", clock: Any = None
    ) -> None:
        self.clock = clock or Clock()
        self.site = RecordingSite(resource, self.clock, limits, proto)
        self.channel = HTTPChannel(self.site)
        self.wire = Wire()
        self.channel.makeConnection(self.wire)
        self.lost = False

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def end_input(self) -> None:
        self.channel.readConnectionLost()

    def leave(self) -> None:
        self.lost = True
        self.channel.connectionLost(Failure(ConnectionAborted()))

    def take(self) -> bytes:
        """What arrived since the last call."""
        data = self.wire.value()
        self.wire.clear()
        return data

    @property
    def request(self) -> Any:
        return self.site.requests[-1]

    @property
    def flows(self) -> list[Any]:
        return self.site.flows


@implementer(IResource)
class Render:
    """A leaf made of a function."""

    isLeaf = True

    def __init__(self, render: Callable[[Any], Any]) -> None:
        self.render = render

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        raise AssertionError("a leaf was asked for a child")

    def putChild(self, path: bytes, child: Any) -> None:
        raise AssertionError("a leaf was given a child")


@implementer(IStreamClientEndpoint)
class Service:
    """A target: every connection made to it is kept, and answered by the test."""

    def __init__(
        self,
        upstream: Upstream = Upstream(),
        error: Exception | None = None,
        waits: bool = False,
        body_wait: float = 0.0,
    ) -> None:
        self.upstream = upstream
        self.body_wait = body_wait
        self.error = error
        self.waits = waits
        self.connections: list[Connection] = []
        self.waiting: list[Deferred[Any]] = []
        self.cancelled = 0
        self.factories: list[Any] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        self.factories.append(factory)
        if self.error is not None:
            return Deferred.fromCoroutine(self._fail())
        if self.waits:
            self.waiting.append(Deferred(self._cancel))
            return self.waiting[-1]
        connection = Connection(factory.buildProtocol(None))
        self.connections.append(connection)
        return succeed(connection.protocol)

    def _cancel(self, deferred: Deferred[Any]) -> None:
        self.cancelled += 1

    async def _fail(self) -> Any:
        assert self.error is not None
        raise self.error

    @property
    def connection(self) -> "Connection":
        return self.connections[-1]


class Connection:
    """One connection at the service's end."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.wire = Wire()
        protocol.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def take(self) -> bytes:
        data = self.wire.value()
        self.wire.clear()
        return data

    def close(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def reset(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionAborted()))


class Backend:
    """A chooser with a fixed list."""

    def __init__(self, *targets: Any) -> None:
        self.targets = targets

    def candidates(self, flow: Any) -> Any:
        yield from self.targets


_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


def statuses(data: bytes) -> list[int]:
    """The statuses of the responses in this stream; bodies must not look like heads."""
    return [int(status) for status in _STATUS.findall(data)]
