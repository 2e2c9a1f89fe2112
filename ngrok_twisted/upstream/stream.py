"""
Streams: the bytes of one visitor's connection, relayed to a target and back without a look into them.

A `StreamFactory` is the innermost factory of TCP edges and of TLS edges that do not terminate TLS. For each visitor it
walks the backend's candidates until one of them connects, then makes both transports each other's producer. A FIN becomes
a FIN, a reset becomes a reset, silence becomes an end. Two plain TCP sockets need no transports (`ngrok_twisted.upstream.direct`);
where the first candidate is dialled with one, and the visitor comes with one, none are made.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any, Callable, Iterator, Sequence

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, EndpointOffline
from ngrok_twisted.flow import Flow
from ngrok_twisted.byte_transports import ITakesSocket
from ngrok_twisted.interfaces import ITunnel
from ngrok_twisted.net.dial import Dialling, dial
from ngrok_twisted.net.giving import give_transport, reset
from ngrok_twisted.net.timeouts import MINUTES, SECONDS, IdleWatch
from ngrok_twisted.upstream.attempt import Attempt, convert_error
from ngrok_twisted.upstream.direct import CLOSE_TIMEOUT, Direct, joined_directly
from ngrok_twisted.upstream.opening import opened
from ngrok_twisted.upstream.proxy_protocol import header
from ngrok_twisted.upstream.side import Side

# ngrok's limit for either direction of a stream.
IDLE_TIMEOUT = 5 * MINUTES

# The product's limit for reaching an agent's service.
DIAL_TIMEOUT = 10 * SECONDS


@implementer(IProtocolFactory)
class StreamFactory:
    """
    Serves visitors by relaying them to a backend's targets.

    :ivar name: for logs.
    """

    noisy = False
    name = ""

    def __init__(
        self,
        backend: Any,
        proto: str,
        clock: Any,
        observers: Sequence[Callable[[Flow], object]] = (),
        *,
        edge: Any = None,
        idle_timeout: float = IDLE_TIMEOUT,
        dial_timeout: float = DIAL_TIMEOUT,
    ) -> None:
        """
        :param backend: the `IBackend` that chooses who answers.
        :param proto: ``tls`` or ``tcp``.
        :param clock: an `IReactorTime`.
        :param observers: each is called with the flow when it is over.
        :param edge: what the flow notes as its edge; by default this factory.
        :param idle_timeout: seconds without a byte in either direction until the stream is closed.
        :param dial_timeout: seconds for one target to connect.
        """
        self.backend = backend
        self.proto = proto
        self.clock = clock
        self.observers = tuple(observers)
        self.edge = self if edge is None else edge
        self.idle_timeout = idle_timeout
        self.dial_timeout = dial_timeout

    def buildProtocol(self, addr: Any) -> Visitor:
        """
        IProtocolFactory.

        :param addr: the visitor's address, with ``host`` and ``port``; its ``server_name``, if it has one, is the flow's host.
        """
        flow = Flow(
            getattr(addr, "host", ""), getattr(addr, "port", 0), self.proto, self.clock.seconds(), self.observers
        )
        flow.edge = self.edge
        flow.host = getattr(addr, "server_name", None) or ""
        return Visitor(self, flow)

    def doStart(self) -> None:
        """IProtocolFactory."""

    def doStop(self) -> None:
        """IProtocolFactory."""


@implementer(ITakesSocket)
class Visitor(Side):
    """
    The visitor's side, which owns the stream.

    :ivar flow: the `Flow`.
    """

    _log = Logger()
    _candidates: Iterator[Any] | None = None  # those that were not tried yet; ``None``: nobody was asked
    _error: EdgeError | None = None  # of the candidate that was tried last
    _dialling: Dialling | None = None
    _attempt: Attempt | None = None  # at the candidate that is dialled now
    _waiting: Any = None  # the visitor's socket, while one for the target is being connected
    _target: Side | None = None
    _direct: Direct | None = None
    _closing = False

    def __init__(self, factory: StreamFactory, flow: Flow) -> None:
        super().__init__()
        self._factory = factory
        self.flow = flow

    # -- with a socket

    def take_socket(self, sock: Any, client: Any, data: bytes) -> None:
        """ITakesSocket."""
        try:
            candidates = iter(self._factory.backend.candidates(self.flow))
            target = next(candidates, None)
            plain_address = getattr(target, "plain_address", None)
            address = None if plain_address is None else plain_address()
        except Exception:
            reset(sock)
            self._broke(Failure())
            self._finish()
            return
        if address is None:
            self._candidates = candidates if target is None else chain((target,), candidates)
            give_transport(self, sock, client, self._factory.clock, data)
            return
        self._candidates = candidates
        self._waiting = sock
        connected = partial(self._connected, target, client, data)
        dialling = dial(self._factory.clock, address, self._factory.dial_timeout, connected)
        if dialling is not None:  # otherwise it is over, and others may be tried by now
            self._dialling = dialling

    def _connected(self, target: Any, client: Any, data: bytes, far: Any, error: Exception | None) -> None:
        """The first candidate has answered, or has not."""
        near, self._waiting, self._dialling = self._waiting, None, None
        if error is not None:
            self._error = self._note(target, error)
            give_transport(self, near, client, self._factory.clock, data)
            return
        self.flow.reached()
        factory = self._factory
        self._direct = Direct(factory.clock, near, far, factory.idle_timeout, self._over)
        self._direct.start(data)

    def _over(self, direct: Direct) -> None:
        """Both sockets are closed."""
        self._direct = None
        self.flow.bytes_in, self.flow.bytes_out = direct.near.received, direct.far.received
        self.flow.finish(self._factory.clock.seconds())

    def abort(self) -> None:
        """Reset the connection, if there still is one."""
        waiting, self._waiting = self._waiting, None
        if self._direct is not None:
            self._direct.abort()
        elif waiting is None:
            super().abort()
        else:
            if self._dialling is not None:
                self._dialling.cancel()
            reset(waiting)
            self._finish()

    # -- with a transport

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._direct is None:
            super().dataReceived(data)
        else:
            self._direct.bring(data)  # whoever had the transport before us hands on what was read

    def connectionMade(self) -> None:
        """IProtocol."""
        self.watch = IdleWatch(self._factory.clock, self._factory.dial_timeout, self._idle)
        try:
            if self._candidates is None:
                self._candidates = iter(self._factory.backend.candidates(self.flow))
            self._dial()
        except Exception:
            self._dial_broke(Failure())

    def _dial(self) -> None:
        """Try one candidate after the other, until one connects or has to be waited for."""
        assert self._candidates is not None
        for target in self._candidates:
            if not IStreamClientEndpoint.providedBy(target):
                continue  # something that answers by itself answers requests, not streams
            self._attempt = attempt = Attempt(self, target)
            connecting = maybeDeferred(self._opened(target).connect, attempt)
            connecting.addBoth(self._settled, attempt).addErrback(self._dial_broke)
            if self._attempt is attempt:
                attempt.waits_for(connecting)
                self.watch.change(self._factory.dial_timeout)
                return
            if not attempt.failed or self.lost:
                return
        if not self.lost:
            self._give_up(self._error or EndpointOffline())

    def _settled(self, result: Any, attempt: Attempt) -> None:
        """A candidate has answered, or will not."""
        if self._attempt is not attempt:  # the visitor has left meanwhile
            attempt.abandon()
            return
        self._attempt = None
        error = attempt.error_of(result)
        if error is None:
            self._join(attempt.target, attempt.side)
            return
        attempt.abandon()
        self._error = self._note(attempt.target, error)
        if attempt.waited:
            self._dial()

    def _opened(self, target: Any) -> Any:
        """The endpoint to dial: around a target whose service speaks TLS, one that does."""
        upstream = getattr(target, "upstream", None)
        if upstream is None or not upstream.tls:
            return target
        return opened(target, upstream, self, self._factory.clock, ())

    def getHost(self) -> Any:
        """The address that the visitor connected to."""
        return self.transport.getHost()

    def _note(self, target: Any, failed: Exception) -> EdgeError:
        """Remember a target that did not connect."""
        self.flow.missed(target, self._factory.clock.seconds())
        error = convert_error(failed)
        self._log.debug(
            "flow {flow}: {target} did not connect: {reason}",
            flow=self.flow.number,
            target=getattr(target, "id", target),
            reason=str(failed) or type(failed).__name__,
        )
        return error

    def _give_up(self, error: EdgeError) -> None:
        """Nobody answers."""
        self.flow.error = error
        self._log.info(
            "{proto} flow {flow} from {peer} reset: {reason} ({tried} targets tried)",
            proto=self.flow.proto,
            flow=self.flow.number,
            peer=self.flow.peer_host,
            reason=error.sentence,
            tried=len(self.flow.tried),
        )
        self.abort()

    def _dial_broke(self, reason: Failure) -> None:
        """Something of ours has failed."""
        self._broke(reason)
        self.abort()
        if self._target is not None:
            self._target.abort()

    def _broke(self, reason: Failure) -> None:
        self._log.failure("flow {flow} could not be served", failure=reason, flow=self.flow.number)
        self.flow.error = EdgeError()

    def _join(self, target: Any, side: Side) -> None:
        """Each side's transport becomes the other's producer; or both are taken away, and their sockets remain."""
        self._target = side
        self.flow.reached()
        if ITunnel.providedBy(target):
            self.flow.tunnel = target
        upstream = getattr(target, "upstream", None)
        if upstream is not None and upstream.proxy_protocol and not upstream.tls:
            side.transport.write(header(upstream.proxy_protocol, self.flow, self.transport.getHost()))
        self.watch.change(self._factory.idle_timeout)
        self.join(side)
        side.join(self)
        self._direct = joined_directly(self, side, self._factory.clock, self._factory.idle_timeout, self._over)
        if self._direct is not None:
            self.watch.stop()
            self._release()
            return
        self.feed_from(side)
        side.feed_from(self)
        for one in (self, side):
            one.resumeProducing()
            if one.finished:
                one.pass_on_end()

    def ended(self) -> None:
        """See `Side`: the flow ends with the visitor's connection."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        self._finish()
        self.side_lost(self)

    def side_lost(self, side: Side) -> None:
        """One of the two connections is gone."""
        target = self._target
        if self.lost and (target is None or target.lost):
            self.watch.stop()
            self._release()

    def _release(self) -> None:
        """The two sides are not joined any more."""
        self.release()
        if self._target is not None:
            self._target.release()

    def _finish(self) -> None:
        self.flow.bytes_in = self.received
        self.flow.bytes_out = self._target.received if self._target is not None else 0
        self.flow.finish(self._factory.clock.seconds())

    def _idle(self) -> None:
        """A candidate has not answered in time; or nothing moved for long: close, and then insist."""
        if self._attempt is not None:
            self._attempt.time_out()
            return
        sides: list[Side] = [self] if self._target is None else [self, self._target]
        if self._closing:
            for side in sides:
                side.abort()
            return
        self._closing = True
        self._log.debug("flow {flow} is idle and closed", flow=self.flow.number)
        self.watch.change(CLOSE_TIMEOUT)
        for side in sides:
            side.close()
