"""
Tests for ``ngrok_twisted.edge.http2_stream``: one request and its response.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.channel import IRequestChannel
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.errors import EndpointOffline, UpstreamInvalid
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, POST, Bare, Visitor, get
from tests.edge.wire import Render


def waiting(request: Any) -> int:
    return NOT_DONE_YET


def head(status: int = 200, length: int | None = None, *fields: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(status, b"Whatever", list(fields), length)


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
        self.ends.append(reason.value)


class RequestTests(SynchronousTestCase):
    """What those who answer see."""

    def test_same_request(self) -> None:
        """A request is the same as in HTTP/1.1 but for its version."""
        visitor = Visitor(Render(lambda request: b"ok"))
        visitor.ask(get("/x?y", (b"accept", b"text/html"), host="A.example:8443"))
        request, flow = visitor.request, visitor.flows[0]
        self.assertEqual((request.method, request.uri, request.clientproto), (b"GET", b"/x?y", b"HTTP/2.0"))
        self.assertEqual(request.flow.version, b"HTTP/2.0")
        self.assertEqual((request.authority, request.getHeader(b"host")), (b"A.example:8443", b"A.example:8443"))
        self.assertEqual((request.body_length, request.getHeader(b"Accept")), (0, b"text/html"))
        self.assertEqual((flow.host, flow.proto, flow.method, flow.target), ("a.example", "https", b"GET", b"/x?y"))
        self.assertEqual((flow.status, flow.bytes_out, flow.peer_host), (200, 2, "192.168.1.1"))

    def test_channel(self) -> None:
        """A stream is a whole channel, and tells what its connection knows."""
        visitor = Visitor(Render(waiting))
        visitor.clock.advance(5)
        visitor.ask(GET)
        channel = visitor.request.channel
        verifyObject(IRequestChannel, channel)
        self.assertIs(channel.clock(), visitor.clock)
        self.assertEqual((channel.opened(), channel.is_secure(), channel.server_name()), (0, True, ""))
        self.assertEqual(channel.get_peer(), visitor.wire.getPeer())
        self.assertEqual(channel.get_host(), visitor.wire.getHost())
        self.assertIsNone(channel.get_peer_certificate())

    def test_many_at_once(self) -> None:
        """Requests are answered in any order, each on its own stream."""
        visitor = Visitor(Render(waiting))
        answers = [visitor.ask(get(f"/{number}")) for number in range(50)]
        for request in reversed(visitor.site.requests):
            request.respond(head(), [request.uri], last=True)
        visitor.run()
        self.assertEqual([answer.body for answer in answers], [b"/%d" % number for number in range(50)])
        self.assertTrue(all(answer.ended for answer in answers))

    def test_error(self) -> None:
        """Whatever a resource raises becomes the answer; other requests do not notice."""

        def render(request: Any) -> Any:
            if request.uri == b"/gone":
                raise EndpointOffline.named("a.example")
            return b"ok"

        visitor = Visitor(Render(render))
        gone, there = visitor.ask(get("/gone")), visitor.ask(get("/"))
        self.assertEqual((gone.status, gone.heads[0][b"ngrok-error-code"]), (404, b"ERR_NGROK_3200"))
        self.assertEqual((there.status, there.body), (200, b"ok"))

    def test_nobody(self) -> None:
        """Where nobody is asked at all, the visitor is told."""
        visitor = Visitor(Render(waiting))

        def nobody(request: Any) -> Any:
            raise EndpointOffline.named("a.example")

        visitor.site.resource = nobody
        self.assertEqual(visitor.ask(GET).status, 404)


class ResponseTests(SynchronousTestCase):
    """What the visitor gets."""

    def visit(self, render: Any, fields: Any = GET, **options: Any) -> Any:
        self.visitor = Visitor(Render(render), **options)
        return self.visitor.ask(fields)

    def test_one_write(self) -> None:
        """A short response leaves in one write, its end included."""
        visitor = Bare(Render(lambda request: b"ok"))
        visitor.wire.writes.clear()
        visitor.send(visitor.headers(1, GET))
        self.assertEqual(len(visitor.wire.writes), 1)
        (_, head_flags, _, _), (_, data_flags, _, data) = visitor.frames()
        self.assertEqual((head_flags, data_flags, data), (h2.END_HEADERS, h2.END_STREAM, b"ok"))

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 end with their head, whatever length that tells."""

        def render(request: Any) -> Any:
            request.respond(head(int(request.uri[1:]), 7))
            request.write(b"ignored")
            request.finish()
            return NOT_DONE_YET

        for status, method, length in ((200, b"HEAD", b"7"), (204, b"GET", None), (304, b"GET", b"7")):
            visitor = Bare(Render(render))
            visitor.send(visitor.headers(1, [(b":method", method), *get(f"/{status}")[1:]]))
            frames = visitor.frames()
            self.assertEqual([frame[:2] for frame in frames], [(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM)])
        for status, method, length in ((200, b"HEAD", b"7"), (204, b"GET", None), (304, b"GET", b"7")):
            answer = self.visit(render, [(b":method", method), *get(f"/{status}")[1:]])
            self.assertEqual((answer.status, answer.heads[0].get(b"content-length")), (status, length))
            self.assertTrue(answer.ended)

    def test_pieces(self) -> None:
        """A body of unknown length comes as it is written, each piece at once."""
        answer = self.visit(waiting)
        request = self.visitor.request
        request.respond(head())
        for piece in (b"one", b"two", b"three"):
            request.write(piece)
            self.visitor.run()
            self.assertTrue(answer.body.endswith(piece))
        self.assertNotIn(b"content-length", answer.heads[0])
        self.assertFalse(answer.ended)
        request.finish()
        self.visitor.run()
        self.assertTrue(answer.ended)

    def test_trailers(self) -> None:
        """Trailers follow the body and end the stream; so they do behind a head alone."""
        answer = self.visit(waiting)
        self.visitor.request.respond(head(), [b"x"])
        self.visitor.request.finish([(b"Grpc-Status", b"0"), (b"Content-Length", b"1")])
        self.visitor.run()
        self.assertEqual((answer.body, answer.heads[1], answer.ended), (b"x", {b"grpc-status": b"0"}, True))
        answer = self.visitor.ask(GET)
        self.visitor.request.respond(head(), (), last=True, trailers=[(b"grpc-status", b"5")])
        self.visitor.run()
        self.assertEqual((answer.heads[1], answer.ended), ({b"grpc-status": b"5"}, True))

    def test_informational(self) -> None:
        """Informational responses come before the real one."""
        answer = self.visit(waiting)
        self.visitor.request.inform(103, b"Early Hints", [(b"Link", b"</a>")])
        self.visitor.request.respond(head(), [b"x"], last=True)
        self.visitor.run()
        self.assertEqual((answer.statuses, answer.heads[0][b"link"]), ([103, 200], b"</a>"))

    def test_continue(self) -> None:
        """Whoever waits for 100 gets it when somebody wants the body."""
        self.visitor = Visitor(Render(waiting))
        answer = self.visitor.ask([*POST, (b"expect", b"100-continue")], end=False)
        self.assertEqual(answer.heads, [])
        self.visitor.request.inform(100, b"Continue", [])
        self.visitor.run()
        self.assertEqual(answer.statuses, [100])

    def test_wrong_length(self) -> None:
        """A body that is shorter or longer than was said is never taken for a whole one."""
        for pieces in ((b"123",), (b"123", b"456")):
            answer = self.visit(waiting)
            request = self.visitor.request
            request.respond(head(200, 5))
            for piece in pieces:
                request.write(piece)
            if not request.gone:
                request.finish()
            self.visitor.run()
            self.assertEqual((answer.ended, answer.reset), (False, h2.INTERNAL_ERROR))
            self.assertEqual(self.visitor.connection.streams, {})

    def test_wrong_length_at_once(self) -> None:
        """Nor is one that is wrong from the start."""
        for body in ([b"123"], [b"123456"], []):
            answer = self.visit(waiting)
            self.visitor.request.respond(head(200, 5), body, last=True)
            self.visitor.run()
            self.assertEqual((answer.ended, answer.reset), (False, h2.INTERNAL_ERROR))

    def test_broken_off(self) -> None:
        """What fails in the middle is reset; with the code of the service's own reset if there was one."""
        for code, expected in ((None, h2.INTERNAL_ERROR), (h2.CANCEL, h2.CANCEL)):
            answer = self.visit(waiting)
            self.visitor.request.respond(head(), [b"half"])
            error = UpstreamInvalid()
            error.reset_code = code
            self.visitor.request.fail(error)
            self.visitor.run()
            self.assertEqual((answer.body, answer.ended, answer.reset), (b"half", False, expected))
            self.assertTrue(self.visitor.request.gone)
            self.assertEqual(len(self.visitor.flows), 1)

    def test_bad_field(self) -> None:
        """A response whose head cannot be said is none."""

        def render(request: Any) -> Any:
            request.respond(head(200, None, (b"a", b"b\r\nc: d")), [b"x"], last=True)
            return NOT_DONE_YET

        answer = self.visit(render)
        self.assertEqual((answer.heads, answer.reset), ([], h2.INTERNAL_ERROR))
        self.flushLoggedErrors()

    def test_long_head(self) -> None:
        """A head of more than one frame goes on in others."""
        answer = self.visit(lambda request: request.respond(head(200, None, (b"a", b"b" * 40_000)), last=True) or 1)
        self.assertEqual((len(answer.heads[0][b"a"]), answer.ended), (40_000, True))


class EndTests(SynchronousTestCase):
    """How streams end early."""

    def test_visitor_resets(self) -> None:
        """A visitor that cancels is gone for whoever answers; the flow ends, and late writes go nowhere."""
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(GET)
        stopped: list[str] = []
        visitor.request.registerProducer(_Producer(stopped), True)
        visitor.client.reset_stream(1, h2.CANCEL)
        visitor.run()
        self.assertEqual((visitor.request.gone, stopped, len(visitor.flows)), (True, ["stopped"], 1))
        visitor.request.write(b"late")
        visitor.run()
        self.assertEqual((answer.heads, visitor.connection.streams), ([], {}))
        self.assertEqual(visitor.clock.getDelayedCalls()[1:], [])

    def test_visitor_leaves(self) -> None:
        """When the connection goes, everyone on it does, and no timer stays."""
        visitor = Visitor(Render(waiting))
        for body in (None, b"half"):
            visitor.ask(POST if body else GET, body, end=body is None)
        receiver = Body()
        visitor.request.deliver_body(receiver)
        visitor.leave()
        self.assertTrue(all(request.gone for request in visitor.site.requests))
        self.assertEqual((len(receiver.ends), len(visitor.flows)), (1, 2))
        self.assertEqual(visitor.clock.getDelayedCalls(), [])

    def test_answered_early(self) -> None:
        """
        A response before the body's end ends the stream without a reset if the rest comes soon, so that nobody takes it for
        broken; and with one that says that all is well if it does not.
        """
        visitor = Visitor(Render(lambda request: b"ok"))
        answer = visitor.ask(POST, b"half", end=False)
        self.assertEqual((answer.status, answer.ended, answer.reset), (200, True, None))
        visitor.client.send_data(1, b"half", end_stream=True)
        visitor.run()
        self.assertEqual((visitor.connection.streams, answer.reset), ({}, None))
        answer = visitor.ask(POST, b"half", end=False)
        visitor.clock.pump([1] * 6)
        visitor.run()
        self.assertEqual((visitor.connection.streams, answer.reset), ({}, h2.NO_ERROR))

    def test_body_without_interest(self) -> None:
        """What comes behind an early answer takes no memory, and the window does not open for more."""
        visitor = Bare(Render(lambda request: b"ok"))
        visitor.send(visitor.headers(1, POST, end=False))
        stream = visitor.connection.streams[1]
        visitor.send(*[visitor.data(1, bytes(16_000))] * 4)
        self.assertIsNone(stream._pieces)
        self.assertNotIn(h2.WINDOW_UPDATE, visitor.kinds())

    def test_no_response_in_time(self) -> None:
        """Whoever answers has a timeout of its own; the stream waits, and the visitor is asked whether it is still there."""
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(GET)
        for _ in range(20):
            visitor.clock.pump([1] * 100)
            visitor.run()
        self.assertEqual((answer.reset, visitor.request.gone), (None, False))

    def test_stalled_body(self) -> None:
        """A body that stops for five minutes is answered 408."""
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(POST, b"half", end=False)
        receiver = Body()
        visitor.request.deliver_body(receiver)
        for _ in range(4):
            visitor.clock.pump([1] * 200)
            visitor.client.send_data(1, b"x")
            visitor.run()
        self.assertEqual(answer.heads, [])
        for _ in range(310):
            visitor.clock.advance(1)
            visitor.run()
        self.assertEqual((answer.status, len(receiver.ends)), (408, 1))

    def test_stalled_body_behind_an_answer(self) -> None:
        """If the answer has begun, the stream is cancelled."""
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(POST, b"half", end=False)
        receiver = Body()
        visitor.request.deliver_body(receiver)
        visitor.request.respond(head(), [b"x"])
        for _ in range(310):
            visitor.clock.advance(1)
            visitor.run()
        self.assertEqual((answer.reset, len(receiver.ends)), (h2.CANCEL, 1))
        self.assertTrue(visitor.request.gone)

    def test_hang_up(self) -> None:
        """Who hangs up ends the connection, and every stream on it."""
        visitor = Visitor(Render(waiting))
        visitor.ask(GET)
        visitor.ask(GET)
        visitor.site.requests[0].hang_up()
        self.assertTrue(visitor.wire.aborted)
        visitor.leave()
        self.assertTrue(all(request.gone for request in visitor.site.requests))

    def test_lost_once(self) -> None:
        """A stream is lost once, however often that is said."""
        visitor = Visitor(Render(waiting))
        visitor.ask(GET)
        stream = visitor.connection.streams[1]
        stream.lost(Failure(ConnectionDone()))
        stream.lost(Failure(ConnectionDone()))
        stream.reset(h2.CANCEL)
        self.assertEqual(len(visitor.flows), 1)

    def test_limits(self) -> None:
        """The stream knows the limits of its site."""
        limits = HTTPLimits(idle=7)
        visitor = Visitor(Render(waiting), limits)
        visitor.ask(GET)
        self.assertIs(visitor.request.channel.site.limits, limits)


class _Producer:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def stopProducing(self) -> None:
        self._said.append("stopped")

    def pauseProducing(self) -> None:
        self._said.append("paused")

    def resumeProducing(self) -> None:
        self._said.append("resumed")
