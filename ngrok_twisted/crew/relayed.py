"""
Connections of other processes to tunnels of this one: each is joined with a stream of its tunnel's own.
"""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any, Callable, NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.crew.relay import RelayStream
from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.upstream.side import Side
from ngrok_twisted.upstream.stream import convert_error


class Visitor(NamedTuple):
    """
    What a tunnel is told of a visitor, see `ngrok_twisted.flow.Flow`.

    :ivar terminates: whether TLS ends at the edge.
    """

    peer_host: str
    peer_port: int
    proto: str
    host: str
    terminates: bool

    @classmethod
    def of(cls, flow: Flow) -> Visitor:
        """What a flow says of it."""
        terminates = bool(getattr(flow.edge, "terminates", False))
        return cls(flow.peer_host, flow.peer_port, flow.proto, flow.host, terminates)


class Call(NamedTuple):
    """
    What comes with the end of a socket pair.

    :ivar tunnel_id: whom it is for.
    :ivar visitor: whose it is; ``None`` where there is none, such as for a health check.
    """

    tunnel_id: str
    visitor: Visitor | None


class _Edge:
    """
    The edge of a flow that came through another process.

    :ivar name: for logs.
    :ivar terminates: TLS ends at the edge.
    """

    name = "another process"

    def __init__(self, terminates: bool) -> None:
        self.terminates = terminates


class Relays:
    """
    Every connection of another process that is here. Their number is what a process that stops waits for.
    """

    def __init__(self, tunnels: Any, reactor: Any) -> None:
        """
        :param tunnels: the `ngrok_twisted.tunnels.Tunnels`.
        """
        self._tunnels = tunnels
        self._reactor = reactor
        self._open: set[Relay] = set()
        self._by_tunnel: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def reach(self, tunnel_id: str) -> bool:
        """Whether any is with this tunnel."""
        return tunnel_id in self._by_tunnel

    def answer(self, call: Call, descriptor: int) -> None:
        """
        A connection has come from another process.

        :param descriptor: one end of a stream socket pair, which is this object's from now on.
        """
        if descriptor == NO_DESCRIPTOR:
            return  # whoever called has seen the end of it
        stream = RelayStream(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor), self._reactor)
        tunnel = self._tunnels.get(call.tunnel_id)
        if tunnel is None or getattr(tunnel, "place", None) is not None:
            stream.refuse(TunnelLost())
            return
        relay = Relay(call, self._reactor, self._over)
        self._open.add(relay)
        self._by_tunnel[call.tunnel_id] += 1
        stream.carry(relay.near)
        relay.dial(tunnel)

    def _over(self, relay: Relay) -> None:
        if relay in self._open:
            self._open.discard(relay)
            id = relay.call.tunnel_id
            self._by_tunnel[id] -= 1
            if not self._by_tunnel[id]:
                del self._by_tunnel[id]


class Relay:
    """
    One connection.

    :ivar call: what came with it.
    :ivar near: the side of the other process.
    :ivar far: the side of the tunnel.
    """

    _log = Logger()

    def __init__(self, call: Call, clock: Any, over: Callable[[Relay], None]) -> None:
        """
        :param over: called with it when both sides are gone.
        """
        self.near, self.far = _Side(self), _Side(self)
        self.call = call
        self._clock = clock
        self._over = over
        self._dialling: Deferred[Any] | None = None

    def dial(self, tunnel: Any) -> None:
        """Connect the tunnel. How long that may take is the other process's to say: it breaks off when it is tired of it."""
        dialling = self._dialling = maybeDeferred(tunnel.connect, self._factory())
        dialling.addCallbacks(self._connected, self._refused)
        dialling.addErrback(self._broke)

    def ended(self) -> None:
        """One of the sides is gone."""
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.cancel()
        if self.near.lost and (self.far.lost or self.far.transport is None):
            self.near.release()
            self.far.release()
            self._over(self)

    def _factory(self) -> Any:
        if self.call.visitor is None:
            return _Build(self.far)
        host, port, proto, name, terminates = self.call.visitor
        flow = Flow(host, port, proto, self._clock.seconds())
        flow.host, flow.edge = name, _Edge(terminates)
        return _BuildFor(self.far, flow)

    def _connected(self, protocol: Any) -> None:
        self._dialling = None
        if self.near.lost or self.far.lost:
            self.near.abort()
            self.far.abort()
            self.ended()
            return
        near, far = self.near, self.far
        near.transport.opened()
        near.join(far)
        far.join(near)
        near.feed_from(far)
        far.feed_from(near)
        for side in (near, far):
            side.resumeProducing()
            if side.finished:
                side.pass_on_end()

    def _refused(self, failure: Failure) -> None:
        self._dialling = None
        if self.near.lost:
            self.ended()
            return
        self.near.transport.refuse(convert_error(failure.value))

    def _broke(self, failure: Failure) -> None:
        self._log.failure("a connection of another process could not be served", failure)
        self.near.abort()
        self.far.abort()


class _NoWatch:
    """Whoever called watches for silence: see `Side`."""

    def touch(self) -> None:
        """Something has moved."""


_NO_WATCH = _NoWatch()


class _Side(Side):
    """One of the two sides of a relay."""

    watch = _NO_WATCH

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay

    def ended(self) -> None:
        """See `Side`."""
        self._relay.ended()


class _Build(Factory):
    """Hands the far side to a tunnel."""

    noisy = False

    def __init__(self, side: Side) -> None:
        self._side = side

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        return self._side


@implementer(IFlowFactory)
class _BuildFor(_Build):
    """
    The same for a visitor.

    :ivar flow: the visitor's.
    """

    def __init__(self, side: Side, flow: Flow) -> None:
        super().__init__(side)
        self.flow = flow
