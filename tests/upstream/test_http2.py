"""
Tests for ``ngrok_twisted.upstream.http2`` and ``http2_request``: requests of visitors to a service that speaks HTTP/2, no
sockets between.
"""

from __future__ import annotations

from typing import Any

from h2.settings import SettingCodes
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.upstream.http2_request import REPLAYED
from ngrok_twisted.upstream.http2_session import STREAM_WINDOW
from tests.edge.wire import Backend, Render, Visitor, statuses
from tests.upstream.http2_wire import OK, HTTP2Service

GET = b"GET /path?q HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTING = POST[:-2] + b"Expect: 100-continue\r\n\r\n"
GRPC = (
    b"POST /pkg.Service/Call HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class HTTP2TestCase(SynchronousTestCase):
    """Visitors, and one service."""

    def start(self, *targets: Any, **options: Any) -> Visitor:
        self.clock = Clock()
        self.forward = Forward(Backend(*targets), self.clock, **options)
        return self.another_visitor()

    def another_visitor(self) -> Visitor:
        return Visitor(self.forward, clock=self.clock)


class RequestTests(HTTP2TestCase):
    """What the service gets."""

    def test_head(self) -> None:
        """The request comes as HTTP/2 has it, with the edge's fields."""
        service = HTTP2Service()
        self.start(service).send(
            GET.replace(b"\r\n\r\n", b"\r\nAccept: */*\r\nConnection: x-mine\r\nX-Mine: 1\r\n\r\n")
        )
        request = service.connection.request()
        self.assertEqual(
            list(map(tuple, request.headers)),
            [
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":path", b"/path?q"),
                (b":authority", b"a.example"),
                (b"accept", b"*/*"),
                (b"x-forwarded-for", b"192.168.1.1"),
                (b"x-forwarded-proto", b"https"),
                (b"x-forwarded-host", b"a.example"),
            ],
        )
        self.assertEqual(service.connection.ended(), [1])

    def test_rewritten_host(self) -> None:
        """A rewritten host is the authority, and undone in ``location``."""
        service = HTTP2Service(Upstream(protocol="http2", host_header="inner.local"))
        visitor = self.start(service)
        visitor.send(GET)
        self.assertIn((b":authority", b"inner.local"), list(map(tuple, service.connection.request().headers)))
        service.connection.answer(fields=(*OK, (b"location", b"http://inner.local/x")))
        self.assertIn(b"location: https://a.example/x\r\n", visitor.take())

    def test_bodies(self) -> None:
        """A body goes out as it comes, and its length is told."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(POST + b"he")
        request = service.connection.request()
        self.assertIn((b"content-length", b"5"), list(map(tuple, request.headers)))
        self.assertEqual((service.connection.body(), service.connection.ended()), (b"he", []))
        visitor.send(b"llo")
        self.assertEqual((service.connection.body(), service.connection.ended()), (b"llo", [1]))

    def test_no_body(self) -> None:
        """A request that says it has no body says so in HTTP/2 too."""
        service = HTTP2Service()
        self.start(service).send(POST.replace(b" 5", b" 0"))
        self.assertIn((b"content-length", b"0"), list(map(tuple, service.connection.request().headers)))
        self.assertEqual(service.connection.ended(), [1])

    def test_trailers(self) -> None:
        """Trailers of a chunked request arrive, and so does the wish for trailers."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(GRPC + b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")
        self.assertIn((b"te", b"trailers"), list(map(tuple, service.connection.request().headers)))
        self.assertEqual(service.connection.body(), b"hi")
        self.assertEqual(service.connection.trailers(), [(b"x-sum", b"1")])
        self.assertEqual(service.connection.ended(), [1])

    def test_one_connection(self) -> None:
        """Many visitors share one connection."""
        service = HTTP2Service()
        visitors = [self.start(service)]
        visitors += [self.another_visitor() for _ in range(9)]
        for visitor in visitors:
            visitor.send(GET)
        self.assertEqual(len(service.connections), 1)
        streams = service.connection.streams()
        self.assertEqual(streams, list(range(1, 20, 2)))
        for stream, visitor in reversed(tuple(zip(streams, visitors))):
            service.connection.answer(stream, body=b"for %d" % stream)
            self.assertTrue(visitor.take().endswith(b"\r\n\r\nfor %d" % stream))

    def test_first_write(self) -> None:
        """Preface, settings and the first request leave together, before the service has said anything."""
        service = HTTP2Service(settled=False, waits=True)
        visitor = self.start(service)
        visitor.send(POST + b"hello")
        service.waiting.pop().callback(service.open(service.factories[0]))
        self.assertEqual(len(service.connection.wire.writes), 1)
        service.connection.settle()
        service.connection.answer(body=b"x")
        self.assertEqual(statuses(visitor.take()), [200])

    def test_body_follows(self) -> None:
        """Where it matters to the service, a head waits a moment for the first bytes of its body, or for its end."""
        service = HTTP2Service(body_wait=0.003)
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.answer()
        for stream, head, body, came in ((3, POST, b"hello", b"hello"), (5, CHUNKED_POST, b"0\r\n\r\n", b"")):
            service.connection.read()
            visitor.send(head)
            self.clock.advance(0.002)
            self.assertEqual(service.connection.take(), b"")
            visitor.send(body)
            self.assertIn(stream, service.connection.streams())
            self.assertEqual(service.connection.body(), came)
            service.connection.answer(stream)
            self.clock.advance(1)
        self.assertEqual(statuses(visitor.take()), [200] * 3)

    def test_body_does_not_follow(self) -> None:
        """A head whose body does not come leaves alone; one whose visitor waits to be told leaves at once."""
        service = HTTP2Service(body_wait=0.003)
        visitor, other = self.start(service), self.another_visitor()
        other.send(GET)
        service.connection.answer()
        service.connection.streams()
        visitor.send(POST)
        self.assertEqual(service.connection.streams(), [])
        self.clock.advance(0.004)
        self.assertEqual(service.connection.streams(), [3])
        other.send(EXPECTING)
        self.assertEqual(service.connection.streams(), [5])

    def test_injected_header(self) -> None:
        """A head that a module made unsendable is 500, and the others on the connection do not notice."""
        service = HTTP2Service()
        visitor = self.start(service)
        other = self.another_visitor()
        other.send(GET)

        def inject(request: Any) -> Any:
            request.add_request_header(b"X", b"a\r\nEvil: b")
            return self.forward.render(request)

        visitor.site.resource = Render(inject)
        visitor.send(GET)
        self.assertEqual(statuses(visitor.take()), [500])
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(service.connection.streams(), [1])
        service.connection.answer(1)
        self.assertEqual(statuses(other.take()), [200])

    def test_broken_filter(self) -> None:
        """A module that fails in the middle of an answer breaks its stream, and no other."""
        service = HTTP2Service()
        visitor = self.start(service)
        other = self.another_visitor()

        class Broken:
            def begin(self, head: Any) -> None:
                raise ValueError("a defect")

        def spoil(request: Any) -> Any:
            request.add_filter(Broken())
            return self.forward.render(request)

        visitor.site.resource = Render(spoil)
        visitor.send(GET)
        other.send(GET)
        service.connection.answer(1, end=False)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(service.connection.resets(), [(1, 2)])
        service.connection.answer(3)
        self.assertEqual(statuses(other.take()), [200])

    def test_large_header(self) -> None:
        """A header that does not fit into one frame goes in several."""
        service = HTTP2Service(settings={SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20})
        visitor = self.start(service)
        service.settings[SettingCodes.MAX_HEADER_LIST_SIZE] = 1 << 20
        cookie = b"c" * 50000
        visitor.send(GET[:-2] + b"Cookie: " + cookie + b"\r\n\r\n")
        service.connection.h2.decoder.max_header_list_size = 1 << 20
        self.assertIn((b"cookie", cookie), list(map(tuple, service.connection.request().headers)))


class ResponseTests(HTTP2TestCase):
    """What the visitor gets."""

    def setUp(self) -> None:
        self.service = HTTP2Service()
        self.visitor = self.start(self.service)

    def ask(self, request: bytes = GET) -> None:
        self.visitor.send(request)
        self.peer = self.service.connection

    def test_short(self) -> None:
        """A response that came in one piece is one write, with its length, and the connection goes on."""
        self.ask()
        self.peer.answer(body=b"hello")
        self.assertEqual(
            self.visitor.wire.writes, [b"HTTP/1.1 200 OK\r\nx-service: h2\r\nContent-Length: 5\r\n\r\nhello"]
        )
        self.assertEqual([flow.status for flow in self.visitor.flows], [200])
        self.ask()
        self.assertEqual(len(self.service.connections), 1)

    def test_streamed(self) -> None:
        """A response that comes in pieces is passed on in pieces."""
        self.ask()
        self.peer.answer(end=False)
        self.assertIn(b"Transfer-Encoding: chunked", self.visitor.take())
        self.peer.more(1, b"data: ")
        self.assertEqual(self.visitor.take(), b"6\r\ndata: \r\n")
        self.peer.more(1, b"x", end=True)
        self.assertEqual(self.visitor.take(), b"1\r\nx\r\n0\r\n\r\n")

    def test_trailers(self) -> None:
        """Trailers arrive behind the body, with a body that came with them and without."""
        for body in (b"", b"message"):
            self.ask(GRPC + b"0\r\n\r\n")
            stream = self.peer.streams()[-1]
            self.peer.answer(stream, body=body, trailers=[(b"grpc-status", b"0"), (b"content-length", b"3")])
            self.assertTrue(self.visitor.take().endswith(b"0\r\ngrpc-status: 0\r\n\r\n"))

    def test_trailers_only(self) -> None:
        """A response that is all trailers, as gRPC's errors are, is passed on as it is."""
        self.ask(GRPC + b"0\r\n\r\n")
        self.peer.answer(fields=(*OK, (b"grpc-status", b"5")))
        self.assertIn(b"grpc-status: 5\r\nContent-Length: 0\r\n\r\n", self.visitor.take())

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 have no body, whatever length they tell."""
        for method, status, told in ((b"HEAD", b"200", True), (b"GET", b"204", False), (b"GET", b"304", True)):
            self.ask(GET.replace(b"GET", method))
            self.peer.answer(self.peer.streams()[-1], ((b":status", status), (b"content-length", b"7")))
            self.assertEqual(b"Content-Length: 7" in self.visitor.take(), told)
        self.assertEqual(len(self.service.connections), 1)

    def test_empty_last_frame(self) -> None:
        """The end may come in a frame of its own, also where there is no body at all."""
        self.ask(GET.replace(b"GET", b"HEAD"))
        self.peer.answer(fields=(*OK, (b"content-length", b"7")), end=False)
        self.peer.frame(0, 1, 1)
        self.assertEqual(statuses(self.visitor.take()), [200])

    def test_informational(self) -> None:
        """103 is passed on; 100 only to a visitor that waits for it."""
        self.ask()
        self.peer.read()
        self.peer.h2.send_headers(1, [(b":status", b"100")])
        self.peer.h2.send_headers(1, [(b":status", b"103"), (b"link", b"</a>")])
        self.peer.answer(body=b"ok")
        self.assertEqual(statuses(self.visitor.take()), [103, 200])

    def test_expect(self) -> None:
        """``Expect`` goes to the service, and its 100 to the visitor."""
        self.ask(EXPECTING)
        self.assertIn((b"expect", b"100-continue"), list(map(tuple, self.peer.request().headers)))
        self.peer.h2.send_headers(1, [(b":status", b"100")])
        self.peer.flush()
        self.assertEqual(self.visitor.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.visitor.send(b"hello")
        self.assertEqual(self.peer.body(), b"hello")
        self.peer.answer()
        self.assertEqual(statuses(self.visitor.take()), [200])
        self.assertFalse(self.visitor.wire.ended)

    def test_own_error_code(self) -> None:
        """Only the edge says that the edge failed."""
        self.ask()
        self.peer.answer(fields=(*OK, (b"ngrok-error-code", b"ERR_NGROK_1")))
        self.assertNotIn(b"ERR_NGROK_1", self.visitor.take())

    def test_early_answer(self) -> None:
        """A final answer before the end of the body breaks the rest off, and the other streams go on."""
        other = self.another_visitor()
        self.ask(CHUNKED_POST + b"2\r\nhi\r\n")
        other.send(GET)
        self.peer.answer(1, body=b"no")
        self.assertEqual(statuses(self.visitor.take()), [200])
        self.assertEqual(self.peer.resets(), [(1, 0)])
        self.peer.answer(3)
        self.assertEqual(statuses(other.take()), [200])


class FlowTests(HTTP2TestCase):
    """Who is slow slows down the other side, and nobody else."""

    def test_slow_visitor(self) -> None:
        """A service may send a window's worth to a visitor who does not read, and no more until it does."""
        service = HTTP2Service()
        slow = self.start(service)
        quick = self.another_visitor()
        slow.send(GET)
        quick.send(GET)
        peer = service.connection
        peer.answer(1, end=False)
        peer.answer(3, end=False)
        slow.channel.pauseProducing()
        sent = 0
        while peer.h2.local_flow_control_window(1) > 0:
            size = min(16384, peer.h2.local_flow_control_window(1))
            peer.more(1, bytes(size))
            sent += size
        self.assertEqual(sent, STREAM_WINDOW)
        for _ in range(200):
            peer.more(3, bytes(16384))
            peer.read()
        slow.take()
        slow.channel.resumeProducing()
        peer.read()
        # He took all of it in an instant, so that his window doubles.
        self.assertEqual(peer.h2.local_flow_control_window(1), 2 * STREAM_WINDOW)

    def test_many_slow_visitors(self) -> None:
        """However many visitors do not read, others get their answers: the connection's window is not theirs to hold."""
        service = HTTP2Service()
        quick = self.start(service)
        peer: Any = None
        for number in range(20):
            slow = self.another_visitor()
            slow.send(GET)
            peer = service.connection
            stream = peer.streams()[-1]
            peer.answer(stream, end=False)
            slow.channel.pauseProducing()
            while peer.h2.local_flow_control_window(stream) > 0:
                peer.more(stream, bytes(min(16384, peer.h2.local_flow_control_window(stream))))
        quick.send(GET)
        peer.answer(peer.streams()[-1], body=b"quick")
        self.assertTrue(quick.take().endswith(b"quick"))

    def test_slow_service(self) -> None:
        """The upload of a stream waits for the stream's window, and the others go on."""
        service = HTTP2Service()
        uploader = self.start(service)
        other = self.another_visitor()
        uploader.send(POST.replace(b" 5", b" 300000") + bytes(65535))
        self.assertFalse(uploader.wire.paused)
        uploader.send(bytes(34465))
        self.assertTrue(uploader.wire.paused)
        peer = service.connection
        peer.open_window(1 << 20)
        self.assertEqual(len(peer.body()), 65535)
        other.send(GET)
        peer.answer(peer.streams()[-1], body=b"quick")
        self.assertTrue(other.take().endswith(b"quick"))
        peer.open_window(100000, 1)
        self.assertEqual(len(peer.body()), 34465)
        self.assertFalse(uploader.wire.paused)
        peer.open_window(1 << 20, 1)
        uploader.send(bytes(200000))
        self.assertEqual((len(peer.body()), peer.ended()[-1]), (200000, 1))

    def test_turns(self) -> None:
        """Streams that wait for the connection's window get it in turn."""
        service = HTTP2Service(settings={SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
        first = self.start(service)
        second = self.another_visitor()
        first.send(POST.replace(b" 5", b" 200000") + bytes(200000))
        second.send(POST.replace(b" 5", b" 200000") + bytes(200000))
        peer = service.connection
        peer.body()
        peer.open_window(4 * 16384)
        sizes: dict[int, int] = {}
        for event in peer.read():
            if hasattr(event, "data"):
                sizes[event.stream_id] = sizes.get(event.stream_id, 0) + len(event.data)
        self.assertEqual(sizes, {1: 32768, 3: 32768})

    def test_full_transport(self) -> None:
        """Bodies wait while the tunnel takes no more, and go on in turn."""
        service = HTTP2Service(settings={SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
        visitor = self.start(service)
        visitor.send(GET)
        peer = service.connection
        peer.answer()
        peer.open_window(1 << 20)
        peer.protocol.pauseProducing()
        visitor.send(POST.replace(b" 5", b" 100") + bytes(50))
        self.assertEqual(peer.body(), b"")
        self.assertTrue(visitor.wire.paused)
        peer.protocol.resumeProducing()
        self.assertFalse(visitor.wire.paused)
        visitor.send(bytes(50))
        self.assertEqual(len(peer.body()), 100)

    def test_shrinking_window(self) -> None:
        """A window that the service shrinks below nothing is respected until it is open again."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(POST.replace(b" 5", b" 70000") + bytes(60000))
        peer = service.connection
        self.assertEqual(len(peer.body()), 60000)
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        peer.flush()
        peer.read()
        visitor.send(bytes(10000))
        self.assertEqual(peer.body(), b"")
        peer.open_window(1 << 20)
        peer.open_window(59000, 1)
        self.assertEqual(peer.body(), b"")
        peer.open_window(10000, 1)
        self.assertEqual(len(peer.body()), 10000)


class EndTests(HTTP2TestCase):
    """Streams that end before their time."""

    def setUp(self) -> None:
        self.service = HTTP2Service()
        self.visitor = self.start(self.service)

    def ask(self, request: bytes = GET) -> None:
        self.visitor.send(request)
        self.peer = self.service.connection
        self.stream = self.peer.streams()[-1]

    def test_visitor_leaves(self) -> None:
        """A visitor who leaves cancels the stream, before the answer and in the middle of it."""
        self.ask()
        self.visitor.leave()
        self.assertEqual(self.peer.resets(), [(1, 8)])
        self.visitor = self.another_visitor()
        self.ask()
        self.peer.answer(3, end=False)
        self.visitor.leave()
        self.assertEqual(self.peer.resets(), [(3, 8)])
        self.assertFalse(self.peer.wire.disconnecting)

    def test_broken_body(self) -> None:
        """A body that the visitor breaks is never taken for the whole."""
        self.ask(CHUNKED_POST + b"2\r\nhi\r\n")
        self.visitor.send(b"zz\r\n")
        self.assertEqual((self.peer.resets(), self.peer.ended()), ([(1, 8)], []))
        self.assertEqual(statuses(self.visitor.take()), [400])

    def test_reset_before_head(self) -> None:
        """A service that breaks the request off before it has said anything is a bad gateway."""
        self.ask()
        self.peer.reset_stream(1, 2)
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [502])
        self.assertIn(b"INTERNAL_ERROR", answer)
        self.assertEqual(len(self.service.connections), 1)

    def test_reset_in_answer(self) -> None:
        """In the middle of the answer the visitor's connection is broken, and the error says with which code."""
        self.ask()
        self.peer.answer(end=False)
        self.visitor.take()
        self.peer.reset_stream(1, 8)
        self.assertTrue(self.visitor.wire.aborted)
        self.visitor.leave()
        self.assertEqual(self.visitor.flows[-1].error.reset_code, 8)

    def test_reset_behind_answer(self) -> None:
        """A service that has answered may break off the rest of the request."""
        self.ask(CHUNKED_POST + b"2\r\nhi\r\n")
        self.peer.h2.send_headers(1, OK)
        self.peer.h2.end_stream(1)
        self.peer.h2.reset_stream(1, 0)
        self.peer.flush()
        self.assertEqual(statuses(self.visitor.take()), [200])
        self.assertEqual(self.peer.resets(), [])

    def test_silence(self) -> None:
        """A stream on which nothing moves for long is given up."""
        self.visitor = self.start(self.service, idle_timeout=60)
        self.ask()
        for _ in range(63):
            self.clock.advance(1)
            self.peer.frame(6, 0, 0, bytes(8))
        self.assertEqual(statuses(self.visitor.take()), [504])
        self.assertEqual(self.peer.resets(), [(1, 8)])

    def test_closed_before_head(self) -> None:
        """A connection that breaks before the answer is a bad gateway for what may not be sent twice."""
        self.ask(POST + b"hello")
        self.peer.reset()
        self.assertEqual(statuses(self.visitor.take()), [502])

    def test_closed_in_answer(self) -> None:
        """A connection that breaks in the middle of answers breaks them all."""
        other = self.another_visitor()
        self.ask()
        other.send(GET)
        self.peer.answer(1, end=False)
        self.peer.answer(3, end=False)
        self.peer.close()
        self.assertTrue(self.visitor.wire.aborted)
        self.assertTrue(other.wire.aborted)


class AgainTests(HTTP2TestCase):
    """Requests that the service has not looked at are sent again."""

    def setUp(self) -> None:
        self.service = HTTP2Service()
        self.visitor = self.start(self.service)

    def test_refused(self) -> None:
        """A refused request is sent again, whatever its method, with its body and its trailers."""
        self.visitor.send(GRPC + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        peer = self.service.connection
        self.assertEqual(peer.streams(), [1])
        peer.body(), peer.trailers()
        peer.reset_stream(1, 7)
        self.assertEqual(peer.streams(), [3])
        self.assertEqual((peer.body(), peer.trailers(), peer.ended()), (b"hello", [(b"x-sum", b"1")], [1, 3]))
        peer.answer(3)
        self.assertEqual(statuses(self.visitor.take()), [200])

    def test_refused_in_upload(self) -> None:
        """A body that is still coming goes on behind what is sent again."""
        self.visitor.send(CHUNKED_POST + b"2\r\nhe\r\n")
        peer = self.service.connection
        peer.body()
        peer.reset_stream(1, 7)
        self.visitor.send(b"3\r\nllo\r\n0\r\n\r\n")
        self.assertEqual((peer.streams(), peer.body(), peer.ended()), ([1, 3], b"hello", [3]))

    def test_refused_while_waiting(self) -> None:
        """So does one that was waiting for the service's window when it was refused."""
        self.service.settings = {SettingCodes.INITIAL_WINDOW_SIZE: 10}
        self.visitor.send(POST.replace(b" 5", b" 300"))
        self.visitor.send(bytes(100))
        self.assertTrue(self.visitor.wire.paused)
        self.service.settings = {}
        self.goaway(0)
        self.assertFalse(self.visitor.wire.paused)
        self.visitor.send(bytes(200))
        peer = self.service.connection
        self.assertEqual((peer.streams(), len(peer.body()), peer.ended()), ([1], 300, [1]))

    def test_refused_for_ever(self) -> None:
        """A service that refuses each time is too busy."""
        self.visitor.send(GET)
        peer = self.service.connection
        for stream in range(1, 11, 2):
            peer.reset_stream(stream, 7)
        self.assertEqual(statuses(self.visitor.take()), [503])
        self.assertEqual(len(peer.streams()), 5)

    def test_refused_long_upload(self) -> None:
        """What was too long to keep cannot be sent again."""
        self.visitor.send(POST.replace(b" 5", b" 70000"))
        self.service.connection.read()
        self.service.connection.open_window(1 << 20)
        self.service.connection.open_window(1 << 20, 1)
        self.visitor.send(bytes(REPLAYED + 1))
        self.service.connection.reset_stream(1, 7)
        self.assertEqual(statuses(self.visitor.take()), [503])

    def goaway(self, last: int, code: int = 0) -> None:
        payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        self.service.connections[0].frame(7, 0, 0, payload)

    def test_goaway(self) -> None:
        """Who is above the last stream goes to a new connection; who is below is answered on the old one, which closes then."""
        other = self.another_visitor()
        self.visitor.send(GET)
        other.send(POST + b"hello")
        old = self.service.connection
        self.assertEqual(old.streams(), [1, 3])
        self.goaway(1)
        new = self.service.connection
        self.assertIsNot(new, old)
        self.assertEqual((new.streams(), new.body(), new.ended()), ([1], b"hello", [1]))
        third = self.another_visitor()
        third.send(GET)
        self.assertEqual(new.streams(), [3])
        old.answer(1, body=b"old")
        self.assertTrue(self.visitor.take().endswith(b"old"))
        self.assertTrue(old.wire.disconnecting)
        new.answer(1)
        new.answer(3)
        self.assertEqual((statuses(other.take()), statuses(third.take())), ([200], [200]))

    def test_goaway_in_two_steps(self) -> None:
        """A service that says first that it will go, and then from where on, loses no request."""
        self.visitor.send(GET)
        self.goaway(2**31 - 1)
        other = self.another_visitor()
        other.send(GET)
        self.assertEqual(len(self.service.connections), 2)
        self.goaway(1)
        self.service.connections[0].answer(1, body=b"old")
        self.service.connections[1].answer(1, body=b"new")
        self.assertTrue(self.visitor.take().endswith(b"old"))
        self.assertTrue(other.take().endswith(b"new"))

    def test_goaway_at_rest(self) -> None:
        """A connection that is not in use closes at once."""
        self.visitor.send(GET)
        self.service.connection.answer(1)
        self.goaway(1)
        self.assertTrue(self.service.connection.wire.disconnecting)
        self.visitor.send(GET)
        self.assertEqual(len(self.service.connections), 2)

    def test_stale(self) -> None:
        """A connection that breaks after it had answered is followed by a new one, for requests that may be sent twice."""
        self.visitor.send(GET)
        self.service.connection.answer(1)
        self.visitor.send(GET)
        self.service.connection.reset()
        self.assertEqual(len(self.service.connections), 2)
        self.service.connection.answer(1, body=b"again")
        self.assertTrue(self.visitor.take().endswith(b"again"))

    def test_stale_and_gone(self) -> None:
        """Nothing is sent again for a visitor who has left."""
        self.visitor.send(GET)
        self.service.connection.answer(1)
        self.visitor.send(GET)
        self.visitor.leave()
        self.service.connection.reset()
        self.assertEqual(len(self.service.connections), 1)
