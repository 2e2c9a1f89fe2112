"""
Tests for ``ngrok_twisted.edge.grpc``: the edge's own errors for gRPC.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted import errors
from ngrok_twisted.collect import BodyTooLarge
from ngrok_twisted.edge.grpc import dialect_of, status_of
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import Filtered, ResponseHead
from tests.edge.http2_visitor import POST, Visitor
from tests.edge.wire import Render
from tests.edge.wire import Visitor as OldVisitor


class StatusTests(SynchronousTestCase):
    """Which status says what."""

    def test_statuses(self) -> None:
        """An error has the status of gRPC that says most of it; what may be over soon may be tried again."""
        for error, status in (
            (errors.EndpointOffline.named("a.example"), 14),
            (errors.NobodyServes(), 14),
            (errors.TunnelLost(), 14),
            (errors.UpstreamUnreachable(), 14),
            (errors.UpstreamInvalid(), 14),
            (errors.UpstreamTimeout(), 4),
            (errors.RequestTimeout(), 4),
            (errors.Overloaded(), 14),
            (errors.HeaderTooLarge(), 8),
            (BodyTooLarge(), 8),
            (errors.BadRequest(), 13),
            (errors.Misdirected(), 14),
            (errors.EdgeError(status=500), 13),
            (errors.EdgeError(status=401), 16),
            (errors.EdgeError(status=403), 7),
            (errors.EdgeError(status=429), 8),
            (errors.EdgeError(status=404), 12),
            (errors.EdgeError(status=418), 2),
        ):
            self.assertEqual(status_of(error), status, repr(error))

    def test_resets(self) -> None:
        """Where the service has broken a call off before its answer, its own code says more."""
        for code, status in ((h2.INTERNAL_ERROR, 13), (h2.CANCEL, 1), (h2.ENHANCE_YOUR_CALM, 8), (None, 14)):
            error = errors.UpstreamInvalid()
            error.reset_code = code
            self.assertEqual(status_of(error), status, code)

    def test_dialects(self) -> None:
        """gRPC is told from its kin, whatever its messages are made of."""
        for media, dialect in (
            (b"application/grpc", b"application/grpc"),
            (b"application/grpc+proto", b"application/grpc"),
            (b"Application/GRPC+json; charset=utf-8", b"application/grpc"),
            (b"application/grpc-web", b"application/grpc-web"),
            (b"application/grpc-web+proto", b"application/grpc-web"),
            (b"application/grpc-web-text+proto", b"application/grpc-web-text"),
            (b"application/grpcx", b""),
            (b"application/json", b""),
            (b"", b""),
        ):
            self.assertEqual(dialect_of(media), dialect, media)


class AnswerTests(SynchronousTestCase):
    """What the visitor gets."""

    def fail_with(self, error: errors.EdgeError, content_type: bytes, around: Any = lambda inner: inner) -> Any:
        def render(request: Any) -> Any:
            raise error

        self.visitor = Visitor(around(Render(render)))
        return self.visitor.ask([*POST, (b"content-type", content_type), (b"te", b"trailers")], b"body")

    def test_grpc(self) -> None:
        """A call ends with a status, in a head that is all there is."""
        answer = self.fail_with(errors.EndpointOffline.named("a.example"), b"application/grpc+proto")
        (head,) = answer.heads
        self.assertEqual((head[b":status"], head[b"content-type"]), (b"200", b"application/grpc+proto"))
        self.assertEqual((head[b"grpc-status"], head[b"ngrok-error-code"]), (b"14", b"ERR_NGROK_3200"))
        self.assertEqual(unquote(head[b"grpc-message"].decode()), "The endpoint a.example is offline. (ERR_NGROK_3200)")
        self.assertEqual((answer.body, answer.pieces, answer.ended), (b"", [], True))

    def test_message(self) -> None:
        """A message is printable ASCII on the wire, whatever the sentence is."""
        answer = self.fail_with(errors.EdgeError("100 % für\r\nalle"), b"application/grpc")
        message = answer.heads[0][b"grpc-message"]
        self.assertIn(b"100 %25 f%C3%BCr%0D%0Aalle", message)

    def test_web(self) -> None:
        """gRPC-Web has the status in the last message of the body."""
        answer = self.fail_with(errors.UpstreamTimeout(), b"application/grpc-web+proto")
        head = answer.heads[0]
        self.assertEqual((answer.status, head[b"content-type"]), (200, b"application/grpc-web+proto"))
        self.assertEqual((answer.body[:1], int.from_bytes(answer.body[1:5], "big")), (b"\x80", len(answer.body) - 5))
        self.assertTrue(answer.body[5:].startswith(b"grpc-status:4\r\ngrpc-message:The"))
        self.assertEqual(head[b"content-length"], b"%d" % len(answer.body))
        self.assertNotIn(b"grpc-status", head)

    def test_web_text(self) -> None:
        """As text it is in Base64."""
        answer = self.fail_with(errors.UpstreamTimeout(), b"application/grpc-web-text")
        self.assertTrue(b64decode(answer.body)[5:].startswith(b"grpc-status:4\r\n"))

    def test_others(self) -> None:
        """Everybody else gets a page."""
        answer = self.fail_with(errors.EndpointOffline(), b"application/json")
        self.assertEqual((answer.status, b"grpc-status" in answer.heads[0]), (404, False))

    def test_old_version(self) -> None:
        """It is the same over HTTP/1.1, where gRPC-Web is common."""

        def render(request: Any) -> Any:
            raise errors.TunnelLost()

        visitor = OldVisitor(Render(render))
        visitor.send(
            b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/grpc-web\r\nContent-Length: 0\r\n\r\n"
        )
        answer = visitor.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"grpc-status:14", answer)

    def test_modules(self) -> None:
        """Modules around see the error as it was, and what they say of a page's body is not said of a call's end."""
        seen: list[int] = []

        class Notes:
            passive = False

            def begin(self, head: Any) -> None:
                seen.append(head.status)
                head.headers.append((b"Content-Encoding", b"gzip"))
                head.headers.append((b"X-Module", b"1"))
                head.length = None

            def feed(self, data: bytes) -> bytes:
                return data

            def finish(self) -> bytes:
                return b"!"

        answer = self.fail_with(
            errors.NobodyServes(), b"application/grpc", lambda inner: Filtered(inner, lambda request: Notes())
        )
        self.assertEqual((seen, answer.status, answer.body), ([502], 200, b""))
        self.assertEqual((answer.heads[0][b"x-module"], b"content-encoding" in answer.heads[0]), (b"1", False))
        (flow,) = self.visitor.flows
        self.assertEqual((flow.status, flow.error.status), (200, 502))


class MiddleTests(SynchronousTestCase):
    """A response has begun, and cannot go on."""

    def break_with(
        self, error: errors.EdgeError, content_type: bytes = b"application/grpc", length: int | None = None
    ) -> Any:
        def render(request: Any) -> int:
            head = ResponseHead(200, b"OK", [(b"Content-Type", content_type)], length)
            request.respond(head, [b"message"])
            request.fail(error)
            return NOT_DONE_YET

        self.visitor = Visitor(Render(render))
        return self.visitor.ask([*POST, (b"content-type", content_type), (b"te", b"trailers")], b"body")

    def test_status(self) -> None:
        """The call ends with what it got, and with a status behind it that says why there is no more."""
        answer = self.break_with(errors.TunnelLost())
        head, trailers = answer.heads
        self.assertEqual((head[b":status"], answer.body, answer.ended, answer.reset), (b"200", b"message", True, None))
        self.assertEqual(trailers[b"grpc-status"], b"14")
        self.assertIn("(ERR_NGROK_3209)", unquote(trailers[b"grpc-message"].decode()))
        (flow,) = self.visitor.flows
        self.assertEqual((flow.status, flow.error.code), (200, 3209))

    def test_service_said(self) -> None:
        """Where the service has broken the stream off itself, its own code is passed on."""
        error = errors.UpstreamInvalid()
        error.reset_code = h2.CANCEL
        answer = self.break_with(error)
        self.assertEqual((answer.ended, answer.reset, len(answer.heads)), (False, h2.CANCEL, 1))

    def test_others(self) -> None:
        """Nobody else could know that it is not the whole: they are broken off."""
        for content_type, length in (
            (b"application/json", None),
            (b"application/grpc-web", None),
            (b"application/grpc", 1000),
        ):
            answer = self.break_with(errors.TunnelLost(), content_type, length)
            self.assertEqual((answer.ended, answer.reset), (False, h2.INTERNAL_ERROR), content_type)

    def test_old_version(self) -> None:
        """A visitor of HTTP/1.1 is not told in trailers, which it may not look at."""

        def render(request: Any) -> int:
            request.respond(ResponseHead(200, b"OK", [], None), [b"message"])
            request.fail(errors.TunnelLost())
            return NOT_DONE_YET

        visitor = OldVisitor(Render(render))
        visitor.send(
            b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertTrue(visitor.take().endswith(b"7\r\nmessage\r\n"))
