"""
Streams: the bytes of one visitor's connection, relayed to a target and back without a look into them.

A `StreamFactory` is the innermost factory of TCP edges and of TLS edges that do not terminate TLS. For each visitor it
walks the backend's candidates until one of them connects, then makes both transports each other's producer. A FIN becomes
a FIN, a reset becomes a reset, silence becomes an end. Between two plain TCP sockets the kernel moves the bytes
(`ngrok_twisted.upstream.splice`).
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred, TimeoutError as DeferredTimeout, maybeDeferred
from twisted.internet.error import ConnectingCancelledError, TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, EndpointOffline, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IFlowFactory, ITunnel
from ngrok_twisted.net.timeouts import MINUTES, SECONDS, IdleWatch
from ngrok_twisted.upstream.opening import opened
from ngrok_twisted.upstream.proxy_protocol import header
from ngrok_twisted.upstream.side import Side
from ngrok_twisted.upstream.splice import splice

# ngrok's limit for either direction of a stream.
IDLE_TIMEOUT = 5 * MINUTES

# The product's limit for reaching an agent's service.
DIAL_TIMEOUT = 10 * SECONDS

# How long a side may take to send what it holds once the stream has idled out.
CLOSE_TIMEOUT = 10 * SECONDS


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


class Visitor(Side):
    """
    The visitor's side, which owns the stream.

    :ivar flow: the `Flow`.
    """

    _log = Logger()
    _dialling: Deferred[None] | None = None
    _target: Side | None = None
    _spliced: Any = None
    _closing = False

    def __init__(self, factory: StreamFactory, flow: Flow) -> None:
        super().__init__()
        self._factory = factory
        self.flow = flow

    def connectionMade(self) -> None:
        """IProtocol."""
        self.watch = IdleWatch(self._factory.clock, self._factory.idle_timeout, self._idle)
        self._dialling = Deferred.fromCoroutine(self._dial())
        self._dialling.addErrback(self._dial_broke)

    async def _dial(self) -> None:
        """Try one candidate after the other."""
        error: EdgeError = EndpointOffline()
        for target in self._factory.backend.candidates(self.flow):
            if not IStreamClientEndpoint.providedBy(target):
                continue  # something that answers by itself answers requests, not streams
            attempt = Attempt(self)
            try:
                connecting = maybeDeferred(self._opened(target).connect, attempt)
                await connecting.addTimeout(self._factory.dial_timeout, self._factory.clock)
                side = attempt.connected()
            except Exception as failed:
                attempt.abandon()
                if self.lost:
                    return
                error = self._note(target, failed)
                continue
            if self.lost:
                attempt.abandon()
            else:
                self._join(target, side)
            return
        if not self.lost:
            self._give_up(error)

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
        """The coroutine ended with an exception: ours, unless it was cancelled because the visitor left."""
        if reason.check(CancelledError) and self.lost:
            return
        self._log.failure("flow {flow} could not be served", failure=reason, flow=self.flow.number)
        self.flow.error = EdgeError()
        self.abort()
        if self._target is not None:
            self._target.abort()

    def _join(self, target: Any, side: Side) -> None:
        """Each side's transport becomes the other's producer."""
        self._target = side
        self.flow.reached()
        if ITunnel.providedBy(target):
            self.flow.tunnel = target
        upstream = getattr(target, "upstream", None)
        if upstream is not None and upstream.proxy_protocol and not upstream.tls:
            side.transport.write(header(upstream.proxy_protocol, self.flow, self.transport.getHost()))
        self.watch.touch()
        self.join(side)
        side.join(self)
        self._spliced = splice(self, side, self._factory.clock)
        if self._spliced is None:
            self.feed_from(side)
            side.feed_from(self)
        for one in (self, side):
            one.resumeProducing()
            if one.finished:
                one.pass_on_end()

    def ended(self) -> None:
        """See `Side`: the flow ends with the visitor's connection."""
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.cancel()
        self._finish()
        self.side_lost(self)

    def side_lost(self, side: Side) -> None:
        """One of the two connections is gone."""
        if self._spliced is not None:
            self._spliced.lost(side)
        target = self._target
        if self.lost and (target is None or target.lost):
            self.watch.stop()
            if target is not None:
                self.release()
                target.release()

    def _finish(self) -> None:
        self.flow.bytes_in = self.received
        self.flow.bytes_out = self._target.received if self._target is not None else 0
        self.flow.finish(self._factory.clock.seconds())

    def _idle(self) -> None:
        """Nothing moved for long: close, and then insist."""
        sides = [self] if self._target is None else [self, self._target]
        if self._closing:
            for side in sides:
                side.abort()
            return
        self._closing = True
        self._log.debug("flow {flow} is idle and closed", flow=self.flow.number)
        self.watch.change(CLOSE_TIMEOUT)
        for side in sides:
            side.close()


@implementer(IFlowFactory)
class Attempt:
    """
    The factory that one target is dialled with.

    :ivar flow: whose stream it is.
    """

    noisy = False

    def __init__(self, visitor: Visitor) -> None:
        self.flow = visitor.flow
        self._side = Target(visitor)

    def buildProtocol(self, addr: Any) -> Side:
        """IProtocolFactory."""
        return self._side

    def doStart(self) -> None:
        """IProtocolFactory."""

    def doStop(self) -> None:
        """IProtocolFactory."""

    def connected(self) -> Side:
        """
        :return: the target's side.
        :raises UpstreamUnreachable: it is gone already.
        """
        if self._side.lost or self._side.transport is None:
            raise UpstreamUnreachable()
        return self._side

    def abandon(self) -> None:
        """It is not wanted any more: a connection that exists, or comes all the same, is reset."""
        self._side.unwanted = True
        self._side.abort()


class Target(Side):
    """
    The target's side.

    :ivar unwanted: the attempt was given up before it was joined.
    """

    unwanted = False

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        self.watch = visitor.watch
        self._visitor = visitor

    def connectionMade(self) -> None:
        """IProtocol."""
        if self.unwanted:
            self.transport.abortConnection()
            return
        give_to = getattr(self.transport, "give_to", None)
        if give_to is not None:
            give_to(self)  # past the wrapper that client endpoints put between

    def ended(self) -> None:
        """See `Side`."""
        self._visitor.side_lost(self)


def convert_error(error: Exception) -> EdgeError:
    """Whatever kept a target from connecting, in the vocabulary of the house."""
    if isinstance(error, EdgeError):
        return error
    if isinstance(error, (DeferredTimeout, ConnectTimeout, ConnectingCancelledError)):
        return UpstreamTimeout()
    return UpstreamUnreachable()
