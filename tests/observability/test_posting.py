"""
Tests for `ngrok_twisted.observability.posting`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed, ResponseNeverReceived

from ngrok_twisted.observability.destination import DestinationBusy
from ngrok_twisted.observability.posting import ANSWER_MAX, POST_TIMEOUT, Posted, Poster, http_client


class Response:
    """
    An answer whose body is written by the test.

    :ivar reader: the protocol that reads it.
    :ivar transport: the reader's.
    """

    code = 200

    def deliverBody(self, reader: Any) -> None:
        """As treq's."""
        self.reader, self.transport = reader, StringTransport()
        reader.makeConnection(self.transport)


class Client:
    """
    A treq-like client.

    :ivar asked: what it was called with.
    """

    def __init__(self, result: Deferred[Any]) -> None:
        self.result = result

    def request(self, *arguments: Any, **more: Any) -> Deferred[Any]:
        """As treq's."""
        self.asked = (arguments, more)
        return self.result


class PosterTests(SynchronousTestCase):
    """One request."""

    def setUp(self) -> None:
        self.clock = Clock()

    def post(self, result: Deferred[Any]) -> Deferred[Posted]:
        """Post with a client whose request has this result."""
        self.client = Client(result)
        return Deferred.fromCoroutine(Poster(self.client, self.clock).post("https://a/b", {"c": "d"}, b"e"))

    def test_answer(self) -> None:
        """Status and body come back; redirects are not followed."""
        response = Response()
        posted = self.post(succeed(response))
        response.reader.dataReceived(b"an")
        response.reader.dataReceived(b"swer")
        self.assertNoResult(posted)
        response.reader.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(posted), Posted(200, b"answer"))
        (method, url), more = self.client.asked
        self.assertEqual((method, url, more["headers"], more["data"]), ("POST", "https://a/b", {"c": "d"}, b"e"))
        self.assertIs(more["allow_redirects"], False)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_long_answer(self) -> None:
        """Of an answer that does not end the start is read, and the connection is closed."""
        response = Response()
        posted = self.post(succeed(response))
        for _ in range(3):
            response.reader.dataReceived(b"x" * (ANSWER_MAX // 2 + 1))
        self.assertEqual(len(self.successResultOf(posted).body), ANSWER_MAX)
        self.assertTrue(response.transport.disconnecting or response.transport.disconnected)

    def test_no_answer(self) -> None:
        """Why there is none is told in words."""
        refused = ConnectionRefusedError()
        for error, words in (
            (DNSLookupError("x"), "its name cannot be found"),
            (refused, "Connection was refused by other side"),
            (ResponseNeverReceived([Failure(refused)]), "Connection was refused"),
            (ResponseFailed([Failure(DNSLookupError("x"))]), "its name cannot be found"),
            (ZeroDivisionError("by zero"), "by zero"),
        ):
            result: Deferred[Any] = Deferred()
            posted = self.post(result)
            result.errback(error)
            self.assertIn(words, self.failureResultOf(posted, DestinationBusy).value.sentence)

    def test_broken_answer(self) -> None:
        """An answer that breaks off is none."""
        response = Response()
        posted = self.post(succeed(response))
        response.reader.connectionLost(Failure(ResponseFailed([Failure(ConnectionRefusedError())])))
        self.failureResultOf(posted, DestinationBusy)

    def test_timeout(self) -> None:
        """Neither a request nor an answer takes for ever."""
        for result in (Deferred(), succeed(Response())):
            posted = self.post(result)
            self.clock.advance(POST_TIMEOUT)
            self.assertIn("within 30 s", self.failureResultOf(posted, DestinationBusy).value.sentence)

    def test_cancelled(self) -> None:
        """Whoever gives up takes the request along."""
        result: Deferred[Any] = Deferred()
        posted = self.post(result)
        posted.cancel()
        self.failureResultOf(posted, CancelledError)
        self.assertTrue(result.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client(self) -> None:
        """The real client opens a connection to where the URL says."""
        reactor = MemoryReactorClock()
        client = http_client(reactor)
        client.request("POST", "http://127.0.0.1:8080/b", data=b"e").addErrback(lambda _: None)
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 8080))
