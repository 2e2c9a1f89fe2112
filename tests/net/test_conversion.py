"""
Tests for `ngrok_twisted.net.conversion`: a visitor's connection at one end, a service's at the other, no sockets between.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.modules.websocket_tcp_converter import WebSocketTCPConverter, WebSocketTCPConverterConfig
from ngrok_twisted.net import websocket as ws
from ngrok_twisted.net.conversion import CLOSE_TIMEOUT, EARLY_BYTES
from tests.edge.wire import Connection, Service
from tests.modules.requests import Route
from tests.net.test_websocket import frame

HELLO = (
    b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
IDLE = 300


def sent(opcode: int, payload: bytes = b"") -> bytes:
    """A frame as the edge sends it."""
    return ws.frame_head(opcode, len(payload)) + payload


def closing(code: int) -> bytes:
    """A Close frame as the edge sends it."""
    return sent(ws.CLOSE, ws.close_payload(code))


class ConversionCase(SynchronousTestCase):
    """A visitor whose WebSocket is open."""

    service: Connection

    def setUp(self) -> None:
        self.open()

    def open(self, after: bytes = b"", **options: Any) -> None:
        """
        :param after: what the visitor sends with its request.
        """
        service = Service(**options)
        self.route = Route(WebSocketTCPConverter, WebSocketTCPConverterConfig(), service, idle_timeout=IDLE)
        self.visitor = self.route.visitor()
        self.visitor.send(HELLO + after)
        if service.connections:
            self.service = service.connection
            self.assertTrue(self.visitor.take().startswith(b"HTTP/1.1 101 "))

    def wait(self, seconds: float) -> None:
        self.route.clock.pump([1] * int(seconds + 3))  # idle watches may be three seconds late

    def gone(self, reason: type[Exception] = ConnectionDone) -> None:
        """The visitor's connection ends."""
        self.visitor.channel.connectionLost(Failure(reason()))

    def assert_over(self) -> None:
        """The flow has ended, once, and no timer is left."""
        self.assertEqual(len(self.visitor.flows), 1)
        self.assertEqual(self.route.clock.getDelayedCalls(), [])


class BytesTests(ConversionCase):
    """What each side gets."""

    def test_to_service(self) -> None:
        """The service gets the bytes of text and binary frames, in one write a read, and nothing of HTTP."""
        self.visitor.send(
            frame(ws.BINARY, b"\0one") + frame(ws.TEXT, b"two", fin=False) + frame(ws.CONTINUATION, b"three")
        )
        self.assertEqual(self.service.wire.writes, [b"\0onetwothree"])

    def test_with_the_request(self) -> None:
        """What a visitor sends before it has the answer is not lost."""
        self.visitor = self.route.visitor()
        self.visitor.send(HELLO + frame(ws.BINARY, b"early"))
        self.assertEqual(self.route.service.connection.take(), b"early")

    def test_to_visitor(self) -> None:
        """The visitor gets a binary frame for what the service sends at once."""
        self.service.send(b"one")
        self.service.send(b"x" * 70_000)
        self.assertEqual(self.visitor.take(), sent(ws.BINARY, b"one") + sent(ws.BINARY, b"x" * 70_000))
        self.service.protocol.batchReceived([b"a", memoryview(b"b"), b"c"])
        self.assertEqual(self.visitor.take(), sent(ws.BINARY, b"abc"))

    def test_ping(self) -> None:
        """A ping is answered by the edge; a pong is for nobody."""
        self.visitor.send(frame(ws.PING, b"still there?") + frame(ws.PONG, b"x"))
        self.assertEqual(self.visitor.take(), sent(ws.PONG, b"still there?"))
        self.assertEqual(self.service.take(), b"")

    def test_service_speaks_first(self) -> None:
        """What the service says as soon as it is reached waits for the visitor to be told."""
        self.open(waits=True)
        protocol = self.route.service.factories[-1].buildProtocol(None)
        connection = Connection(protocol)
        connection.send(b"220 ready\r\n")
        self.assertEqual(self.visitor.take(), b"")
        self.route.service.waiting[-1].callback(protocol)
        said = self.visitor.take()
        self.assertTrue(said.startswith(b"HTTP/1.1 101 "))
        self.assertTrue(said.endswith(b"\r\n\r\n" + sent(ws.BINARY, b"220 ready\r\n")))

    def test_service_speaks_much_first(self) -> None:
        """It has to wait when that is much, and goes on afterwards."""
        self.open(waits=True)
        protocol = self.route.service.factories[-1].buildProtocol(None)
        connection = Connection(protocol)
        connection.send(b"x" * EARLY_BYTES)
        self.assertTrue(connection.wire.paused)
        self.route.service.waiting[-1].callback(protocol)
        self.assertFalse(connection.wire.paused)
        self.assertTrue(self.visitor.take().endswith(sent(ws.BINARY, b"x" * EARLY_BYTES)))

    def test_counts(self) -> None:
        """The flow counts the bytes of the connection, and ends with it."""
        self.visitor.send(frame(ws.BINARY, b"four"))
        self.service.send(b"seven..")
        self.gone()
        (flow,) = self.visitor.flows
        self.assertEqual((flow.status, flow.bytes_in, flow.bytes_out), (101, 10, 9))

    @given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=200)), max_size=8), st.integers(1, 64))
    def test_any_cut(self, said: list[tuple[bool, bytes]], size: int) -> None:
        """Whoever says what in whichever pieces, the other gets exactly that."""
        self.open()
        for by_visitor, data in said:
            stream = frame(ws.BINARY, data) if by_visitor else data
            send = self.visitor.send if by_visitor else self.service.send
            for start in range(0, len(stream), size):
                send(stream[start : start + size])
        self.assertEqual(self.service.take(), b"".join(data for by_visitor, data in said if by_visitor))
        frames = [data[start : start + size] for by, data in said if not by for start in range(0, len(data), size)]
        self.assertEqual(self.visitor.take(), b"".join(sent(ws.BINARY, data) for data in frames))


class PressureTests(ConversionCase):
    """Who is slow slows down the other side."""

    def test_slow_service(self) -> None:
        """A full service pauses the visitor, until it takes bytes again."""
        self.service.wire.producer.pauseProducing()
        self.assertTrue(self.visitor.wire.paused)
        self.service.wire.producer.resumeProducing()
        self.assertFalse(self.visitor.wire.paused)

    def test_slow_visitor(self) -> None:
        """A full visitor pauses the service, until it takes bytes again."""
        self.visitor.wire.producer.pauseProducing()
        self.assertTrue(self.service.wire.paused)
        self.visitor.wire.producer.resumeProducing()
        self.assertFalse(self.service.wire.paused)

    def test_pings_without_reading(self) -> None:
        """Who pings on and on without reading is owed one pong, the last."""
        self.visitor.wire.producer.pauseProducing()
        for number in range(1000):
            self.visitor.send(frame(ws.PING, b"%d" % number))
        self.assertEqual(self.visitor.take(), b"")
        self.visitor.wire.producer.resumeProducing()
        self.assertEqual(self.visitor.take(), sent(ws.PONG, b"999"))

    def test_visitor_is_not_left_paused(self) -> None:
        """A service that is full and goes away leaves a visitor that is read, to hear its goodbye."""
        self.service.wire.producer.pauseProducing()
        self.service.reset()
        self.assertFalse(self.visitor.wire.paused)
        self.service.wire.producer.stopProducing()
        self.assertFalse(self.visitor.wire.disconnecting)


class GoodbyeTests(ConversionCase):
    """How it ends."""

    def test_visitor_closes(self) -> None:
        """A Close frame ends the sending to the service; the rest of its answer arrives, then the same code comes back."""
        self.visitor.send(frame(ws.BINARY, b"bye") + frame(ws.CLOSE, ws.close_payload(3001) + b"done"))
        self.assertEqual(self.service.take(), b"bye")
        self.assertTrue(self.service.wire.half_closed)
        self.assertFalse(self.visitor.wire.disconnecting)
        self.service.send(b"good")
        self.service.close()
        self.assertEqual(self.visitor.take(), sent(ws.BINARY, b"good") + closing(3001))
        self.assertTrue(self.visitor.wire.disconnecting)
        self.gone()
        self.assert_over()

    def test_no_code(self) -> None:
        """A Close frame without a code is answered by one without."""
        self.visitor.send(frame(ws.CLOSE))
        self.service.close()
        self.assertEqual(self.visitor.take(), closing(ws.NO_CODE))

    def test_service_does_not_end(self) -> None:
        """A service that goes on after a visitor's Close frame is cut off after a while."""
        self.visitor.send(frame(ws.CLOSE, ws.close_payload(1000)))
        self.wait(CLOSE_TIMEOUT)
        self.assertTrue(self.service.wire.aborted)
        self.assertEqual(self.visitor.take(), closing(1000))
        self.assertTrue(self.visitor.wire.disconnecting)
        self.service.reset()
        self.gone()
        self.assert_over()

    def test_service_ends(self) -> None:
        """The service's end becomes a Close frame; the visitor has a moment for its own, and is then let go."""
        self.service.send(b"last words")
        self.service.protocol.readConnectionLost()
        self.assertEqual(self.visitor.take(), sent(ws.BINARY, b"last words") + closing(ws.NORMAL))
        self.assertTrue(self.service.wire.disconnecting)
        self.assertFalse(self.visitor.wire.disconnecting)
        self.visitor.send(frame(ws.BINARY, b"not heard") + frame(ws.PING) + frame(ws.CLOSE, ws.close_payload(1000)))
        self.assertEqual((self.service.take(), self.visitor.take()), (b"", b""))
        self.assertTrue(self.visitor.wire.disconnecting)
        self.service.protocol.connectionLost(Failure(ConnectionDone()))
        self.gone()
        self.assert_over()

    def test_service_fails(self) -> None:
        """A service that is cut off is told apart from one that ends."""
        self.service.reset()
        self.assertEqual(self.visitor.take(), closing(ws.INTERNAL_ERROR))

    def test_visitor_does_not_close(self) -> None:
        """A visitor that does not answer our Close frame is cut off."""
        self.service.close()
        self.wait(CLOSE_TIMEOUT)
        self.assertTrue(self.visitor.wire.aborted)
        self.gone(ConnectionAborted)
        self.assert_over()

    def test_visitor_ends(self) -> None:
        """A visitor that ends its half without a Close frame may still get the rest."""
        self.visitor.end_input()
        self.assertTrue(self.service.wire.half_closed)
        self.service.send(b"rest")
        self.service.close()
        self.assertEqual(self.visitor.take(), sent(ws.BINARY, b"rest") + closing(ws.NORMAL))
        self.assertTrue(self.visitor.wire.disconnecting)

    def test_visitor_leaves(self) -> None:
        """A visitor that leaves in order ends the service's connection; one that is cut off cuts that off."""
        for reason, aborted in ((ConnectionDone, False), (ConnectionAborted, True)):
            self.open()
            self.gone(reason)
            self.assertEqual((self.service.wire.disconnecting, self.service.wire.aborted), (True, aborted))
            self.assertEqual(len(self.visitor.flows), 1)
            self.service.close()
            self.assert_over()

    def test_service_does_not_go(self) -> None:
        """A service that does not take the last bytes of a visitor who has left is cut off."""
        self.gone()
        self.assertFalse(self.service.wire.aborted)
        self.wait(CLOSE_TIMEOUT)
        self.assertTrue(self.service.wire.aborted)
        self.service.reset()
        self.assert_over()

    def test_idle(self) -> None:
        """Where nothing moves for long, both are closed; every byte counts, a ping too."""
        self.wait(IDLE - 10)
        self.visitor.send(frame(ws.PING))
        self.visitor.take()
        self.wait(IDLE - 10)
        self.service.send(b"x")
        self.visitor.take()
        self.wait(IDLE - 10)
        self.assertFalse(self.service.wire.disconnecting)
        self.wait(10)
        self.assertEqual(self.visitor.take(), closing(ws.GOING_AWAY))
        self.assertTrue(self.service.wire.disconnecting)

    def test_broken_frame(self) -> None:
        """What is no frame cuts the service off, and the visitor reads why; what it sends on is not heard."""
        self.visitor.send(frame(ws.BINARY, b"good"))
        self.visitor.send(b"\xff\xff\xff\xff")
        self.assertTrue(self.service.wire.aborted)
        self.assertEqual(self.visitor.take(), closing(ws.PROTOCOL_ERROR))
        self.assertTrue(self.visitor.wire.half_closed)
        self.visitor.send(frame(ws.BINARY, b"more"))
        self.assertEqual(self.service.take(), b"good")
        self.service.reset()
        self.visitor.end_input()
        self.assertTrue(self.visitor.wire.disconnecting)
        self.gone()
        self.assert_over()

    def test_broken_close(self) -> None:
        """A Close frame that says what none may say is a broken one."""
        for payload, code in ((b"\x03", 1002), ((1005).to_bytes(2, "big"), 1002), (b"\x03\xe8\xff", 1007)):
            self.open()
            self.visitor.send(frame(ws.CLOSE, payload))
            self.assertEqual(self.visitor.take(), closing(code))
            self.assertTrue(self.service.wire.aborted)

    def test_broken_while_closing(self) -> None:
        """Nonsense in answer to our Close frame ends the connection."""
        self.service.close()
        self.visitor.take()
        self.visitor.send(b"\xff\xff")
        self.assertEqual(self.visitor.take(), b"")
        self.assertTrue(self.visitor.wire.disconnecting)

    def test_service_without_halves(self) -> None:
        """A connection that cannot be ended by halves is ended whole."""
        self.service.wire.loseWriteConnection = None  # type: ignore[method-assign, assignment]
        self.visitor.send(frame(ws.CLOSE, ws.close_payload(1000)))
        self.assertEqual(self.visitor.take(), closing(1000))
        self.assertTrue(self.service.wire.disconnecting)


class EarlyEndTests(ConversionCase):
    """Ends before the visitor was told of the service."""

    def setUp(self) -> None:
        self.open(waits=True)
        self.protocol = self.route.service.factories[-1].buildProtocol(None)
        self.service = Connection(self.protocol)

    def reached(self) -> bytes:
        """The service is reached. :return: what the visitor gets after the head."""
        self.route.service.waiting[-1].callback(self.protocol)
        head, _, rest = self.visitor.take().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        return rest

    def test_service_ends(self) -> None:
        """A service that says something and ends is heard."""
        self.service.send(b"the time is 12:00")
        self.protocol.readConnectionLost()
        self.assertEqual(self.reached(), sent(ws.BINARY, b"the time is 12:00") + closing(ws.NORMAL))

    def test_service_is_lost(self) -> None:
        """So is one that is gone entirely."""
        self.service.send(b"bye")
        self.service.close()
        self.assertEqual(self.reached(), sent(ws.BINARY, b"bye") + closing(ws.NORMAL))
        self.visitor.send(frame(ws.BINARY, b"nobody hears it") + frame(ws.CLOSE))
        self.assertTrue(self.visitor.wire.disconnecting)
        self.gone()
        self.assert_over()

    def test_service_fails(self) -> None:
        """One that is cut off has failed."""
        self.service.reset()
        self.assertEqual(self.reached(), closing(ws.INTERNAL_ERROR))

    def test_visitor_leaves(self) -> None:
        """A visitor that leaves while the service is dialled is not waited for."""
        self.visitor.leave()
        self.assertEqual(self.route.service.cancelled, 1)

    def test_visitor_has_left(self) -> None:
        """A service that is reached all the same is let go."""
        self.route.service.waiting[-1]._canceller = lambda deferred: deferred.callback(self.protocol)
        self.visitor.leave()
        self.assertTrue(self.service.wire.aborted)
