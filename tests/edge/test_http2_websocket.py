"""
Tests for ``ngrok_twisted.edge.http2_websocket``: WebSocket on a stream.
"""

from __future__ import annotations

from base64 import b64decode
from random import Random
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.byte_transports import IBatchTransport
from ngrok_twisted.edge.head import RequestHead
from ngrok_twisted.edge.http2_sending import QUEUE_BYTES
from ngrok_twisted.edge.http2_websocket import add_key, opened
from ngrok_twisted.net.websocket import accepted
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import Fields, Visitor
from tests.edge.wire import Backend, Render, Service

CONNECT: Fields = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/chat"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-protocol", b"chat"),
    (b"origin", b"https://a.example"),
]


def waiting(request: Any) -> int:
    return NOT_DONE_YET


def switching(key: bytes, *more: tuple[bytes, bytes]) -> ResponseHead:
    fields = [(b"Upgrade", b"websocket"), (b"Sec-WebSocket-Accept", accepted(key) or b""), *more]
    return ResponseHead(101, b"Switching Protocols", fields, None, bodiless=True)


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """What gets the stream."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.said.append(bytes(data))

    def readConnectionLost(self) -> None:
        self.said.append("end")

    def writeConnectionLost(self) -> None:
        raise AssertionError("nobody calls it")

    def connectionLost(self, reason: Any) -> None:
        self.said.append(type(reason.value).__name__)


class HandshakeTests(SynchronousTestCase):
    """The handshake, on its own."""

    def test_key(self) -> None:
        """The edge makes a key in the visitor's place, a new one each time, whatever the visitor sent."""
        head = RequestHead()
        head.fields = [(b"sec-websocket-key", b"visitor's"), (b"a", b"b")]
        random = Random(1)
        key = add_key(head, random)
        self.assertEqual(len(b64decode(key)), 16)
        self.assertEqual(head.fields, [(b"a", b"b"), (b"sec-websocket-key", key)])
        self.assertNotEqual(add_key(head, random), key)

    def test_opened(self) -> None:
        """What the service chose goes on, what belongs to its own handshake does not."""
        key = add_key(_empty(), Random(1))
        fields = opened(switching(key, (b"Sec-WebSocket-Protocol", b"chat"), (b"Connection", b"Upgrade")), key)
        self.assertEqual(fields, [(b"Sec-WebSocket-Protocol", b"chat")])

    def test_not_opened(self) -> None:
        """A service that did not accept this key did not accept."""
        key = add_key(_empty(), Random(1))
        self.assertIsNone(opened(switching(add_key(_empty(), Random(2))), key))
        self.assertIsNone(opened(ResponseHead(101, b"", [], None), key))
        twice = switching(key, (b"Sec-WebSocket-Accept", accepted(key) or b""))
        self.assertIsNone(opened(twice, key))


def _empty() -> RequestHead:
    head = RequestHead()
    head.fields = []
    return head


class StreamTests(SynchronousTestCase):
    """A stream as a transport."""

    def start(self, peer: Any = None) -> Peer:
        self.visitor = Visitor(Render(waiting))
        self.answer = self.visitor.ask(CONNECT, end=False)
        request = self.visitor.request
        self.key = request.getHeader(b"sec-websocket-key")
        self.peer = peer or Peer()
        request.upgrade(switching(self.key, (b"Sec-WebSocket-Protocol", b"chat")), self.peer)
        self.transport = self.peer.transport
        self.visitor.run()
        return self.peer

    def send(self, data: bytes, end: bool = False) -> None:
        self.visitor.client.send_data(1, data, end_stream=end)
        self.visitor.run()

    def test_request(self) -> None:
        """Whoever answers sees a GET that wants to be upgraded, with everything that RFC 6455 asks for."""
        visitor = Visitor(Render(waiting))
        visitor.ask(CONNECT, end=False)
        request = visitor.request
        self.assertEqual((request.method, request.uri, request.upgrade_to), (b"GET", b"/chat", b"websocket"))
        self.assertEqual((request.body_length, request.getHeader(b"sec-websocket-version")), (0, b"13"))
        self.assertIsNotNone(accepted(request.getHeader(b"sec-websocket-key")))
        self.assertEqual(visitor.flows, [])

    def test_is_offered(self) -> None:
        """Visitors are told that they may ask (RFC 8441 section 3)."""
        visitor = Visitor(Render(waiting))
        self.assertEqual(visitor.client.remote_settings.enable_connect_protocol, 1)

    def test_opens(self) -> None:
        """The visitor is told 200, with what the service chose, and the stream stays open."""
        self.start()
        (head,) = self.answer.heads
        self.assertEqual(head, {b":status": b"200", b"sec-websocket-protocol": b"chat"})
        self.assertFalse(self.answer.ended)
        self.assertEqual(self.visitor.request.flow.status, 101)
        verifyObject(IBatchTransport, self.transport)

    def test_bytes(self) -> None:
        """Bytes go both ways, each piece at once."""
        peer = self.start()
        self.send(b"hello")
        self.assertEqual(peer.said, [b"hello"])
        self.transport.write(b"well")
        self.transport.writeSequence([b"come", b"!"])
        self.visitor.run()
        self.assertEqual(self.answer.body, b"wellcome!")

    def test_early_bytes(self) -> None:
        """What the visitor sent before it knew waits for the service."""
        visitor = Visitor(Render(waiting))
        visitor.ask(CONNECT, b"early", end=False)
        peer = Peer()
        visitor.request.upgrade(switching(visitor.request.getHeader(b"sec-websocket-key")), peer)
        self.assertEqual(peer.said, [b"early"])

    def test_visitor_ends(self) -> None:
        """The visitor's end is told; the service may still speak, and its end ends the stream."""
        peer = self.start()
        self.send(b"bye", end=True)
        self.assertEqual(peer.said, [b"bye", "end"])
        self.transport.write(b"bye")
        self.transport.loseConnection()
        self.visitor.run()
        self.assertEqual((self.answer.body, self.answer.ended, self.answer.reset), (b"bye", True, None))
        self.assertEqual((peer.said[2:], self.visitor.connection.streams), (["ConnectionDone"], {}))

    def test_service_ends(self) -> None:
        """The service's end is told; the visitor's ends the stream."""
        peer = self.start()
        self.transport.loseWriteConnection()
        self.visitor.run()
        self.assertEqual((self.answer.ended, peer.said), (True, []))
        self.send(b"last", end=True)
        self.assertEqual(peer.said, [b"last", "ConnectionDone"])
        self.assertEqual(self.visitor.connection.streams, {})

    def test_service_closes(self) -> None:
        """A service that closes is let go at once; a visitor that goes on is stopped."""
        peer = self.start()
        self.transport.loseConnection()
        self.visitor.run()
        self.assertEqual((self.answer.ended, peer.said), (True, ["ConnectionDone"]))
        self.send(b"anybody?")
        self.visitor.clock.pump([1] * 6)
        self.visitor.run()
        self.assertEqual((peer.said, self.answer.reset), (["ConnectionDone"], h2.NO_ERROR))

    def test_aborts(self) -> None:
        """A connection that breaks on either side breaks on the other (section 5)."""
        peer = self.start()
        self.transport.abortConnection()
        self.visitor.run()
        self.assertEqual((self.answer.reset, peer.said), (h2.CANCEL, ["ConnectionAborted"]))
        peer = self.start()
        self.visitor.client.reset_stream(1, h2.CANCEL)
        self.visitor.run()
        self.assertEqual(peer.said, ["ConnectionDone"])
        self.transport.write(b"late")
        self.transport.loseConnection()
        self.visitor.run()

    def test_connection_goes(self) -> None:
        """When the visitor's connection goes, so does the stream."""
        peer = self.start()
        self.visitor.leave()
        self.assertEqual(peer.said, ["ConnectionAborted"])
        self.assertEqual(self.visitor.clock.getDelayedCalls(), [])

    def test_without_half_close(self) -> None:
        """A protocol that does not know of ends of one side is closed at the visitor's."""

        class Plain(Protocol):
            lost = 0

            def connectionLost(self, reason: Any = None) -> None:
                self.lost += 1

        peer: Any = Plain()
        self.start(peer)
        self.send(b"", end=True)
        self.assertEqual((peer.lost, self.answer.ended), (1, True))

    def test_back_pressure(self) -> None:
        """Either side stops the other."""
        peer = self.start()
        told: list[str] = []

        class Source:
            def pauseProducing(self) -> None:
                told.append("pause")

            def resumeProducing(self) -> None:
                told.append("resume")

            def stopProducing(self) -> None:
                told.append("stop")

        self.transport.registerProducer(Source(), True)
        self.assertRaises(RuntimeError, self.transport.registerProducer, Source(), True)
        self.transport.write(bytes(h2.DEFAULT_WINDOW + QUEUE_BYTES + 1))
        self.assertEqual(told, ["pause"])
        self.visitor.run()
        self.assertEqual((told, len(self.answer.body)), (["pause", "resume"], h2.DEFAULT_WINDOW + QUEUE_BYTES + 1))
        self.transport.pauseProducing()
        self.send(b"wait")
        self.assertEqual(peer.said, [])
        self.transport.resumeProducing()
        self.assertEqual(peer.said, [b"wait"])
        self.transport.loseConnection()
        self.transport.write(b"more")
        self.transport.unregisterProducer()
        self.visitor.run()
        self.assertTrue(self.answer.body.endswith(b"more") and self.answer.ended)


class ServiceTests(SynchronousTestCase):
    """With a service that speaks HTTP/1.1 behind it."""

    def start(self) -> None:
        self.service = Service()
        self.visitor = Visitor(Render(waiting))
        self.visitor.site.resource = Forward(Backend(self.service), self.visitor.clock)
        self.answer = self.visitor.ask(CONNECT, end=False)
        request = self.service.connection.take()
        self.assertIn(b"GET /chat HTTP/1.1\r\n", request)
        self.assertIn(b"\r\nUpgrade: websocket\r\n", request)
        (line,) = [line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
        self.key = line.partition(b": ")[2]

    def accept(self, *more: bytes) -> None:
        lines = (b"HTTP/1.1 101 S", b"Upgrade: websocket", b"Connection: Upgrade", *more)
        accept = b"Sec-WebSocket-Accept: " + (accepted(self.key) or b"")
        self.service.connection.send(b"\r\n".join((*lines, accept, b"", b"")))
        self.visitor.run()

    def test_all_the_way(self) -> None:
        """The visitor and the service speak with each other, and the flow ends with them."""
        self.start()
        self.accept()
        self.assertEqual(self.answer.status, 200)
        self.visitor.client.send_data(1, b"ping")
        self.visitor.run()
        self.assertEqual(self.service.connection.take(), b"ping")
        self.service.connection.send(b"pong")
        self.visitor.run()
        self.assertEqual(self.answer.body, b"pong")
        self.service.connection.close()
        self.visitor.run()
        self.assertTrue(self.answer.ended)
        (flow,) = self.visitor.flows
        self.assertEqual((flow.status, flow.bytes_in, flow.bytes_out), (101, 4, 4))

    def test_visitor_leaves(self) -> None:
        """A visitor that resets its stream ends the service's connection."""
        self.start()
        self.accept()
        self.visitor.client.reset_stream(1, h2.CANCEL)
        self.visitor.run()
        self.assertTrue(self.service.connection.wire.disconnecting)
        self.assertEqual(len(self.visitor.flows), 1)

    def test_refused(self) -> None:
        """A service that refuses is heard."""
        self.start()
        self.service.connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        self.visitor.run()
        self.assertEqual((self.answer.status, self.answer.body, self.answer.ended), (403, b"no", True))

    def test_page(self) -> None:
        """A page is no WebSocket, though its status would say so to the visitor; the service is let go."""
        self.start()
        self.service.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        self.visitor.run()
        self.assertEqual((self.answer.status, self.answer.ended), (502, True))
        self.visitor.clock.advance(0)
        self.assertTrue(self.service.connection.wire.aborted)
        self.visitor.clock.pump([1] * 6)
        self.visitor.run()
        self.assertEqual((self.answer.reset, self.visitor.connection.streams), (h2.NO_ERROR, {}))
        (flow,) = self.visitor.flows
        self.assertEqual((flow.status, flow.error.status), (502, 502))

    def test_wrong_key(self) -> None:
        """Nor is a 101 with another's answer."""
        self.start()
        self.key = b"AAAAAAAAAAAAAAAAAAAAAA=="
        self.accept()
        self.assertEqual((self.answer.status, self.answer.ended), (502, True))
        self.visitor.clock.advance(0)
        self.assertTrue(self.service.connection.wire.disconnecting)
        self.assertEqual(len(self.visitor.flows), 1)
