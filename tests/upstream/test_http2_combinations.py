"""
Visitors and services of either version of HTTP, together: what one can say and the other can hear arrives.
"""

from __future__ import annotations

from typing import Any

from h2.settings import SettingCodes
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.websocket import accepted
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.upstream.http2_session import STREAM_WINDOW
from tests.edge.http2_visitor import POST, Visitor, get
from tests.edge.wire import Backend, Service
from tests.upstream.http2_wire import OK, HTTP2Service

WEBSOCKET = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/chat"),
    (b"sec-websocket-version", b"13"),
]


class CombinationTestCase(SynchronousTestCase):
    """A visitor of HTTP/2."""

    def start(self, service: Any) -> Visitor:
        self.clock = Clock()
        self.service = service
        self.visitor = Visitor(Forward(Backend(service), self.clock), clock=self.clock)
        return self.visitor


class OldServiceTests(CombinationTestCase):
    """A service of HTTP/1.1."""

    def setUp(self) -> None:
        self.start(Service())

    def test_head(self) -> None:
        """The request comes as HTTP/1.1 has it: one cookie, one host, and no pseudo-header."""
        self.visitor.ask(get("/p?q", (b"cookie", b"a=1"), (b"te", b"trailers"), (b"cookie", b"b=2"), (b"x-own", b"1")))
        self.assertEqual(
            self.service.connection.take(),
            b"GET /p?q HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nx-own: 1\r\ncookie: a=1; b=2\r\n"
            b"X-Forwarded-For: 192.168.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n"
            b"Connection: TE\r\n\r\n",
        )

    def test_trailers(self) -> None:
        """Trailers arrive in either direction."""
        answer = self.visitor.ask(POST, b"hi", end=False)
        self.visitor.client.send_headers(1, [(b"x-sum", b"1")], end_stream=True)
        self.visitor.run()
        self.assertTrue(self.service.connection.take().endswith(b"\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"))
        self.service.connection.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n"
        )
        self.visitor.run()
        self.assertEqual((answer.body, answer.heads[-1], answer.ended), (b"ok", {b"grpc-status": b"0"}, True))

    def test_empty_pieces(self) -> None:
        """An empty piece of a body is not the end of it."""
        self.visitor.ask(POST, b"a", end=False)
        self.visitor.client.send_data(1, b"")
        self.visitor.client.send_data(1, b"b", end_stream=True)
        self.visitor.run()
        self.assertTrue(self.service.connection.take().endswith(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"))

    def test_smuggling(self) -> None:
        """What would be another header, or another request, in HTTP/1.1 never gets there."""
        self.visitor.client.config.validate_outbound_headers = False
        self.visitor.client.config.normalize_outbound_headers = False
        for field in (
            (b"transfer-encoding", b"chunked"),
            (b"a: b\r\ntransfer-encoding", b"chunked"),
            (b"a", b"b\r\n\r\nGET /evil HTTP/1.1"),
            (b"a b", b"c"),
            (b"a:b", b"c"),
            (b"a", b"b\0c"),
            (b"connection", b"x-forwarded-for"),
            (b"X-Upper", b"1"),
            (b":authority", b"b.example"),
        ):
            answer = self.visitor.ask([*POST, field], b"5\r\n")
            self.assertIsNotNone(answer.reset, field)
        for path in (b"/ HTTP/1.1\r\nHost: b", b"/a b", b"", b"http://b.example/"):
            answer = self.visitor.ask([*POST[:3], (b":path", path)], b"x")
            self.assertTrue(answer.reset is not None or answer.status == 400, path)
        self.assertEqual(self.service.connections, [])

    def test_lying_length(self) -> None:
        """A body that is not as long as it said is never taken for the whole."""
        for told, body in ((b"5", b"hi"), (b"1", b"hi")):
            self.start(Service())
            answer = self.visitor.ask([*POST, (b"content-length", told)], body)
            self.assertIsNotNone(answer.reset)
            if self.service.connections:
                self.assertTrue(self.service.connection.wire.aborted)

    def test_websocket(self) -> None:
        """An extended CONNECT is an upgrade for the service."""
        answer = self.visitor.ask(WEBSOCKET, end=False)
        asked = self.service.connection.take()
        self.assertTrue(asked.startswith(b"GET /chat HTTP/1.1\r\n"))
        key = asked.partition(b"sec-websocket-key: ")[2].partition(b"\r\n")[0]
        proof = accepted(key)
        assert proof is not None
        self.service.connection.send(
            b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
            % proof
        )
        self.visitor.run()
        self.visitor.client.send_data(1, b"ping")
        self.visitor.run()
        self.assertEqual(self.service.connection.take(), b"ping")
        self.service.connection.send(b"pong")
        self.visitor.run()
        self.assertEqual((answer.status, answer.body), (200, b"pong"))


class NewServiceTests(CombinationTestCase):
    """A service of HTTP/2."""

    def setUp(self) -> None:
        self.start(HTTP2Service(settings={SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}))

    @property
    def peer(self) -> Any:
        """The newest connection to it."""
        return self.service.connection

    def test_trailers(self) -> None:
        """Trailers arrive in either direction, and so does the wish for them."""
        answer = self.visitor.ask([*POST, (b"te", b"trailers")], b"hi", end=False)
        self.visitor.client.send_headers(1, [(b"x-sum", b"1")], end_stream=True)
        self.visitor.run()
        self.assertIn((b"te", b"trailers"), list(map(tuple, self.peer.request().headers)))
        self.assertEqual((self.peer.body(), self.peer.trailers()), (b"hi", [(b"x-sum", b"1")]))
        self.peer.answer(body=b"ok", trailers=[(b"grpc-status", b"0")])
        self.visitor.run()
        self.assertEqual((answer.body, answer.heads[-1], answer.ended), (b"ok", {b"grpc-status": b"0"}, True))

    def test_trailers_only(self) -> None:
        """A response that is all trailers stays one."""
        answer = self.visitor.ask(POST, b"")
        self.peer.answer(fields=(*OK, (b"grpc-status", b"5")))
        self.visitor.run()
        self.assertEqual(answer.heads, [dict((*OK, (b"grpc-status", b"5")))])
        self.assertTrue(answer.ended)

    def test_informational(self) -> None:
        """Early hints arrive."""
        answer = self.visitor.ask(get())
        self.peer.read()
        self.peer.h2.send_headers(1, [(b":status", b"103"), (b"link", b"</a>")])
        self.peer.answer()
        self.visitor.run()
        self.assertEqual(answer.statuses, [103, 200])

    def test_cancellation(self) -> None:
        """A stream that the visitor breaks off is broken off at the service, and no other."""
        answer = self.visitor.ask(get())
        self.visitor.ask(get())
        self.visitor.client.reset_stream(3, 8)
        self.visitor.run()
        self.assertEqual(self.peer.resets(), [(3, 8)])
        self.peer.answer(1)
        self.visitor.run()
        self.assertEqual(answer.status, 200)

    def test_reset(self) -> None:
        """A stream that the service breaks off in the middle is broken off at the visitor, with a code that tells why."""
        for code, told in ((8, 8), (2, 2), (11, 11), (0, 2), (7, 2), (99, 2)):
            answer = self.visitor.ask(get())
            stream = self.peer.streams()[-1]
            self.peer.answer(stream, end=False)
            self.visitor.run()
            self.peer.reset_stream(stream, code)
            self.visitor.run()
            self.assertEqual((answer.status, answer.reset), (200, told), code)

    def test_refused(self) -> None:
        """A request that the service refuses is sent again, with the body that had come and the rest."""
        answer = self.visitor.ask(POST, b"he", end=False)
        self.peer.reset_stream(1, 7)
        self.visitor.client.send_data(1, b"llo", end_stream=True)
        self.visitor.run()
        self.assertEqual((self.peer.streams(), self.peer.body(), self.peer.ended()), ([1, 3], b"hehello", [3]))
        self.peer.answer(3)
        self.visitor.run()
        self.assertEqual(answer.status, 200)

    def test_slow_visitor(self) -> None:
        """A visitor who opens no window stops the service's stream, and no other of its own."""
        self.visitor.acknowledges = False
        slow = self.visitor.ask(get())
        quick = self.visitor.ask(get())
        self.peer.answer(1, end=False)
        self.visitor.run()
        while self.peer.h2.local_flow_control_window(1) > 0:
            self.peer.more(1, bytes(min(16384, self.peer.h2.local_flow_control_window(1))))
            self.peer.read()
            self.visitor.run()
        self.assertEqual(len(slow.body), 65535)
        self.visitor.client.increment_flow_control_window(1000)
        self.peer.answer(3, body=b"quick")
        self.visitor.run()
        self.assertEqual(quick.body, b"quick")
        self.visitor.client.increment_flow_control_window(2 * STREAM_WINDOW)
        self.visitor.client.increment_flow_control_window(2 * STREAM_WINDOW, 1)
        self.visitor.run()
        self.peer.read()
        self.assertGreater(self.peer.h2.local_flow_control_window(1), STREAM_WINDOW // 2)

    def test_slow_service(self) -> None:
        """A service that opens no window stops the visitor's stream, and no other."""
        self.visitor.ask(POST, b"", end=False)
        sent = 0
        while sent < 1 << 20 and (room := self.visitor.client.local_flow_control_window(1)):
            self.visitor.client.send_data(1, bytes(min(room, 16384)))
            self.visitor.run()
            sent += min(room, 16384)
        self.assertLess(sent, 300000)
        quick = self.visitor.ask(get())
        self.peer.answer(3, body=b"quick")
        self.visitor.run()
        self.assertEqual(quick.body, b"quick")
        self.peer.open_window(1 << 20)
        self.peer.open_window(1 << 20, 1)
        self.visitor.run()
        self.assertGreater(self.visitor.client.local_flow_control_window(1), 0)
        self.assertEqual(len(self.peer.body()), sent)

    def test_body_while_dialling(self) -> None:
        """A body that came while the service was dialled goes out, and the visitor may send more."""
        self.start(HTTP2Service(waits=True))
        self.visitor.ask(POST, bytes(16384), end=False)
        for _ in range(2):
            self.visitor.client.send_data(1, bytes(16384))
        self.visitor.client.send_data(1, bytes(16383))
        self.visitor.run()
        self.assertEqual(self.visitor.client.local_flow_control_window(1), 0)
        self.service.waiting.pop().callback(self.service.open(self.service.factories[0]))
        self.visitor.run()
        self.assertEqual(len(self.peer.body()), 65535)
        self.assertGreater(self.visitor.client.local_flow_control_window(1), 0)

    def test_websocket(self) -> None:
        """An extended CONNECT stays one."""
        answer = self.visitor.ask(WEBSOCKET, end=False)
        headers = list(map(tuple, self.peer.request().headers))
        self.assertIn((b":protocol", b"websocket"), headers)
        self.assertNotIn(b"sec-websocket-key", dict(headers))
        self.peer.answer(end=False)
        self.visitor.run()
        self.visitor.client.send_data(1, b"ping")
        self.visitor.run()
        self.assertEqual(self.peer.body(), b"ping")
        self.peer.more(1, b"pong", end=True)
        self.visitor.run()
        self.assertEqual((answer.status, answer.body, answer.ended), (200, b"pong", True))
        self.visitor.client.end_stream(1)
        self.visitor.run()
        self.assertEqual(self.peer.ended(), [1])
