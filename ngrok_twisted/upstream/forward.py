"""
`Forward`: the leaf behind every route that passes requests on. It asks the backend's candidates, one after the other.

With an idle connection at hand a request is on its way before ``render`` returns; only dialling is a coroutine.
"""

from __future__ import annotations

from ssl import SSLCertVerificationError, SSLError
from typing import Any, Callable, Iterator

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    TimeoutError as ConnectTimeout,
)
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, EndpointOffline, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream.exchange import IDLE_TIMEOUT, UpstreamConnection
from ngrok_twisted.upstream.http2_connection import SharedConnection
from ngrok_twisted.upstream.http2_pulse import LINGER
from ngrok_twisted.upstream.opening import ConnectionFactory, opened, variant_of
from ngrok_twisted.upstream.pool import Pool
from ngrok_twisted.wrapper import CONVERSATION

_log = Logger()

SECONDS = 1.0

# The least that dialling takes, so that it differs from no dialling at all.
MICROSECOND = 1e-6 * SECONDS

# For a connection to the local service, through the tunnel, to come about.
DIAL_TIMEOUT = 10 * SECONDS

# Methods that may be sent again when nobody knows whether the first time counted (RFC 9110 section 9.2.2).
_IDEMPOTENT = frozenset([b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"])

_PLAIN = Upstream()


@implementer(IResource)
class Forward:
    """
    Passes requests on.

    :ivar backend: the `IBackend` that chooses.
    """

    # One for each endpoint, and among thousands never in a cache: a dictionary is a place more to fetch.
    __slots__ = ("backend", "_clock", "_pool", "_dial_timeout", "_idle_timeout", "_nobody", "_backend_id")

    isLeaf = True

    def __init__(
        self,
        backend: Any,
        clock: Any,
        pool: Pool | None = None,
        dial_timeout: float = DIAL_TIMEOUT,
        idle_timeout: float = IDLE_TIMEOUT,
        nobody: Callable[[str], EdgeError] = EndpointOffline.named,
        backend_id: str = "",
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param pool: idle connections, shared with other edges; its own if ``None``.
        :param dial_timeout: seconds for one target to connect.
        :param idle_timeout: seconds without a byte from the service, or in an upgraded stream, until it is given up.
        :param nobody: called with the requested host where the backend knows nobody; gives what is raised then.
        :param backend_id: of the configured backend, for flows.
        """
        self.backend = backend
        self._clock = clock
        self._pool = Pool(clock) if pool is None else pool
        self._dial_timeout = dial_timeout
        self._idle_timeout = idle_timeout
        self._nobody = nobody
        self._backend_id = backend_id

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Forward is a leaf")

    def putChild(self, path: bytes, child: Any) -> None:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Forward is a leaf")

    def render(self, request: Any) -> int:
        """
        IResource.

        :raises EdgeError: the backend knows nobody.
        """
        flow = request.flow
        flow.backend_id = self._backend_id
        asking = self
        if request.upgrade_to and flow.variables is not None and CONVERSATION in flow.variables:
            asking = _Conversing(self, flow.variables[CONVERSATION])
        asking._next(request, self.backend.candidates(flow), None)
        return NOT_DONE_YET

    def _next(self, request: Any, candidates: Iterator[Any], error: EdgeError | None) -> None:
        """
        Ask the next candidate.

        :param error: what went wrong before, if anything did; raised when nobody is left.
        """
        flow = request.flow
        for target in candidates:
            connection = self._pool.take(target, flow.started, flow.method not in _IDEMPOTENT)
            if connection is not None:
                flow.tunnel = target if hasattr(target, "observe") else None
                self._start(connection, request, target, candidates)
            elif IResource.providedBy(target):
                request.answer_with(target)
            else:
                flow.tunnel = target if hasattr(target, "observe") else None
                self._dial(request, target, candidates)
            return
        if error is None:
            raise self._nobody(flow.host)
        last = flow.tried[-1] if flow.tried else None
        flow.tunnel = last if hasattr(last, "observe") else None  # its owner sees what became of the request
        raise error

    def _start(self, connection: Any, request: Any, target: Any, candidates: Iterator[Any], before: Any = None) -> None:
        try:
            if before is not None:
                connection.repeats(before)
            upstream = getattr(target, "upstream", _PLAIN)
            connection.start(request, upstream, self._failed, (request, target, candidates))
        except Exception:
            connection.close()
            raise

    def _failed(
        self,
        connection: Any,
        error: EdgeError,
        replayable: bool,
        request: Any,
        target: Any,
        candidates: Iterator[Any],
    ) -> None:
        """
        A connection ended before one byte of the answer. If it had waited for long, and it is safe, its target is dialled;
        another target is not asked: who can be reached but does not answer is no reason to (specification of edges,
        section 3.1). In HTTP/2 the service may vouch that it is safe.
        """
        if request.gone or request.finished:
            return
        if not replayable or not (connection.unprocessed or (connection.reused and request.method in _IDEMPOTENT)):
            request.fail(error)
            return
        try:
            self._dial(request, target, candidates, connection)  # it was stale, or closing
        except Exception:
            request.fail(Failure())

    def _give_up(self, target: Any, error: EdgeError, request: Any, candidates: Iterator[Any]) -> None:
        """This target failed: ask the next."""
        request.flow.missed(target, self._clock.seconds())
        try:
            self._next(request, candidates, error)
        except Exception:
            request.fail(Failure())

    # -- dialling

    def _dial(self, request: Any, target: Any, candidates: Iterator[Any], before: Any = None) -> None:
        """
        :param before: what failed to bring the request to this target, and may be followed.
        """
        connecting = self._reach(request, target)
        if not isinstance(connecting, Deferred):
            self._start(connecting, request, target, candidates, before)
            return
        dialling = _Dialling(connecting)
        request.registerProducer(dialling, True)

        def connected(connection: Any) -> None:
            request.flow.reached()
            if request.gone or request.finished:
                connection.close()
                return
            request.unregisterProducer()
            self._start(connection, request, target, candidates, before)

        def failed(failure: Failure) -> None:
            if request.gone or request.finished:
                return
            request.unregisterProducer()
            if not failure.check(EdgeError):
                request.fail(failure)
                return
            self._give_up(target, failure.value, request, candidates)

        connecting.addCallbacks(connected, failed)
        connecting.addErrback(request.fail)

    def _reach(self, request: Any, target: Any) -> Any:
        """
        :return: what the request may be started on; or a Deferred that fires with it, and fails with an `EdgeError` if nobody
            is there.
        """
        upstream = getattr(target, "upstream", _PLAIN)
        if upstream.protocol != "http2":
            # a connection that was opened in one visitor's name is not for another
            pool = None if upstream.proxy_protocol else self._pool
            connection = UpstreamConnection(target, self._clock, pool, self._idle_timeout)
            return self._dialled(request, opened(target, upstream, request, self._clock), connection)
        shared = self._pool.shared
        variant = variant_of(upstream, request)
        exchange = shared.take(target, variant)
        return shared.reach(target, variant, self._dial_of(request, target)) if exchange is None else exchange

    def _dial_of(self, request: Any, target: Any) -> Callable[[], Deferred[SharedConnection]]:
        """How to open a connection for this request, and for those that can use the same."""
        upstream = target.upstream
        endpoint = opened(target, upstream, request, self._clock, ("h2",))
        linger = 0.0 if upstream.proxy_protocol else LINGER

        def dial() -> Deferred[SharedConnection]:
            return self._dialled(request, endpoint, SharedConnection(target, self._clock, self._idle_timeout, linger))

        return dial

    def _dialled(self, request: Any, endpoint: Any, connection: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(request, endpoint, connection))

    async def _connect(self, request: Any, endpoint: Any, connection: Any) -> Any:
        """
        :raises EdgeError: nobody is there.
        """
        connecting = endpoint.connect(ConnectionFactory(request.flow, connection))
        connecting.addTimeout(self._dial_timeout, self._clock)
        begun = self._clock.seconds()
        try:
            await connecting
        except EdgeError:
            raise
        except (TimeoutError, CancelledError, ConnectingCancelledError, ConnectTimeout):
            raise UpstreamTimeout("The local service could not be reached in time.") from None
        except SSLError as error:
            raise UpstreamUnreachable(_tls_sentence(error)) from None
        except (ConnectError, ConnectionClosed, OSError) as error:
            _log.debug("dialling failed: {error}", error=str(error))
            raise UpstreamUnreachable() from None
        connection.dialled = max(self._clock.seconds() - begun, MICROSECOND)
        return connection


class _Never:
    """A pool that has nothing."""

    def take(self, *wanted: Any) -> None:
        """See `Pool`."""


class _Conversing(Forward):
    """One request's way to a target that is not asked by HTTP: see `ngrok_twisted.wrapper.CONVERSATION`."""

    def __init__(self, forward: Forward, make: Callable[[float], Any]) -> None:
        """
        :param make: makes the conversation of one attempt.
        """
        super().__init__(
            forward.backend,
            forward._clock,
            _Never(),  # type: ignore[arg-type]
            forward._dial_timeout,
            forward._idle_timeout,
            forward._nobody,
        )
        self._make = make

    def _reach(self, request: Any, target: Any) -> Any:
        endpoint = opened(target, getattr(target, "upstream", _PLAIN), request, self._clock)
        return self._dialled(request, endpoint, self._make(self._idle_timeout))

    def _start(self, connection: Any, request: Any, target: Any, candidates: Iterator[Any], before: Any = None) -> None:
        request.flow.dialled = connection.dialled
        connection.start(request)


def _tls_sentence(error: SSLError) -> str:
    if isinstance(error, SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or "it cannot be verified"
        return f"The certificate of the local service is not accepted: {why}."
    return "The local service does not speak TLS as it was said to."


@implementer(IPushProducer)
class _Dialling:
    """Stands for the connection until there is one: it cannot be paused, but it can be given up."""

    def __init__(self, connecting: Deferred[UpstreamConnection]) -> None:
        self.connecting = connecting

    def pauseProducing(self) -> None:
        """IPushProducer: nothing flows yet."""

    def resumeProducing(self) -> None:
        """IPushProducer: nothing flows yet."""

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        self.connecting.cancel()
