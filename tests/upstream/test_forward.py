"""
Tests for ``ngrok_twisted.upstream.forward`` and ``ngrok_twisted.upstream.exchange``: a visitor's connection at one end, a
service's at the other, no sockets between.
"""

from __future__ import annotations

from ssl import SSLCertVerificationError, SSLError
from typing import Any, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectingCancelledError, ConnectionRefusedError, TimeoutError as ConnectTimeout
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.choosing import REST, Load
from ngrok_twisted.errors import UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.exchange import MAX_INFORMATIONAL
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Filtered
from tests.edge.wire import Backend, Render, Service, Visitor, Wire, statuses

GET = b"GET /path?q HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTING = POST[:-2] + b"Expect: 100-continue\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Balanced:
    """A backend that asks these in their order, and counts."""

    def __init__(self, loads: tuple[Load, ...]) -> None:
        self.loads = loads

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        for load in self.loads:
            flow.go_to(load)
            yield load.target


class ForwardTestCase(SynchronousTestCase):
    """One visitor, some services."""

    def start(self, *targets: Any, **options: Any) -> Visitor:
        self.clock = Clock()
        self.forward = Forward(Backend(*targets), self.clock, **options)
        return self.another_visitor()

    def another_visitor(self) -> Visitor:
        return Visitor(self.forward, clock=self.clock)


class PlainTests(ForwardTestCase):
    """Requests and responses that go through."""

    def test_request_head(self) -> None:
        """The service gets the request with the edge's headers, in one write."""
        service = Service()
        self.start(service).send(GET)
        self.assertEqual(
            service.connection.wire.writes,
            [
                b"GET /path?q HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.168.1.1\r\n"
                b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n\r\n"
            ],
        )

    def test_response(self) -> None:
        """The visitor gets the response as it is, in one write, and the connection serves the next request."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(
            b"HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok"
        )
        self.assertEqual(
            visitor.wire.writes,
            [b"HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok"],
        )
        visitor.send(GET)
        self.assertEqual(len(service.connections), 1)
        self.assertEqual([flow.status for flow in visitor.flows], [200])

    def test_hop_by_hop(self) -> None:
        """What concerns one connection, and the edge's own error header, do not pass the edge."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Upgrade: h2c\r\nngrok-error-code: ERR_NGROK_1\r\nX: y\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(visitor.take(), b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n")

    def test_bodies(self) -> None:
        """A request body that came with its head leaves with it."""
        service = Service()
        visitor = self.start(service)
        visitor.send(POST + b"hello")
        self.assertEqual(len(service.connection.wire.writes), 1)
        self.assertTrue(service.connection.take().endswith(b"\r\nContent-Length: 5\r\n\r\nhello"))

    def test_streamed_bodies(self) -> None:
        """A body that comes in pieces leaves in pieces, chunked as it came, with its trailers."""
        service = Service()
        visitor = self.start(service)
        visitor.send(CHUNKED_POST)
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n\r\n", service.connection.take())
        visitor.send(b"5\r\nhel")
        self.assertEqual(service.connection.take(), b"3\r\nhel\r\n")
        visitor.send(b"lo\r\n0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual(service.connection.take(), b"2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n")

    def test_body_follows(self) -> None:
        """Where it matters to the service, a head waits a moment for the first bytes of its body, or for its end."""
        for head, first, rest in (
            (POST, b"hel", b"lo"),
            (CHUNKED_POST, b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"),
            (CHUNKED_POST, b"0\r\n\r\n", b""),
        ):
            service = Service(body_wait=0.003)
            visitor = self.start(service)
            for _ in range(2):
                visitor.send(head)
                self.assertEqual(service.connection.take(), b"")
                self.clock.advance(0.002)
                service.connection.wire.writes.clear()
                visitor.send(first)
                self.assertEqual(len(service.connection.wire.writes), 1)
                self.assertTrue(service.connection.take().endswith(b"\r\n\r\n" + first))
                self.clock.advance(0.002)
                visitor.send(rest)
                self.assertEqual(service.connection.take(), rest)
                service.connection.send(OK)
                self.assertEqual(visitor.take(), OK)

    def test_body_does_not_follow(self) -> None:
        """A head whose body does not come leaves alone; one without a body, or whose visitor waits to be told, at once."""
        service = Service(body_wait=0.003)
        visitor = self.start(service)
        visitor.send(POST)
        self.clock.advance(0.004)
        self.assertTrue(service.connection.take().endswith(b"\r\nContent-Length: 5\r\n\r\n"))
        visitor.send(b"hello")
        self.assertEqual(service.connection.take(), b"hello")
        for head in (GET, EXPECTING):
            service = Service(body_wait=0.003)
            self.start(service).send(head)
            self.assertIn(b"a.example", service.connection.take())

    def test_nobody_waits_for_body(self) -> None:
        """A visitor, or a service, that leaves meanwhile is no trouble."""
        service = Service(body_wait=0.003)
        visitor = self.start(service)
        visitor.send(POST)
        visitor.leave()
        self.assertTrue(service.connection.wire.aborted)
        self.clock.advance(1)
        self.assertEqual(service.connection.take(), b"")
        visitor = self.start(service)
        visitor.send(POST)
        service.connection.close()
        self.clock.advance(1)
        self.assertEqual(statuses(visitor.take()), [502])

    def test_streamed_responses(self) -> None:
        """Each read from the service is written at once, and trailers arrive."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertEqual(visitor.take(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        service.connection.send(b"6\r\ndata: \r\n")
        self.assertEqual(visitor.take(), b"6\r\ndata: \r\n")
        service.connection.send(b"1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n")
        self.assertEqual(visitor.take(), b"1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n")
        self.assertFalse(visitor.wire.ended)

    def test_until_close(self) -> None:
        """A response that ends with the connection is chunked to the visitor, and whole."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.0 200 OK\r\n\r\nhel")
        service.connection.send(b"lo")
        service.connection.close()
        self.assertTrue(visitor.take().endswith(b"\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"))
        self.assertFalse(visitor.wire.ended)

    def test_http_1_0_visitor(self) -> None:
        """A visitor of HTTP/1.0 is never sent chunks: the close ends the body."""
        service = Service()
        visitor = self.start(service)
        visitor.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        service.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        service.connection.send(b"0\r\n\r\n")
        self.assertEqual(visitor.take(), b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
        self.assertTrue(visitor.wire.disconnecting)

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 have no body, whatever their headers say."""
        for method, status, length in ((b"HEAD", b"200", True), (b"GET", b"204", False), (b"GET", b"304", True)):
            service = Service()
            visitor = self.start(service)
            visitor.send(GET.replace(b"GET", method))
            service.connection.send(b"HTTP/1.1 %s X\r\nContent-Length: 5\r\n\r\n" % status)
            answer = visitor.take()
            self.assertEqual(b"Content-Length: 5" in answer, length)
            visitor.send(GET)
            self.assertEqual(len(service.connections), 1)

    def test_informational(self) -> None:
        """103 is passed on; 100 only to a visitor that waits for it."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        self.assertEqual(visitor.take(), b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    def test_informational_each_time(self) -> None:
        """A connection carries any number of informational responses, as long as each request has few."""
        service = Service()
        visitor = self.start(service)
        for _ in range(2 * MAX_INFORMATIONAL):
            visitor.send(GET)
            service.connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            service.connection.send(OK)
            self.assertEqual(visitor.take(), b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        self.assertEqual(len(service.connections), 1)

    def test_expect(self) -> None:
        """``Expect`` goes to the service, and its 100 to the visitor."""
        service = Service()
        visitor = self.start(service)
        visitor.send(EXPECTING)
        self.assertIn(b"\r\nExpect: 100-continue\r\n", service.connection.take())
        self.assertEqual(visitor.take(), b"")
        service.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(visitor.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        visitor.send(b"hello")
        self.assertEqual(service.connection.take(), b"hello")
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        self.assertFalse(visitor.wire.ended)

    def test_refused_expectation(self) -> None:
        """A final answer instead of 100 closes: nobody knows whether the body comes."""
        service = Service()
        visitor = self.start(service)
        visitor.send(EXPECTING)
        service.connection.send(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(visitor.take(), b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.assertTrue(visitor.wire.ended)

    def test_host_header(self) -> None:
        """A rewritten ``Host`` is undone in ``Location``."""
        service = Service(Upstream(host_header="localhost:3000"))
        visitor = self.start(service)
        visitor.send(GET)
        self.assertIn(b"\r\nHost: localhost:3000\r\n", service.connection.take())
        service.connection.send(b"HTTP/1.1 302 F\r\nLocation: http://localhost:3000/x?y\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b"\r\nLocation: https://a.example/x?y\r\n", visitor.take())

    def test_proxy_protocol(self) -> None:
        """A PROXY header comes first, and the connection is not for anybody else."""
        service = Service(Upstream(proxy_protocol=1))
        visitor = self.start(service)
        visitor.send(GET)
        first, _, rest = service.connection.take().partition(b"\r\n")
        self.assertEqual(first, b"PROXY TCP4 192.168.1.1 10.0.0.1 54321 12345")
        self.assertTrue(rest.startswith(b"GET /path"))
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        self.assertTrue(service.connection.wire.disconnecting)
        visitor.send(GET)
        self.assertEqual(len(service.connections), 2)

    def test_flow_factory(self) -> None:
        """The target is told whose request it is."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        self.assertTrue(IFlowFactory.providedBy(service.factories[0]))
        self.assertIs(service.factories[0].flow, visitor.request.flow)

    def test_resource_target(self) -> None:
        """A target may answer by itself."""
        visitor = self.start(Render(lambda request: b"fixed"))
        visitor.send(GET)
        self.assertTrue(visitor.take().endswith(b"\r\n\r\nfixed"))

    @settings(max_examples=80, deadline=None)
    @given(data=st.data())
    def test_any_split(self, data: Any) -> None:
        """However the service's answers are cut into reads, the visitor gets the same content."""
        answers = [
            OK,
            b"HTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n2\r\n!!\r\n0\r\nT: 1\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n0123456789",
        ]
        service = Service()
        visitor = self.start(service)
        for answer, body in zip(answers, (b"ok", b"hello!!", b"0123456789")):
            visitor.send(GET)
            cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=12)))
            for start, end in zip([0, *cuts], [*cuts, len(answer)]):
                if end > start:
                    service.connection.send(answer[start:end])
            received = visitor.take()
            self.assertEqual(_content(received), body)
            self.assertFalse(visitor.wire.ended)
        self.assertEqual(len(service.connections), 1)


def _content(response: bytes) -> bytes:
    """The content of the last response in these bytes."""
    head, _, body = response[response.rindex(b"HTTP/1.1") :].partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content += body[: int(size, 16)]
        if size == b"0":
            break
        body = body[int(size, 16) + 2 :]
    return content


INVALID = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "status of two digits": b"HTTP/1.1 99 X\r\n\r\n",
    "status of letters": b"HTTP/1.1 2OO X\r\n\r\n",
    "status out of range": b"HTTP/1.1 600 X\r\n\r\n",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "coding before chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nX: a\r\n\r\n",
    "bare LF between fields": b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
    "unasked upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1024 * 1024 + 1),
    "bad first chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "endless 1xx": b"HTTP/1.1 103 E\r\n\r\n" * 100,
}


class FailureTests(ForwardTestCase):
    """What goes wrong behind the edge."""

    def test_invalid_responses(self) -> None:
        """An answer that is not HTTP, or can be read in two ways, is 502; the visitor's connection lives on."""
        for name, data in INVALID.items():
            service = Service()
            visitor = self.start(service)
            visitor.send(GET)
            service.connection.send(data)
            answer = visitor.take()
            self.assertEqual([status for status in statuses(answer) if status != 103], [502], name)
            self.assertIn(b"ngrok-error-code: ERR_NGROK_3004\r\n", answer, name)
            self.assertTrue(service.connection.wire.aborted, name)
            self.assertFalse(visitor.wire.ended, name)

    def test_other_version(self) -> None:
        """A service that speaks HTTP/2 is recognised, since whoever published it has forgotten to say so."""
        for said in (b"", b"\0\3\0\0\0\x64"):
            service = Service()
            visitor = self.start(service)
            visitor.send(GET)
            service.connection.send(h2.frame_head(h2.SETTINGS, 0, 0, len(said)) + said + h2.goaway(1))
            answer = visitor.take()
            self.assertEqual(statuses(answer), [502])
            self.assertIn(b"published without http2 as its upstream protocol", answer)

    def test_nobody(self) -> None:
        """Without candidates the endpoint is offline."""
        visitor = self.start()
        visitor.send(GET)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [404])
        self.assertIn(b"ERR_NGROK_3200", answer)
        self.assertIn(b"The endpoint a.example is offline.", answer)
        self.assertEqual(visitor.flows[0].error.code, 3200)

    def test_dial_failures(self) -> None:
        """A target that cannot be reached is noted, and the next one asked."""
        dead = Service(error=ConnectionRefusedError())
        alive = Service()
        visitor = self.start(dead, alive)
        visitor.send(POST + b"hello")
        self.assertEqual(visitor.request.flow.tried, (dead,))
        alive.connection.send(OK)
        self.assertEqual(visitor.take(), OK)

    def test_last_error(self) -> None:
        """When all fail, the last error is the answer."""
        visitor = self.start(
            Service(error=ConnectionRefusedError()), Service(error=UpstreamUnreachable("No such port."))
        )
        visitor.send(GET)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [502])
        self.assertIn(b"No such port.", answer)
        self.assertIn(b"ERR_NGROK_8012", answer)

    def test_owner_sees_the_failure(self) -> None:
        """The tunnel whose service could not be reached is told of the request and its status."""
        service = Service(error=UpstreamUnreachable("No such port."))
        observed: list[Any] = []
        service.observe = observed.append  # type: ignore[attr-defined]
        visitor = self.start(service)
        visitor.send(GET)
        self.assertEqual([flow.status for flow in observed], [502])

    def test_tls_failures(self) -> None:
        """A service whose TLS or certificate cannot be used is told apart from one that is not there."""
        unproved = SSLCertVerificationError(1, "certificate verify failed")
        unproved.verify_message = "self-signed certificate"
        for error, sentence in [
            (unproved, b"The certificate of the local service is not accepted: self-signed certificate."),
            (SSLCertVerificationError(1, "?"), b"not accepted: it cannot be verified."),
            (SSLError(1, "wrong version number"), b"The local service does not speak TLS as it was said to."),
        ]:
            visitor = self.start(Service(error=error))
            visitor.send(GET)
            answer = visitor.take()
            self.assertEqual(statuses(answer), [502])
            self.assertIn(sentence, answer)
            self.assertIn(b"ERR_NGROK_8012", answer)

    def test_dial_timeout(self) -> None:
        """A target that does not answer the dial within ten seconds is given up: 504."""
        visitor = self.start(Service(waits=True))
        visitor.send(GET)
        self.clock.advance(9.9)
        self.assertEqual(visitor.take(), b"")
        self.clock.advance(0.2)
        self.assertEqual(statuses(visitor.take()), [504])

    def test_black_hole(self) -> None:
        """Targets that tell in other words that the dial took too long are given up alike, and the next one is asked."""
        for error in (ConnectingCancelledError("a"), ConnectTimeout(), DeferredTimeout(), CancelledError()):
            self.assertEqual(statuses(self.answered(Service(error=error))), [504], error)
            alive = Service()
            visitor = self.start(Service(error=error), alive)
            visitor.send(GET)
            alive.connection.send(OK)
            self.assertEqual(visitor.take(), OK)

    def answered(self, *services: Service) -> bytes:
        """What a visitor of these services reads."""
        visitor = self.start(*services)
        visitor.send(GET)
        return visitor.take()

    def test_visitor_leaves_while_dialling(self) -> None:
        """A dial is cancelled when the visitor goes."""
        service = Service(waits=True)
        visitor = self.start(service)
        visitor.send(GET)
        visitor.leave()
        self.assertEqual(service.cancelled, 1)
        self.assertEqual(len(visitor.flows), 1)

    def test_visitor_leaves(self) -> None:
        """The request at the service is broken off when the visitor goes."""
        service = Service()
        visitor = self.start(service)
        visitor.send(POST + b"he")
        visitor.leave()
        self.assertTrue(service.connection.wire.aborted)
        self.assertEqual(len(visitor.flows), 1)

    def test_closed_without_answer(self) -> None:
        """A service that closes instead of answering is 502."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.close()
        self.assertEqual(statuses(visitor.take()), [502])
        self.assertEqual(len(service.connections), 1)

    def test_no_way_back(self) -> None:
        """Once a service was reached the next one is not asked, whatever becomes of the request."""
        first, second = Service(), Service()
        visitor = self.start(first, second)
        visitor.send(GET)
        first.connection.close()
        self.assertEqual(statuses(visitor.take()), [502])
        self.assertEqual(second.connections, [])

    def test_lost_in_the_middle(self) -> None:
        """A response that breaks off is never ended as if it were whole."""
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ):
            service = Service()
            visitor = self.start(service)
            visitor.send(GET)
            service.connection.send(answer)
            service.connection.close()
            self.assertTrue(visitor.wire.aborted)
            self.assertFalse(visitor.take().endswith(b"0\r\n\r\n"))

    def test_reset_until_close(self) -> None:
        """A response that should end with the close, but ends with a reset, is broken off too."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
        service.connection.reset()
        self.assertTrue(visitor.wire.aborted)

    def test_bad_chunk_later(self) -> None:
        """A chunk that is wrong in the middle of the body breaks the visitor's connection."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        service.connection.send(b"zz\r\n")
        self.assertTrue(visitor.wire.aborted)

    def test_bare_line_ends(self) -> None:
        """A head with bare line feeds is refused at once: no more bytes could make it good."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
        self.assertEqual(statuses(visitor.take()), [502])

    def test_silent_service(self) -> None:
        """Five minutes without an answer are 504."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        self.clock.pump([1] * 299)
        self.assertEqual(visitor.take(), b"")
        self.clock.pump([1] * 6)
        self.assertEqual(statuses(visitor.take()), [504])
        self.assertTrue(service.connection.wire.aborted)

    def test_shorter_idle_timeout(self) -> None:
        """The operator may be less patient."""
        service = Service()
        visitor = self.start(service, idle_timeout=10.0)
        visitor.send(GET)
        self.clock.pump([1] * 14)
        self.assertEqual(statuses(visitor.take()), [504])

    def test_silent_visitor(self) -> None:
        """A service that waits for the rest of the body is not blamed for the visitor that does not send it."""
        service = Service()
        visitor = self.start(service, idle_timeout=10.0)
        visitor.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nstart")
        self.clock.pump([1] * 299)
        self.assertEqual(visitor.take(), b"")
        self.clock.pump([1] * 6)
        self.assertEqual(statuses(visitor.take()), [408])

    def test_failing_filter(self) -> None:
        """A module that fails over a response breaks the visitor's connection, and not the service's."""

        class Broken:
            def begin(self, head: Any) -> None:
                raise ValueError("broken")

        service = Service()
        visitor = self.start(service)
        visitor.site.resource = Filtered(self.forward, lambda request: Broken())  # type: ignore[arg-type, return-value]
        visitor.send(GET)
        service.connection.send(OK)
        self.assertTrue(visitor.wire.aborted)
        self.assertFalse(service.connection.wire.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_injected_header(self) -> None:
        """A head that a module made unsendable is 500, and the connection that was to carry it is closed."""
        service = Service()
        visitor = self.start(service)

        def inject(request: Any) -> Any:
            request.add_request_header(b"X", b"a\r\nEvil: b")
            return self.forward.render(request)

        visitor.site.resource = Render(inject)
        visitor.send(GET)
        self.assertEqual(statuses(visitor.take()), [500])
        self.assertEqual(service.connection.take(), b"")
        self.assertTrue(service.connection.wire.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_dialled_too_late(self) -> None:
        """A connection that comes about when the visitor was sent away is closed."""
        service = Service(waits=True)
        visitor = self.start(service)
        visitor.send(POST)
        visitor.end_input()
        self.assertEqual(statuses(visitor.take()), [400])
        protocol = service.factories[0].buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        service.waiting[0].callback(protocol)
        self.assertTrue(wire.disconnecting)
        self.assertEqual(wire.value(), b"")

    def test_broken_upload(self) -> None:
        """A visitor's broken body breaks the service's connection, so that nobody takes it for whole."""
        service = Service()
        visitor = self.start(service)
        visitor.send(CHUNKED_POST + b"2\r\nhe\r\n")
        visitor.send(b"oops\r\n")
        self.assertTrue(service.connection.wire.aborted)
        self.assertEqual(statuses(visitor.take()), [400])
        self.assertTrue(visitor.wire.ended)


class RepeatedAnswerTests(ForwardTestCase):
    """A service that answers as before is read by the same rules, and each visitor gets what it would have got."""

    def asked(self, request: bytes = GET, **options: Any) -> tuple[Visitor, Service]:
        """A visitor that was answered once, and has asked again."""
        service = Service(**options)
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        visitor.send(request)
        return visitor, service

    def test_same(self) -> None:
        """The same answer is passed on, counted, and the connection kept."""
        visitor, service = self.asked()
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        self.assertEqual([(flow.status, flow.bytes_out) for flow in visitor.flows], [(200, 2)] * 2)
        visitor.send(GET)
        self.assertEqual(len(service.connections), 1)

    def test_other_body(self) -> None:
        """A body of the same length is its own."""
        visitor, service = self.asked()
        service.connection.send(OK.replace(b"ok", b"no"))
        self.assertEqual(visitor.take(), OK.replace(b"ok", b"no"))

    def test_in_pieces(self) -> None:
        """It may come in any pieces."""
        for cut in range(1, len(OK)):
            visitor, service = self.asked()
            service.connection.send(OK[:cut])
            service.connection.send(OK[cut:])
            self.assertEqual(visitor.take(), OK, cut)
            self.assertEqual(visitor.flows[-1].bytes_out, 2)

    def test_too_much(self) -> None:
        """What nobody asked for reaches nobody, and ends the connection to the service."""
        visitor, service = self.asked()
        service.connection.send(OK + OK)
        self.assertEqual(visitor.take(), OK)
        visitor.send(GET)
        self.assertEqual(len(service.connections), 2)

    def test_head(self) -> None:
        """An answer to HEAD has no body, whatever the same bytes said to GET."""
        visitor, service = self.asked(GET.replace(b"GET", b"HEAD"))
        service.connection.send(OK[:-2])
        self.assertEqual(visitor.take(), OK[:-2])
        self.assertEqual(visitor.flows[-1].bytes_out, 0)

    def test_last(self) -> None:
        """A visitor that wants to close is told so."""
        visitor, service = self.asked(GET[:-2] + b"Connection: close\r\n\r\n")
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertTrue(visitor.wire.disconnecting or visitor.wire.ended)

    def test_old_visitor(self) -> None:
        """A visitor of HTTP/1.0 that keeps its connection is told so."""
        visitor, service = self.asked(b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))

    def test_unread_body(self) -> None:
        """An answer that comes before a long body is read ends the connection, as ever."""
        long = POST.replace(b"5", b"%d" % (1 << 30))
        visitor, service = self.asked(long)
        service.connection.send(OK)
        self.assertIn(b"\r\nConnection: close\r\n", visitor.take())

    def test_filtered(self) -> None:
        """Whoever wants to see answers sees this one."""
        seen = []

        class Watching:
            """Notes the status."""

            passive = True

            def begin(self, head: Any) -> None:
                """IResponseFilter."""
                seen.append((head.status, list(head.headers), head.length))
                head.headers.append((b"X-Seen", b"1"))

        self.clock = Clock()
        service = Service()
        self.forward = Forward(Backend(service), self.clock)
        visitor = Visitor(Filtered(self.forward, lambda request: Watching()), clock=self.clock)
        for _ in range(3):
            visitor.send(GET)
            service.connection.send(OK)
        self.assertEqual(visitor.take().count(b"\r\nX-Seen: 1\r\n"), 3)
        self.assertEqual(seen, [(200, [], 2)] * 3)

    def test_restored_location(self) -> None:
        """A rewritten host is turned back each time."""
        service = Service(Upstream(host_header="inner.example"))
        visitor = self.start(service)
        answer = b"HTTP/1.1 302 Found\r\nLocation: http://inner.example/x\r\nContent-Length: 0\r\n\r\n"
        for _ in range(3):
            visitor.send(GET)
            service.connection.send(answer)
            self.assertIn(b"\r\nLocation: https://a.example/x\r\n", visitor.take())


class PoolingTests(ForwardTestCase):
    """Connections that are used again, and what that may not do."""

    def idle(self, service: Service) -> Visitor:
        """A visitor who was answered; the service's connection rests."""
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(OK)
        visitor.take()
        return visitor

    def test_shared(self) -> None:
        """The next request takes the idle connection, whoever sends it."""
        service = Service()
        self.idle(service)
        self.another_visitor().send(GET)
        self.assertEqual(len(service.connections), 1)

    def test_not_shared_while_busy(self) -> None:
        """Two requests at once have a connection each."""
        service = Service()
        self.start(service).send(GET)
        self.another_visitor().send(GET)
        self.assertEqual(len(service.connections), 2)

    def test_stale(self) -> None:
        """An idle connection that turns out dead is replaced, once, and the visitor does not notice."""
        service = Service()
        visitor = self.idle(service)
        visitor.send(GET)
        service.connections[0].close()
        self.assertEqual(len(service.connections), 2)
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)

    def test_stale_with_body(self) -> None:
        """A request that must not be sent twice is not."""
        service = Service()
        visitor = self.idle(service)
        visitor.send(POST + b"hello")
        self.assertEqual(len(service.connections), 1)
        service.connections[0].close()
        self.assertEqual(statuses(visitor.take()), [502])
        self.assertEqual(len(service.connections), 1)

    def test_stale_and_gone(self) -> None:
        """Where the target of a dead connection cannot be reached any more, the next one is asked."""
        first, second = Service(), Service()
        visitor = self.start(first, second)
        visitor.send(GET)
        first.connection.send(OK)
        visitor.take()
        visitor.send(GET)
        first.error = UpstreamUnreachable()
        first.connections[0].close()
        second.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        self.assertEqual((len(first.connections), visitor.request.flow.tried), (1, (first,)))

    def test_stale_with_body_and_gone(self) -> None:
        """A request that must not be sent twice is sent to nobody else, either: it may have counted."""
        first, second = Service(), Service()
        visitor = self.start(first, second)
        visitor.send(GET)
        first.connection.send(OK)
        visitor.take()
        visitor.send(POST + b"hello")
        first.error = UpstreamUnreachable()
        first.connections[0].close()
        self.assertEqual((statuses(visitor.take()), second.connections), ([502], []))

    def test_unreachable_with_body(self) -> None:
        """As long as nothing was sent anybody may get it: the next target gets a POST with its whole body."""
        first, second = Service(error=UpstreamUnreachable()), Service()
        visitor = self.start(first, second)
        visitor.send(POST + b"he")
        self.assertTrue(second.connection.take().endswith(b"\r\n\r\nhe"))
        visitor.send(b"llo")
        self.assertEqual(second.connection.take(), b"llo")

    def test_load(self) -> None:
        """A flow counts with the target that has it, until it is over; one that was not reached rests, one that was does not."""
        services = (Service(error=UpstreamUnreachable()), Service())
        loads = tuple(map(Load, services))
        visitor = self.start(*services)
        self.forward.backend = Balanced(loads)
        visitor.send(GET)
        self.assertEqual([load.flows for load in loads], [0, 1])
        self.assertEqual([load.rests(self.clock.seconds()) for load in loads], [True, False])
        services[1].connection.send(OK)
        self.assertEqual([load.flows for load in loads], [0, 0])
        self.clock.advance(REST)
        services[0].error = None
        visitor.send(GET)
        self.assertEqual([load.flows for load in loads], [1, 0])
        visitor.leave()
        self.assertEqual([load.flows for load in loads], [0, 0])

    def test_load_of_the_impatient(self) -> None:
        """A visitor that leaves while a target is dialled is counted no longer, and holds nothing against the target."""
        service = Service(waits=True)
        load = Load(service)
        visitor = self.start(service)
        self.forward.backend = Balanced((load,))
        visitor.send(GET)
        self.assertEqual(load.flows, 1)
        visitor.leave()
        self.assertEqual((load.flows, load.rests(self.clock.seconds())), (0, False))

    def test_fresh_for_post(self) -> None:
        """A request that must not be sent twice gets a connection that was in use a moment ago, or a new one."""
        service = Service()
        visitor = self.idle(service)
        self.clock.advance(3)
        visitor.send(POST + b"hello")
        self.assertEqual(len(service.connections), 2)

    def test_closed_while_idle(self) -> None:
        """A connection that the service closed is forgotten."""
        service = Service()
        visitor = self.idle(service)
        service.connection.close()
        visitor.send(GET)
        self.assertEqual(len(service.connections), 2)

    def test_speaks_unasked(self) -> None:
        """Bytes that nobody asked for end an idle connection: they would be the next visitor's answer."""
        service = Service()
        visitor = self.idle(service)
        service.connection.send(OK)
        self.assertTrue(service.connection.wire.disconnecting)
        service.connection.close()
        visitor.send(GET)
        self.assertEqual(len(service.connections), 2)
        self.assertEqual(visitor.take(), b"")

    def test_answers_too_much(self) -> None:
        """What follows a complete response is not for the next visitor."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.assertEqual(visitor.take(), OK)
        self.assertTrue(service.connection.wire.disconnecting)
        visitor.send(GET)
        self.assertEqual(visitor.take(), b"")
        self.assertEqual(len(service.connections), 2)

    def test_closing_service(self) -> None:
        """A connection whose service says ``close`` is closed."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(OK.replace(b"Content", b"Connection: close\r\nContent"))
        self.assertEqual(visitor.take(), OK)
        self.assertTrue(service.connection.wire.disconnecting)

    def test_idle_limit(self) -> None:
        """An idle connection is closed after half a minute."""
        service = Service()
        self.idle(service)
        self.clock.pump([5] * 5)
        self.assertFalse(service.connection.wire.disconnecting)
        self.clock.pump([5] * 2)
        self.assertTrue(service.connection.wire.disconnecting)


class EarlyAnswerTests(ForwardTestCase):
    """Responses that do not wait for the request's end."""

    def test_delivered_at_once(self) -> None:
        """The visitor gets the answer, the rest of a short body is read, and the next request is served."""
        service = Service()
        visitor = self.start(service)
        visitor.send(POST + b"he")
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)
        self.assertTrue(service.connection.wire.disconnecting)
        visitor.send(b"llo" + GET)
        self.assertEqual(len(service.connections), 2)

    def test_long_upload(self) -> None:
        """A long upload is not read to its end: the connection lingers until the visitor has seen the answer."""
        service = Service()
        visitor = self.start(service)
        visitor.send(POST.replace(b"5", b"99999999") + b"he")
        service.connection.send(OK)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [200])
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertTrue(visitor.wire.half_closed)
        self.assertFalse(visitor.wire.disconnecting)
        visitor.send(b"more" * 1000)
        self.clock.pump([1] * 8)
        self.assertTrue(visitor.wire.disconnecting)


class BackPressureTests(ForwardTestCase):
    """Nobody can make the edge hold more than a bound."""

    def test_slow_visitor(self) -> None:
        """A visitor that does not read stops the service."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        visitor.channel.pauseProducing()
        self.assertTrue(service.connection.wire.paused)
        visitor.channel.resumeProducing()
        self.assertFalse(service.connection.wire.paused)

    def test_paused_connection_is_not_reused_paused(self) -> None:
        """A connection whose visitor was slow reads again when it serves the next one."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        visitor.channel.pauseProducing()
        service.connection.send(OK)
        self.assertFalse(service.connection.wire.paused)

    def test_last_write_fills_up(self) -> None:
        """A visitor that falls behind over the last bytes does not hold back the connection that is at rest by then."""
        length = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for head, rest in ((length, b"last"), (chunked, b"4\r\nlast\r\n0\r\n\r\n"), (b"", OK)):
            service = Service()
            visitor = self.start(service)
            visitor.send(GET)
            if head:
                service.connection.send(head)
            write = visitor.wire.write

            def full(data: bytes, visitor: Visitor = visitor, write: Any = write) -> None:
                write(data)
                visitor.channel.pauseProducing()

            visitor.wire.write = full  # type: ignore[method-assign]
            service.connection.send(rest)
            self.assertFalse(service.connection.wire.paused)
            self.assertEqual(len(self.forward._pool), 1)

    def test_slow_visitor_before_answer(self) -> None:
        """A visitor that is behind already when its request is forwarded stops the service at once."""
        service = Service(waits=True)
        visitor = self.start(service)
        visitor.send(GET)
        visitor.channel.pauseProducing()
        protocol = service.factories[0].buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        service.waiting[0].callback(protocol)
        self.assertTrue(wire.paused)

    def test_slow_service(self) -> None:
        """A service that does not read stops the visitor."""
        service = Service()
        visitor = self.start(service)
        visitor.send(POST.replace(b"5", b"5000000"))
        service.connection.wire.producer.pauseProducing()
        self.assertTrue(visitor.wire.paused)
        service.connection.wire.producer.resumeProducing()
        self.assertFalse(visitor.wire.paused)

    def test_upload_while_dialling(self) -> None:
        """While nobody takes the body, reading stops at a bound; then everything arrives, in order."""
        service = Service(waits=True)
        visitor = self.start(service)
        visitor.send(POST.replace(b"5", b"200000"))
        sent = 0
        while not visitor.wire.paused:
            visitor.send(b"~" * 1000)
            sent += 1000
            self.assertLess(sent, 100000)
        protocol = service.factories[0].buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        service.waiting[0].callback(protocol)
        self.assertFalse(visitor.wire.paused)
        self.assertEqual(wire.value().count(b"~"), sent)

    def test_pipelining(self) -> None:
        """Requests behind the one in work wait, in order; above a bound the visitor has to."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET + GET.replace(b"path", b"second"))
        self.assertNotIn(b"second", service.connection.take())
        while not visitor.wire.paused:
            visitor.send(GET * 100)
            self.assertLess(len(visitor.channel._buffer), 200000)
        service.connection.send(OK)
        self.assertIn(b"second", service.connection.take())

    def test_large_response_keeps_nothing(self) -> None:
        """What comes from the service is written at once: the edge holds nothing of a response."""
        service = Service()
        visitor = self.start(service)
        visitor.send(GET)
        service.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(10):
            service.connection.send(b"x" * 65536)
            self.assertEqual(len(visitor.take()) % 65536, len(visitor.wire.writes[0]) if _ == 0 else 0)


class UpgradeTests(ForwardTestCase):
    """101, and two raw streams."""

    def upgraded(self) -> tuple[Visitor, Service]:
        service = Service()
        visitor = self.start(service)
        visitor.send(UPGRADE + b"early")
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", service.connection.take())
        service.connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi"
        )
        return visitor, service

    def test_head_and_early_bytes(self) -> None:
        """Bytes that came with either head arrive behind it."""
        visitor, service = self.upgraded()
        self.assertEqual(
            visitor.take(), b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi"
        )
        self.assertEqual(service.connection.take(), b"early")

    def test_both_ways(self) -> None:
        """From then on bytes pass as they are, and each side is the other's producer."""
        visitor, service = self.upgraded()
        visitor.take(), service.connection.take()
        visitor.send(b"GET / not a request")
        self.assertEqual(service.connection.take(), b"GET / not a request")
        service.connection.send(b"\x81\x00")
        self.assertEqual(visitor.take(), b"\x81\x00")
        self.assertIs(visitor.wire.producer, service.connection.wire)
        self.assertIs(service.connection.wire.producer, visitor.wire)

    def test_half_close(self) -> None:
        """One side's end is told to the other, which may still speak."""
        visitor, service = self.upgraded()
        visitor.take()
        visitor.end_input()
        self.assertTrue(service.connection.wire.half_closed)
        service.connection.send(b"bye")
        self.assertEqual(visitor.take(), b"bye")
        service.connection.protocol.readConnectionLost()
        self.assertTrue(visitor.wire.disconnecting)
        self.assertEqual(len(visitor.flows), 1)

    def test_visitor_leaves(self) -> None:
        """The service's side is closed when the visitor is gone, and the flow ends."""
        visitor, service = self.upgraded()
        visitor.leave()
        self.assertTrue(service.connection.wire.disconnecting)
        self.assertEqual([flow.status for flow in visitor.flows], [101])

    def test_service_leaves(self) -> None:
        """The visitor's side is closed when the service is gone."""
        visitor, service = self.upgraded()
        service.connection.reset()
        self.assertTrue(visitor.wire.disconnecting)
        self.assertEqual(len(visitor.flows), 1)

    def test_idle(self) -> None:
        """Four quiet minutes are fine, five are the end."""
        visitor, service = self.upgraded()
        self.clock.pump([1] * 240)
        self.assertFalse(visitor.wire.disconnecting)
        visitor.send(b"ping")
        self.clock.pump([1] * 290)
        self.assertFalse(visitor.wire.disconnecting)
        self.clock.pump([1] * 20)
        self.assertTrue(visitor.wire.disconnecting)
        self.assertTrue(service.connection.wire.disconnecting)

    def test_refused(self) -> None:
        """A service that does not upgrade answers as usual."""
        service = Service()
        visitor = self.start(service)
        visitor.send(UPGRADE)
        service.connection.send(OK)
        self.assertEqual(visitor.take(), OK)

    def test_h2c(self) -> None:
        """An upgrade past the edge's own HTTP is not forwarded."""
        service = Service()
        visitor = self.start(service)
        visitor.send(UPGRADE.replace(b"websocket", b"h2c"))
        self.assertNotIn(b"pgrade", service.connection.take())
