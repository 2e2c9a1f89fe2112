"""
Tests for ``ngrok_twisted.upstream.http2_websocket``: WebSockets to services that speak HTTP/2.
"""

from __future__ import annotations

from typing import Any

from h2.settings import SettingCodes

from tests.edge.wire import statuses
from tests.upstream.http2_wire import OK, HTTP2Service
from tests.upstream.test_http2 import HTTP2TestCase

# The key and the answer of RFC 6455 section 1.3.
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACCEPTED = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
TAKES = {SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}


class WebSocketTests(HTTP2TestCase):
    """A visitor who upgrades, and a service that takes extended CONNECT."""

    def setUp(self) -> None:
        self.service = HTTP2Service(settings=TAKES)
        self.visitor = self.start(self.service)

    def ask(self) -> Any:
        self.visitor.send(UPGRADE)
        self.peer = self.service.connection
        return self.peer

    def open(self) -> None:
        self.ask().answer(fields=(*OK, (b"sec-websocket-protocol", b"chat")), end=False)
        self.opened = self.visitor.take()

    def test_asked(self) -> None:
        """The service is asked as RFC 8441 has it."""
        headers = list(map(tuple, self.ask().request().headers))
        self.assertEqual(
            headers[:5],
            [
                (b":method", b"CONNECT"),
                (b":scheme", b"http"),
                (b":path", b"/chat"),
                (b":authority", b"a.example"),
                (b":protocol", b"websocket"),
            ],
        )
        self.assertIn((b"sec-websocket-version", b"13"), headers)
        self.assertEqual(self.peer.ended(), [])

    def test_opened(self) -> None:
        """The visitor gets its 101, with the proof for its own key."""
        self.open()
        self.assertEqual(statuses(self.opened), [101])
        self.assertIn(b"\r\n" + ACCEPTED + b"\r\n", self.opened)
        self.assertIn(b"\r\nsec-websocket-protocol: chat\r\n", self.opened)
        self.assertIn(b"\r\nUpgrade: websocket\r\n", self.opened)

    def test_both_ways(self) -> None:
        """Bytes go both ways, as they are."""
        self.open()
        self.visitor.send(b"ping")
        self.assertEqual(self.peer.body(), b"ping")
        self.peer.more(1, b"pong")
        self.assertEqual(self.visitor.take(), b"pong")
        self.assertEqual((self.visitor.request.flow.bytes_in, self.visitor.request.flow.bytes_out), (4, 4))

    def test_early_bytes(self) -> None:
        """What comes with the head arrives behind it."""
        peer = self.ask()
        peer.read()
        peer.h2.send_headers(1, OK)
        peer.h2.send_data(1, b"first")
        peer.flush()
        self.assertTrue(self.visitor.take().endswith(b"\r\n\r\nfirst"))

    def test_refused(self) -> None:
        """A service that says no says it to the visitor."""
        self.ask().answer(fields=[(b":status", b"403")], body=b"no")
        answer = self.visitor.take()
        self.assertEqual((statuses(answer), answer[-2:]), ([403], b"no"))
        self.assertEqual(self.peer.resets(), [(1, 0)])
        self.assertFalse(self.visitor.wire.ended)

    def test_not_taken(self) -> None:
        """If the service does not take WebSockets over HTTP/2, the visitor is told so, and the service is not asked."""
        self.service.settings = {}
        self.ask()
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [502])
        self.assertIn(b"takes no WebSocket", answer)
        self.assertEqual(self.peer.streams(), [])

    def test_settings_come_later(self) -> None:
        """Whether it does is known when the service has told its settings."""
        self.service.settled = False
        self.ask()
        self.assertEqual(len(self.peer.wire.writes), 1)
        self.peer.settle()
        self.assertEqual(self.peer.streams(), [1])
        self.visitor = self.start(self.service)
        self.ask()
        self.visitor.leave()
        self.peer.settle()
        self.assertEqual(self.peer.streams(), [])

    def test_settings_never_come(self) -> None:
        """A service that never tells is given up."""
        self.service.settled = False
        self.ask()
        for _ in range(15):
            self.clock.advance(1)
        self.assertEqual(statuses(self.visitor.take()), [504])

    def test_visitor_ends(self) -> None:
        """When the visitor ends its sending, the stream's half ends, and the rest may follow."""
        self.open()
        self.visitor.end_input()
        self.assertEqual(self.peer.ended(), [1])
        self.peer.more(1, b"bye", end=True)
        self.assertEqual(self.visitor.take(), b"bye")
        self.assertTrue(self.visitor.wire.disconnecting)
        self.visitor.leave()
        self.assertEqual(len(self.visitor.flows), 1)
        self.assertEqual(self.peer.resets(), [])

    def test_service_ends(self) -> None:
        """When the service ends its sending, the visitor may still send."""
        self.open()
        self.peer.more(1, b"bye", end=True)
        self.assertEqual(self.visitor.take(), b"bye")
        self.assertTrue(self.visitor.wire.half_closed)
        self.visitor.send(b"more")
        self.assertEqual(self.peer.body(), b"more")
        self.visitor.end_input()
        self.assertEqual(self.peer.ended(), [1])
        self.assertEqual(self.peer.protocol.streams, {})

    def test_visitor_leaves(self) -> None:
        """When the visitor is gone, the stream ends."""
        self.open()
        self.visitor.leave()
        self.assertEqual(self.peer.ended(), [1])
        self.peer.more(1, b"for nobody", end=True)
        self.assertEqual(self.peer.protocol.streams, {})
        self.assertEqual(len(self.visitor.flows), 1)

    def test_reset(self) -> None:
        """When the service breaks the stream, the visitor's connection ends."""
        self.open()
        self.peer.reset_stream(1, 8)
        self.assertTrue(self.visitor.wire.disconnecting)
        self.assertEqual(len(self.visitor.flows), 1)

    def test_connection_lost(self) -> None:
        """So it does when the connection to the service breaks."""
        self.open()
        self.peer.reset()
        self.assertTrue(self.visitor.wire.disconnecting)

    def test_idle(self) -> None:
        """When nothing moves for long, both ends close; who does not go then is cut off."""
        self.visitor = self.start(self.service, idle_timeout=60)
        self.open()
        for _ in range(63):
            self.clock.advance(1)
            self.peer.frame(6, 0, 0, bytes(8))
        self.assertTrue(self.visitor.wire.disconnecting)
        self.assertEqual(self.peer.ended(), [1])
        for _ in range(63):
            self.clock.advance(1)
            self.peer.frame(6, 0, 0, bytes(8))
        self.assertEqual(self.peer.resets(), [(1, 8)])

    def test_slow_service(self) -> None:
        """A service that opens no window makes the visitor wait."""
        self.open()
        self.visitor.send(bytes(65535))
        self.assertFalse(self.visitor.wire.paused)
        self.visitor.send(b"x")
        self.assertTrue(self.visitor.wire.paused)
        self.peer.open_window(100)
        self.peer.open_window(100, 1)
        self.assertFalse(self.visitor.wire.paused)
        self.assertEqual(len(self.peer.body()), 65536)

    def test_slow_visitor(self) -> None:
        """A visitor who does not read makes the service wait."""
        self.open()
        self.visitor.wire.producer.pauseProducing()
        sent = 0
        while self.peer.h2.local_flow_control_window(1):
            size = min(16384, self.peer.h2.local_flow_control_window(1))
            self.peer.more(1, bytes(size))
            self.peer.read()
            sent += size
            self.assertLess(sent, 3 << 20)
        self.visitor.wire.producer.resumeProducing()
        self.peer.read()
        self.assertGreater(self.peer.h2.local_flow_control_window(1), 0)

    def test_other_upgrades(self) -> None:
        """Any other upgrade cannot be asked for, so that the service answers as to any request."""
        self.visitor.send(UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: other"))
        peer = self.service.connection
        self.assertIn((b":method", b"GET"), list(map(tuple, peer.request().headers)))
        peer.answer(body=b"plain")
        self.assertEqual(statuses(self.visitor.take()), [200])
