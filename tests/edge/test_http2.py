"""
Tests for ``ngrok_twisted.edge.http2``: requests on one connection, and whose they may be.
"""

from __future__ import annotations

import ssl
from typing import Any

from hpack import Decoder
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2_engine import REMEMBERED
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.net.tls import TLSConnection
from ngrok_twisted.records.edge import module
from ngrok_twisted.upstream import http2_frames as h2
from tests.edge.doubles import Edge, endpoint, get as get1
from tests.edge.http2_visitor import GET, HELLO, POST, Bare, Visitor, get
from tests.edge.wire import Render, Wire, statuses
from tests.modules.secure import authority, real_edge
from tests.net.loop import Recorder
from tests.net.wire import Wire as Pipe
from tests.tls.authority import Made


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class RequestTests(SynchronousTestCase):
    """Requests that are let in, and those that are not."""

    def test_greeting(self) -> None:
        """The server speaks first: its settings, and a window for the whole connection."""
        visitor = Bare(Render(waiting), HTTPLimits(streams=17, head_bytes=5000), hello=b"")
        settings, window = visitor.frames()
        self.assertEqual(settings[:3], (h2.SETTINGS, 0, 0))
        self.assertEqual(
            h2.read_settings(settings[3]),
            {h2.MAX_CONCURRENT_STREAMS: 17, h2.MAX_HEADER_LIST_SIZE: 5000, h2.ENABLE_CONNECT_PROTOCOL: 1},
        )
        self.assertEqual(window[:3], (h2.WINDOW_UPDATE, 0, 0))

    def test_any_pieces(self) -> None:
        """However the bytes are cut, the requests are the same."""
        visitor = Bare(Render(lambda request: b"ok"), hello=b"")
        for byte in HELLO + visitor.headers(1, GET) + visitor.headers(3, POST, end=False) + visitor.data(3, b"", True):
            visitor.send(bytes((byte,)))
        self.assertEqual([request.method for request in visitor.site.requests], [b"GET", b"POST"])

    def test_all_at_once(self) -> None:
        """Nor does it matter how many come in one read."""
        visitor = Bare(Render(lambda request: b"ok"))
        visitor.send(*[visitor.headers(stream, GET) for stream in range(1, 401, 2)])
        self.assertEqual(len(visitor.flows), 200)

    def test_malformed(self) -> None:
        """A malformed request is reset, and the others go on."""
        visitor = Bare(Render(lambda request: b"ok"))
        visitor.send(visitor.headers(1, [*GET, (b"connection", b"close")]), visitor.headers(3, GET))
        frames = visitor.frames()
        self.assertIn((h2.RST_STREAM, 0, 1, b"\0\0\0\x01"), frames)
        self.assertEqual([frame[0] for frame in frames if frame[2] == 3], [h2.HEADERS, h2.DATA])
        self.assertEqual(len(visitor.site.requests), 1)

    def test_answered(self) -> None:
        """What is wrong in any HTTP is answered, without a flow."""
        bare = Bare(Render(waiting))
        bare.send(bare.headers(1, [(b":method", b"CONNECT"), (b":authority", b"a.example:443")]))
        self.assertEqual([_status(frame[3]) for frame in bare.frames() if frame[0] == h2.HEADERS], [b"405"])
        self.assertEqual(bare.flows, [])
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(POST[:3] + [(b":path", b"x")], b"body")
        self.assertEqual((answer.status, answer.ended, visitor.connection.streams), (400, True, {}))

    def test_head_too_large(self) -> None:
        """A head over a limit is answered 431; the next request is none the worse."""
        visitor = Visitor(Render(lambda request: b"ok"), HTTPLimits(head_bytes=4000, fields=20))
        self.assertEqual(visitor.ask(get("/", (b"x", b"y" * 4000))).status, 431)
        self.assertEqual(visitor.ask(get("/", *[(b"x-%d" % number, b"") for number in range(20)])).status, 431)
        self.assertEqual(visitor.ask(get("/", (b"x-3", b""))).status, 200)

    def test_too_many(self) -> None:
        """More requests at once than were agreed on are refused, so that they may be sent again."""
        visitor = Bare(Render(waiting), HTTPLimits(streams=3))
        visitor.send(*[visitor.headers(stream, GET) for stream in range(1, 11, 2)])
        self.assertEqual(visitor.resets(), {7: h2.REFUSED_STREAM, 9: h2.REFUSED_STREAM})
        visitor.site.requests[0].write(b"x")
        visitor.site.requests[0].finish()
        visitor.send(visitor.headers(11, GET))
        self.assertEqual((visitor.resets(), len(visitor.site.requests)), ({}, 4))

    def test_priorities(self) -> None:
        """What a visitor says of priorities is read and forgotten (RFC 9113 section 5.3)."""
        visitor = Bare(Render(lambda request: b"ok"))
        priority = h2.frame_head(h2.PRIORITY, 0, 1, 5) + b"\0\0\0\3\x0f"
        update = h2.frame_head(0x10, 0, 0, 7) + b"\0\0\0\1u=1"
        block = visitor.encoder.encode(GET)
        head = h2.frame_head(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM | h2.PRIORITIZED, 1, len(block) + 5)
        visitor.send(priority, update, head + b"\0\0\0\3\x0f" + block)
        self.assertEqual(len(visitor.flows), 1)

    def test_no_push(self) -> None:
        """Nothing is ever pushed; a visitor that pushes is shown the door."""
        visitor = Bare(Render(waiting))
        visitor.send(h2.frame_head(h2.PUSH_PROMISE, h2.END_HEADERS, 1, 4) + b"\0\0\0\2")
        self.assertEqual(visitor.goaway(), h2.PROTOCOL_ERROR)

    def test_memory_at_rest(self) -> None:
        """A connection that has served many and rests keeps next to nothing of them."""
        visitor = Bare(Render(lambda request: b"ok"))
        for stream in range(1, 4001, 2):
            visitor.send(visitor.headers(stream, GET), h2.window_update(0, 2))
        self.assertEqual(len(visitor.flows), 2000)
        self.assertEqual(len(visitor.connection.streams), 0)
        self.assertEqual(len(visitor.connection.engine._resets), 0)

    def test_memory_of_resets(self) -> None:
        """What is remembered of streams that were reset is bounded."""
        visitor = Bare(Render(lambda request: b"ok"), HTTPLimits(streams=2))
        for stream in range(1, 8 * REMEMBERED, 8):
            for number in range(stream, stream + 8, 2):
                visitor.send(visitor.headers(number, POST, end=number == stream + 4))
            visitor.send(h2.reset(stream, h2.CANCEL))
            visitor.clock.advance(3)
        self.assertFalse(visitor.wire.ended)
        self.assertEqual(len(visitor.connection.engine._resets), REMEMBERED)


class SharedHeadTests(SynchronousTestCase):
    """Requests with the same bytes share what their heads say."""

    def test_changes_stay_with_one(self) -> None:
        """What a module changes in one request is not in the next one."""
        visitor = Bare(Render(waiting))
        visitor.send(visitor.headers(1, get("/", (b"x-a", b"1"))))
        block = visitor.encoder.encode(get("/", (b"x-a", b"1")))
        for number in (3, 5, 7):
            visitor.send(visitor.block(number, block))
            request = visitor.request
            self.assertEqual(list(request.fields), [(b"host", b"a.example"), (b"x-a", b"1")])
            request.headers.append((b"x-b", b"2"))
            request.set_request_header(b"x-a", b"3")

    def test_ends_apart(self) -> None:
        """The same block begins requests with a body and without."""
        visitor = Bare(Render(waiting))
        visitor.send(visitor.headers(1, GET))
        block = visitor.encoder.encode(GET)
        lengths = []
        for number, end in ((3, True), (5, False), (7, True)):
            visitor.send(visitor.block(number, block, end))
            lengths.append(visitor.request.body_length)
        self.assertEqual(lengths, [0, None, 0])

    def test_websockets(self) -> None:
        """Each WebSocket has a key of its own."""
        visitor = Bare(Render(waiting))
        fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
        visitor.send(visitor.headers(1, fields))
        block = visitor.encoder.encode(fields)
        for number, end in ((3, True), (5, True), (7, False)):
            visitor.send(visitor.block(number, block, end))
        keys = [request.getHeader(b"sec-websocket-key") for request in visitor.site.requests]
        self.assertEqual((len(set(keys)), None in keys), (4, False))


class SecureVisitor:
    """
    A visitor of a whole edge, over TLS.

    :ivar chosen: the protocol that ALPN chose.
    """

    def __init__(self, edge: Edge, server_name: str | None, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        self.inner = Recorder()
        self.client = TLSConnection(
            context, self.inner, clock=edge.reactor, server_side=False, server_hostname=server_name
        )
        self.pipe = Pipe(self.client, edge.plane.secure_front.buildProtocol(None))
        self.pipe.run()
        self.chosen = self.client.negotiatedProtocol
        self.bare = Bare(Render(waiting), hello=b"")
        self._stream = -1
        if self.chosen == b"h2":
            self.take(HELLO)

    def take(self, data: bytes) -> list[Any]:
        """Send, and take the frames that are answered at once."""
        self.client.write(data)
        self.pipe.run()
        came = bytes(self.inner.received)
        self.inner.received.clear()
        return [(kind, flags, stream, bytes(rest)) for kind, flags, stream, rest in self.bare._reader.feed(came)]

    def ask(self, host: str, *fields: tuple[bytes, bytes]) -> int:
        """The status of a request that the edge answers by itself."""
        self._stream += 2
        frames = self.take(self.bare.headers(self._stream, get("/", *fields, host=host)))
        (head,) = [frame for frame in frames if frame[0] == h2.HEADERS and frame[2] == self._stream]
        return int(_status(head[3]))


def _status(block: bytes) -> bytes:
    return dict(Decoder().decode(block, raw=True))[b":status"]


class EdgeTests(SynchronousTestCase):
    """Whose requests a connection may carry."""

    def edge(self, *records: Any, **changes: Any) -> Edge:
        edge = Edge(**changes)
        edge.serve(*records)
        return edge

    def test_alpn(self) -> None:
        """HTTP/2 is offered first, to those who know it."""
        edge = self.edge(endpoint("ep_1"))
        self.assertEqual(SecureVisitor(edge, "app.example.com").chosen, b"h2")
        self.assertEqual(SecureVisitor(edge, "app.example.com", ("http/1.1",)).chosen, b"http/1.1")
        self.assertIsNone(SecureVisitor(edge, "app.example.com", ()).chosen)

    def test_switched_off(self) -> None:
        """An operator may do without it."""
        edge = self.edge(endpoint("ep_1"), limits=HTTPLimits(streams=0))
        visitor = SecureVisitor(edge, "app.example.com")
        self.assertEqual(visitor.chosen, b"http/1.1")
        visitor.client.write(get1("app.example.com"))
        visitor.pipe.run()
        self.assertEqual(statuses(bytes(visitor.inner.received)), [404])

    def test_coalescing(self) -> None:
        """A request for a name that the connection is not for is answered 421; the connection stays."""
        edge = self.edge(endpoint("ep_1"), endpoint("ep_2", host="other.example.com"))
        visitor = SecureVisitor(edge, "app.example.com")
        self.assertEqual(visitor.ask("other.example.com"), 421)
        self.assertEqual(visitor.ask("nobody.example.com"), 421)
        self.assertEqual(visitor.ask("app.example.com"), 404)

    def test_wildcard(self) -> None:
        """Names of one endpoint share connections."""
        edge = self.edge(endpoint("ep_1", host="*.example.com"))
        visitor = SecureVisitor(edge, "a.example.com")
        self.assertEqual(visitor.ask("b.example.com"), 404)
        self.assertEqual(visitor.ask("b.example.org"), 421)

    def test_mutual_tls(self) -> None:
        """A name that wants a certificate is not reached over a connection that showed none, whatever it calls itself."""
        edge = real_edge()
        wants = {"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=("ca_1",)))}
        edge.serve(
            authority("ca_1", Made("One")),
            endpoint("ep_1", host="*.example.com"),
            endpoint("ep_2", host="safe.example.com", modules=wants),
        )
        visitor = SecureVisitor(edge, "a.example.com")
        self.assertEqual(visitor.ask("safe.example.com"), 421)
        self.assertEqual(visitor.ask("safe.example.com", (b"host", b"a.example.com")), 400)
        self.assertEqual(visitor.ask("a.example.com"), 404)
        nameless = SecureVisitor(edge, None)
        self.assertEqual(nameless.ask("safe.example.com"), 421)

    def test_host_disagrees(self) -> None:
        """``:authority`` and ``host`` cannot say two different things."""
        edge = self.edge(endpoint("ep_1"), endpoint("ep_2", host="other.example.com"))
        visitor = SecureVisitor(edge, "app.example.com")
        self.assertEqual(visitor.ask("app.example.com", (b"host", b"other.example.com")), 400)
        self.assertEqual(visitor.ask("other.example.com", (b"host", b"app.example.com")), 400)

    def test_plain(self) -> None:
        """The plain listener speaks HTTP/1.1 only: who begins with the preface is told so."""
        edge = self.edge(endpoint("ep_1", "http", port=80))
        protocol = edge.plane.plain_front.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        protocol.dataReceived(h2.PREFACE)
        self.assertEqual(statuses(wire.value()), [505])

    def test_is_counted(self) -> None:
        """Connections are counted among the visitors, asked to leave when the server stops, and sent away at last."""
        edge = self.edge(endpoint("ep_1"))
        visitor = SecureVisitor(edge, "app.example.com")
        visitors = edge.plane.visitors
        self.assertEqual((len(visitors), visitors.by_proto["https"], visitors.arriving), (1, 1, True))
        visitor.ask("app.example.com")
        self.assertFalse(visitors.arriving)
        visitors.drain()
        kinds = [frame[0] for frame in visitor.take(b"")]
        self.assertEqual(kinds, [h2.GOAWAY] if kinds == [h2.GOAWAY] else [h2.PING, h2.GOAWAY])
        visitors.abort()
        visitor.pipe.run()
        self.assertEqual(len(visitors), 0)
