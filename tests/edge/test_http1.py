"""
Tests for ``ngrok_twisted.edge.http1``: timeouts, back-pressure and memory. What is understood and refused is in
``test_http1_conformance``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.channel import IRequestChannel
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.errors import EndpointOffline
from tests.edge.wire import Render, Visitor, statuses

GET = b"GET / HTTP/1.1\r\nHost: A.Example.:8443\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class TimeoutTests(SynchronousTestCase):
    """Nobody waits for ever."""

    def visitor(self, render: Any = lambda request: b"ok") -> Visitor:
        return Visitor(Render(render))

    def wait(self, visitor: Visitor, seconds: int) -> None:
        visitor.clock.pump([1] * seconds)

    def test_first_head(self) -> None:
        """A connection without a complete request is answered 408 after a minute, however often a byte comes."""
        visitor = self.visitor()
        for byte in GET[:20]:
            visitor.send(bytes((byte,)))
            self.wait(visitor, 2)
        self.assertEqual(visitor.take(), b"")
        self.wait(visitor, 25)
        self.assertEqual(statuses(visitor.take()), [408])
        self.assertTrue(visitor.wire.ended)

    def test_idle(self) -> None:
        """Between requests a visitor may rest for five minutes; then the connection is closed without a word."""
        visitor = self.visitor()
        visitor.send(GET)
        visitor.take()
        self.wait(visitor, 299)
        self.assertFalse(visitor.wire.ended)
        self.wait(visitor, 5)
        self.assertTrue(visitor.wire.ended)
        self.assertEqual(visitor.take(), b"")

    def test_slow_body(self) -> None:
        """A body may take as long as it likes, if it moves; when it stops for five minutes, the answer is 408."""
        visitor = self.visitor(waiting)
        visitor.send(POST)
        visitor.request.deliver_body(Body())
        for _ in range(4):
            self.wait(visitor, 250)
            visitor.send(b"x")
        self.assertEqual(visitor.take(), b"")
        self.wait(visitor, 305)
        self.assertEqual(statuses(visitor.take()), [408])

    def test_slow_answer(self) -> None:
        """Whoever answers has a timeout of its own: the visitor's connection stays."""
        visitor = self.visitor(waiting)
        visitor.send(GET)
        self.wait(visitor, 2000)
        self.assertFalse(visitor.wire.ended)

    def test_does_not_read(self) -> None:
        """A visitor that takes nothing for five minutes is dropped."""
        visitor = self.visitor(waiting)
        visitor.send(GET)
        visitor.channel.pauseProducing()
        self.wait(visitor, 305)
        self.assertTrue(visitor.wire.aborted)

    def test_lingering_ends(self) -> None:
        """A connection that lingers is closed after two seconds, and drops a visitor that sends and sends."""
        visitor = self.visitor()
        visitor.send(b"nonsense\r\n\r\n")
        self.assertTrue(visitor.wire.half_closed)
        self.wait(visitor, 6)
        self.assertTrue(visitor.wire.disconnecting)
        flood = self.visitor()
        flood.send(b"nonsense\r\n\r\n")
        for _ in range(20):
            flood.send(b"x" * 1024 * 1024)
        self.assertTrue(flood.wire.aborted)

    def test_no_timers_left(self) -> None:
        """A connection that is gone leaves no timer."""
        visitor = self.visitor()
        visitor.send(GET)
        visitor.leave()
        self.assertEqual(visitor.clock.getDelayedCalls(), [])


class Body:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[Any] = []

    def bodyReceived(self, data: Any) -> None:
        self.data += bytes(data)

    def bodyFinished(self, trailers: Any) -> None:
        self.ends.append(list(trailers))

    def bodyFailed(self, reason: Any) -> None:
        self.ends.append(reason)


class RequestTests(SynchronousTestCase):
    """What a request is when it is handed over."""

    def test_interfaces(self) -> None:
        """The channel has what a request needs, and what half-closing transports ask for."""
        channel = Visitor(Render(waiting)).channel
        self.assertTrue(verifyObject(IRequestChannel, channel))
        self.assertTrue(IHalfCloseableProtocol.providedBy(channel))

    def test_flow(self) -> None:
        """The flow knows who asks for what; the host is in its plain form."""
        visitor = Visitor(Render(lambda request: b"hello"))
        visitor.clock.advance(5)
        visitor.send(GET)
        (flow,) = visitor.flows
        self.assertEqual(
            (
                flow.peer_host,
                flow.proto,
                flow.method,
                flow.target,
                flow.host,
                flow.status,
                flow.bytes_out,
                flow.started,
            ),
            ("192.168.1.1", "https", b"GET", b"/", "a.example", 200, 5, 5.0),
        )

    def test_site_refuses(self) -> None:
        """An error of the site is the answer."""

        def refuse(request: Any) -> Any:
            raise EndpointOffline()

        visitor = Visitor(refuse)
        visitor.send(GET)
        self.assertEqual(statuses(visitor.take()), [404])
        self.assertFalse(visitor.wire.ended)

    def test_handed_over_before_the_body(self) -> None:
        """A request is there as soon as its head is."""
        visitor = Visitor(Render(waiting))
        visitor.send(POST)
        self.assertEqual(visitor.request.body_length, 5)
        body = Body()
        visitor.request.deliver_body(body)
        visitor.send(b"he")
        self.assertEqual((body.data, body.ends), (b"he", []))
        visitor.send(b"llo")
        self.assertEqual((body.data, body.ends), (b"hello", [[]]))

    def test_body_lost(self) -> None:
        """The receiver of a body hears of a visitor that left in the middle."""
        visitor = Visitor(Render(waiting))
        visitor.send(POST + b"he")
        body = Body()
        visitor.request.deliver_body(body)
        visitor.leave()
        self.assertEqual(len(body.ends), 1)
        self.assertEqual(len(visitor.flows), 1)

    def test_answer_after_leaving(self) -> None:
        """An answer to somebody who left goes nowhere, and the flow ended once."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        visitor.leave()
        visitor.request.write(b"late")
        visitor.request.finish()
        self.assertEqual(visitor.take(), b"")
        self.assertEqual(len(visitor.flows), 1)

    def test_named_by_connection(self) -> None:
        """Fields that ``Connection`` names are gone before a module adds its own; essential ones cannot be named."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET[:-2] + b"Connection: X-Own, cookie, host\r\nX-Own: 1\r\nCookie: a=b\r\n\r\n")
        self.assertIsNone(visitor.request.getHeader(b"x-own"))
        self.assertEqual(visitor.request.getHeader(b"cookie"), b"a=b")

    def test_short_response(self) -> None:
        """A response that ends before its length breaks the connection."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        visitor.request.setHeader(b"content-length", b"10")
        visitor.request.write(b"short")
        visitor.request.finish()
        self.assertTrue(visitor.wire.aborted)

    def test_header_injection(self) -> None:
        """A line end in a header cannot make a second response."""

        def inject(request: Any) -> bytes:
            head = request.stock_head(0)
            head.headers.append((b"X", b"a\r\n\r\nHTTP/1.1 200 Evil"))
            request.respond(head, last=True)
            return NOT_DONE_YET  # type: ignore[return-value]

        visitor = Visitor(Render(inject))
        visitor.send(GET)
        self.assertNotIn(b"Evil", visitor.take())
        self.assertTrue(visitor.wire.aborted)
        self.flushLoggedErrors()

    def test_busy_writer_holds_back_requests(self) -> None:
        """While a visitor does not take its answers, its next requests wait."""
        visitor = Visitor(Render(lambda request: b"ok"), HTTPLimits())
        visitor.channel.pauseProducing()
        visitor.send(GET)
        self.assertEqual(visitor.site.requests, [])
        visitor.channel.resumeProducing()
        self.assertEqual(len(visitor.site.requests), 1)

    def test_waiting_requests_are_bounded(self) -> None:
        """Whoever sends requests without reading the answers is not read any more, until it does."""
        limits = HTTPLimits(backlog_bytes=1000)
        visitor = Visitor(Render(lambda request: b"ok"), limits)
        visitor.channel.pauseProducing()
        sent = 0
        while not visitor.wire.paused:
            visitor.send(GET)
            sent += 1
            self.assertLess(sent * len(GET), 3 * limits.backlog_bytes)
        visitor.channel.resumeProducing()
        self.assertFalse(visitor.wire.paused)
        self.assertEqual(len(visitor.site.requests), sent)

    def test_many_pipelined(self) -> None:
        """Thousands of pipelined requests are answered without recursion."""
        visitor = Visitor(Render(lambda request: b"ok"))
        visitor.send(GET * 5000)
        self.assertEqual(len(statuses(visitor.take())), 5000)

    def test_idle_connection_is_small(self) -> None:
        """An idle connection holds no buffers and no request."""
        visitor = Visitor(Render(lambda request: b"ok"))
        visitor.send(POST + b"hello")
        self.assertIsNone(visitor.channel._request)
        self.assertIsNone(visitor.channel._decoder)
        self.assertEqual(visitor.channel._buffer, b"")
        self.assertFalse(hasattr(visitor.channel, "__dict__"))

    def test_shut_down(self) -> None:
        """A server that stops finishes what is in flight, and says goodbye."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        visitor.channel.shut_down()
        self.assertFalse(visitor.wire.ended)
        visitor.request.write(b"x")
        visitor.request.finish()
        self.assertIn(b"\r\nConnection: close\r\n", visitor.take())
        self.assertTrue(visitor.wire.ended)
        resting = Visitor(Render(waiting))
        resting.channel.shut_down()
        self.assertTrue(resting.wire.ended)


class StartTests(SynchronousTestCase):
    """Bytes that cannot become a request are not waited for."""

    def test_binary(self) -> None:
        """The first byte of a TLS record, or any other that no method begins with, is refused at once."""
        for start in (
            b"\x16",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\x00",
            b"\xff",
            b" ",
            b'{"a":',
            b"\r!",
        ):
            visitor = Visitor(Render(waiting), proto="http")
            visitor.send(start)
            answer = visitor.take()
            self.assertEqual(statuses(answer), [400], start)
            self.assertIn(b"The request is not valid HTTP.", answer, start)
            self.assertTrue(visitor.wire.ended, start)

    def test_plausible(self) -> None:
        """What may become one is waited for: a token, and the empty line before it."""
        for start in (b"G", b"!#$%&'*+-.^_`|~0aZ", b"\r", b"\r\n", b"\r\nGET / HT"):
            visitor = Visitor(Render(waiting), proto="http")
            for byte in start:
                visitor.send(bytes((byte,)))
            self.assertEqual((visitor.take(), visitor.wire.ended), (b"", False), start)

    def test_second_request(self) -> None:
        """The same holds after a request."""
        visitor = Visitor(Render(lambda request: b"ok"))
        visitor.send(GET + b"\x16\x03")
        self.assertEqual(statuses(visitor.take()), [200, 400])
