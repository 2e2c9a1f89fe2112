"""
`fetch`: one GET, bounded in time and in what it reads of the answer.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import PotentialDataLoss, ResponseDone

SECONDS = 1.0
KILOBYTE = 1024

# From the look-up of the name to the end of the answer. A sender of webhooks waits some ten seconds for ours.
FETCH_TIMEOUT = 5 * SECONDS

# The longest answer that anybody needs; certificates have some two kilobytes.
ANSWER_MAX = 32 * KILOBYTE


class Unfetched(Exception):
    """There is no answer that could be used; the message says why, for the log."""


def fetch(http: Any, clock: Any, url: str) -> Deferred[bytes]:
    """
    Redirects are not followed: who may name the URL could have anybody asked by them.

    :param http: a treq-like client.
    :param clock: an `IReactorTime`.
    :return: a Deferred that fires with the body of a 200. It fails with `Unfetched`, `TimeoutError`, or whatever the client
        fails with.
    """
    fetching = Deferred.fromCoroutine(_fetch(http, url))
    fetching.addTimeout(FETCH_TIMEOUT, clock)
    return fetching


async def _fetch(http: Any, url: str) -> bytes:
    response = await http.get(url, allow_redirects=False, unbuffered=True)
    reader = _Reader()
    response.deliverBody(reader)
    body = await reader.done
    if response.code != 200:
        raise Unfetched(f"the answer was {response.code}")
    return body


class _Reader(Protocol):
    """Gathers a body. The connection ends when it is too long, or when nobody waits for it any more."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._gathered = bytearray()
        self._hung_up = False

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._gathered += data
        if len(self._gathered) > ANSWER_MAX and not self.done.called:
            self.done.errback(Unfetched("the answer was too long"))
            self._hang_up()

    def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:
        """IProtocol."""
        if self.done.called or self._hung_up:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._gathered))
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        self._hung_up = True
        self._gathered.clear()
        abort = getattr(self.transport, "abortConnection", None) or getattr(self.transport, "loseConnection", None)
        if abort is not None:
            abort()
