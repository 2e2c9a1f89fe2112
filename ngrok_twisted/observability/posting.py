"""
`Poster`: one POST to a target of events, bounded in time and in what it reads of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Mapping

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    PotentialDataLoss,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)

from ngrok_twisted.observability.destination import DestinationBusy

SECONDS = 1
KIB = 1024

# From the look-up of the name to the end of the answer; a batch of 4 MiB takes 17 s on 2 Mbit/s.
POST_TIMEOUT = 30 * SECONDS

# What Twisted's own clients use; a target that is there answers within one.
CONNECT_TIMEOUT = 10 * SECONDS

# Amazon's and Datadog's load balancers close idle connections after 60 s; ours must be first.
IDLE_TIMEOUT = 30 * SECONDS

# The largest answer that anybody needs: the results of 500 records are about 60 KiB.
ANSWER_MAX = 256 * KIB


@dataclass(frozen=True, slots=True)
class Posted:
    """
    :ivar status: the HTTP status of the answer.
    :ivar body: its body, cut off at `ANSWER_MAX`.
    """

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")


class Poster:
    """
    Posts with a treq-like client.
    """

    def __init__(self, http: Any, clock: Any) -> None:
        """
        :param http: has treq's ``request``.
        :param clock: an ``IReactorTime``.
        """
        self._http = http
        self._clock = clock

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """
        :param url: the whole URL.
        :raises DestinationBusy: there was no answer.
        """
        exchange: Deferred[Posted] = Deferred.fromCoroutine(self._exchange(url, headers, body))
        exchange.addTimeout(POST_TIMEOUT, self._clock, _too_late)
        try:
            return await exchange
        except (CancelledError, DestinationBusy):
            raise
        except Exception as error:
            raise DestinationBusy(f"it cannot be reached: {_cause(error)}") from None

    async def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        # Redirects are not followed: they would take keys elsewhere.
        response = await self._http.request(
            "POST", url, headers=dict(headers), data=body, allow_redirects=False, unbuffered=True
        )
        reader = _Reader()
        response.deliverBody(reader)
        return Posted(response.code, await reader.done)


class _Reader(Protocol):
    """The start of a body; the rest is not wanted, and the connection ends with it."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._pieces.append(data[: ANSWER_MAX - self._size])
        self._size += len(self._pieces[-1])
        if self._size >= ANSWER_MAX and not self.done.called:
            self.done.callback(b"".join(self._pieces))
            self._hang_up()

    def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:
        """IProtocol."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(b"".join(self._pieces))
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        abort = getattr(self.transport, "abortConnection", None) or getattr(self.transport, "loseConnection", None)
        if abort is not None:
            abort()


def _too_late(result: Any, timeout: float) -> Any:
    raise DestinationBusy(f"it did not answer within {timeout:.0f} s")


def _cause(error: Exception) -> str:
    """Why there was no answer, for people."""
    if isinstance(error, (ResponseNeverReceived, RequestTransmissionFailed, ResponseFailed)) and error.reasons:
        return _cause(error.reasons[0].value)
    if isinstance(error, DNSLookupError):
        return "its name cannot be found"
    if isinstance(error, ConnectError):
        return str(error).rstrip(".") or type(error).__name__
    return str(error).split("\n")[0][:100] or type(error).__name__


def http_client(reactor: Any) -> Any:
    """
    A treq client that trusts what the system trusts, keeps connections for a while and no cookies.

    :param reactor: the reactor.
    """
    pool = HTTPConnectionPool(reactor)
    pool.cachedConnectionTimeout = IDLE_TIMEOUT
    agent = Agent(reactor, BrowserLikePolicyForHTTPS(), connectTimeout=CONNECT_TIMEOUT, pool=pool)
    no_cookies: Any = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return HTTPClient(agent, no_cookies)
