"""
Tests for `ngrok_twisted.collect`.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.collect import HOLD_TIMEOUT, BodyGuard, BodyTooLarge, Collected, Room, collect
from ngrok_twisted.errors import BadRequest, EdgeError, Overloaded
from tests.edge.wire import Render, Visitor, statuses

LIMIT = 8


class CollectTests(SynchronousTestCase):
    """A whole body."""

    def setUp(self) -> None:
        self.bodies: list[Deferred[bytes]] = []
        self.visitor = Visitor(Render(self.render))

    def render(self, request: Any) -> int:
        """Wants the body, and answers nothing."""
        self.bodies.append(collect(request, LIMIT))
        return NOT_DONE_YET

    def begin(self, *lines: str) -> Deferred[bytes]:
        """Send a head."""
        self.visitor.send("\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode())
        return self.bodies[-1]

    def test_none(self) -> None:
        """A request without a body has an empty one."""
        self.assertEqual(self.successResultOf(self.begin()), b"")

    def test_pieces(self) -> None:
        """The body may come in pieces, and is kept for whoever asks next."""
        body = self.begin("Content-Length: 8")
        self.visitor.send(b"1234")
        self.assertNoResult(body)
        self.visitor.send(b"5678")
        self.assertEqual(self.successResultOf(body), b"12345678")
        self.assertEqual(self.successResultOf(collect(self.visitor.request, LIMIT)), b"12345678")

    def test_continue(self) -> None:
        """A visitor that waits for 100 gets it."""
        body = self.begin("Content-Length: 1", "Expect: 100-continue")
        self.assertEqual(statuses(self.visitor.take()), [100])
        self.visitor.send(b"1")
        self.assertEqual(self.successResultOf(body), b"1")

    def test_too_long(self) -> None:
        """A body that is announced as too long is not read, and its sender is not told to go on."""
        body = self.begin("Content-Length: 9", "Expect: 100-continue")
        self.assertEqual(self.failureResultOf(body, BodyTooLarge).value.status, 413)
        self.assertEqual(self.visitor.take(), b"")

    def test_grows_too_long(self) -> None:
        """One that turns out to be too long is given up at once, and fails but once."""
        body = self.begin("Transfer-Encoding: chunked")
        self.visitor.send(b"8\r\n12345678\r\n")
        self.assertNoResult(body)
        self.visitor.send(b"1\r\n9\r\n")
        self.failureResultOf(body, BodyTooLarge)
        self.visitor.send(b"1\r\n9\r\n0\r\n\r\n")

    def test_broken(self) -> None:
        """One that is not valid fails as such."""
        body = self.begin("Transfer-Encoding: chunked")
        self.visitor.send(b"zz\r\n")
        self.failureResultOf(body, BadRequest)

    def test_left(self) -> None:
        """So does one whose sender leaves."""
        body = self.begin("Content-Length: 8")
        self.visitor.leave()
        self.failureResultOf(body, ConnectionAborted)

    def test_left_in_peace(self) -> None:
        """What stands around a resource says nothing to one who is no longer there, and nothing to the log."""
        for around in (Collected(None, LIMIT), BodyGuard(None, lambda request, body: None, Room(LIMIT))):
            visitor = Visitor(around)
            visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234")
            visitor.leave()
            self.assertEqual((visitor.take(), len(visitor.flows)), (b"", 1))
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_trailers(self) -> None:
        """What comes after a chunked body is kept with it."""
        self.begin("Transfer-Encoding: chunked")
        self.visitor.send(b"1\r\na\r\n0\r\nX-End: yes\r\n\r\n")
        request, heard = self.visitor.request, []
        self.assertIsNone(request.body_length)

        class Reader:
            def bodyReceived(self, data: Any) -> None:
                heard.append(bytes(data))

            def bodyFinished(self, trailers: Any) -> None:
                heard.append(trailers)

        request.deliver_body(Reader())
        self.assertEqual(heard, [b"a", [(b"X-End", b"yes")]])

    def test_small_pieces(self) -> None:
        """A body in the smallest pieces takes no more memory than its bytes, or strangers could take many times the room."""
        self.visitor = Visitor(Render(lambda request: self.bodies.append(collect(request, 100_000)) or NOT_DONE_YET))
        body = self.begin("Transfer-Encoding: chunked")
        tracemalloc.start()
        try:
            for _ in range(10_000):
                self.visitor.send(b"2\r\nab\r\n")
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(taken, 100_000)
        self.visitor.send(b"0\r\n\r\n")
        self.assertEqual(self.successResultOf(body), b"ab" * 10_000)

    def test_room(self) -> None:
        """What bodies take of the room is free again when their requests end, or when they are given up."""
        room = Room(LIMIT, 10)
        self.visitor = Visitor(
            Render(lambda request: self.bodies.append(collect(request, LIMIT, room)) or NOT_DONE_YET)
        )
        first = self.begin("Content-Length: 8")
        self.visitor.send(b"1234")
        self.assertEqual(room.left, 6)
        self.visitor.send(b"5678")
        self.assertEqual((self.successResultOf(first), room.left), (b"12345678", 2))
        one, self.visitor = self.visitor, Visitor(self.visitor.site.resource)
        second = self.begin("Content-Length: 8")
        self.visitor.send(b"12")
        self.assertEqual(room.left, 0)
        self.visitor.send(b"3")
        self.failureResultOf(second, Overloaded)
        self.assertEqual(room.left, 2)
        one.leave()
        self.assertEqual(room.left, 10)


class BodyGuardTests(SynchronousTestCase):
    """A guard that sees the body."""

    def setUp(self) -> None:
        self.seen: list[bytes] = []
        self.verdict: Any = None
        self.looked: Any = None

    def visit(self, room: Room = Room(LIMIT), **more: Any) -> Visitor:
        """Somebody at a service that says what it gets."""
        inner = Render(lambda request: b"inner " + (request.stored_body or b"nothing"))
        self.inner = inner
        return Visitor(BodyGuard(inner, self.admit, room, look=lambda request: self.looked, **more))

    def admit(self, request: Any, body: bytes) -> Any:
        """Note the body, and say what the test wants."""
        self.seen.append(body)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict

    def ask(self, visitor: Visitor, body: bytes = b"abc") -> bytes:
        """The answer to a request with this body."""
        visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        return visitor.take()

    def test_passes(self) -> None:
        """What it lets pass goes on with its body."""
        self.assertTrue(self.ask(self.visit()).endswith(b"inner abc"))
        self.assertTrue(self.ask(self.visit(), b"").endswith(b"inner nothing"))
        self.assertEqual(self.seen, [b"abc", b""])

    def test_answers(self) -> None:
        """It may have somebody else answer, at once or later."""
        self.verdict = Render(lambda request: b"other")
        self.assertTrue(self.ask(self.visit()).endswith(b"other"))
        self.verdict, verdict = Deferred(), self.verdict
        visitor = self.visit()
        self.assertEqual(self.ask(visitor), b"")
        self.verdict.callback(verdict)
        self.assertTrue(visitor.take().endswith(b"other"))

    def test_refuses(self) -> None:
        """It may raise, or fail later."""
        self.verdict = EdgeError(status=403)
        self.assertEqual(statuses(self.ask(self.visit())), [403])
        self.verdict = Deferred()
        visitor = self.visit()
        self.ask(visitor)
        self.verdict.errback(EdgeError(status=401))
        self.assertEqual(statuses(visitor.take()), [401])

    def test_look(self) -> None:
        """It may decide by the head alone; the body is not read then."""
        visitor = self.visit()
        self.looked = Render(lambda request: b"looked")
        self.assertTrue(self.ask(visitor).endswith(b"looked"))
        visitor = self.visit()
        self.looked = self.inner
        self.assertTrue(self.ask(visitor).endswith(b"inner nothing"))
        self.assertEqual(self.seen, [])

    def test_too_large(self) -> None:
        """A body that is too long is 413, or what it says instead."""
        self.assertEqual(statuses(self.ask(self.visit(), b"123456789")), [413])
        visitor = self.visit(too_large=lambda request: Render(lambda request: b"too large"))
        self.assertTrue(self.ask(visitor, b"123456789").endswith(b"too large"))
        self.assertEqual(self.seen, [])

    def test_too_slow(self) -> None:
        """One that takes too long is 408."""
        visitor = self.visit()
        visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1")
        visitor.clock.advance(HOLD_TIMEOUT)
        self.assertEqual(statuses(visitor.take()), [408])
        self.assertEqual(self.seen, [])
