"""
Tests for ``ngrok_twisted.edge.request`` and ``ngrok_twisted.edge.stock``: stock resources, modules and filters.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import Data, File
from twisted.web.util import Redirect
from zope.interface.verify import verifyObject

from ngrok_twisted.collect import Collected
from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.errors import EdgeError
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Filtered, Guard, ResponseHead
from tests.edge.wire import Backend, Render, Visitor, statuses

GET = b"GET /a/b%20c?x=1&x=2&y HTTP/1.1\r\nHost: a.example\r\nCookie: k=v; l=w\r\nAuthorization: Basic dTpw\r\n\r\n"


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class StockTests(SynchronousTestCase):
    """Resources that were written for ``twisted.web``."""

    def request(self, data: bytes = GET) -> Any:
        visitor = Visitor(Render(waiting))
        visitor.send(data)
        return visitor.request

    def test_request(self) -> None:
        """They find what they look for."""
        request = self.request()
        self.assertTrue(verifyObject(IRequest, request))
        self.assertEqual(request.path, b"/a/b%20c")
        self.assertEqual(request.postpath, [b"a", b"b c"])
        self.assertEqual(request.args, {b"x": [b"1", b"2"], b"y": [b""]})
        self.assertEqual(request.getCookie(b"l"), b"w")
        self.assertEqual((request.getUser(), request.getPassword()), (b"u", b"p"))
        self.assertEqual(request.getHeader("Host"), "a.example")
        self.assertEqual(request.requestHeaders.getRawHeaders(b"host"), [b"a.example"])
        self.assertEqual(request.getRequestHostname(), b"a.example")
        self.assertEqual(request.prePathURL(), b"https://a.example/")
        self.assertTrue(request.isSecure())
        self.assertEqual(request.getClientAddress().host, "192.168.1.1")

    def test_children(self) -> None:
        """A tree of resources is walked down."""
        root, child = Resource(), Resource()
        root.putChild(b"a", child)
        child.putChild(b"b c", Data(b"deep", "text/plain"))
        visitor = Visitor(Forward(Backend(root), None))
        visitor.send(GET)
        answer = visitor.take()
        self.assertIn(b"Content-Type: text/plain\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\ndeep"))

    def test_file(self) -> None:
        """Files are served, whole or in ranges, by the producer that ``static.File`` brings."""
        folder = FilePath(self.mktemp())
        folder.makedirs()
        folder.child("f.txt").setContent(b"0123456789" * 20000)
        visitor = Visitor(Forward(Backend(File(folder.path)), None))
        visitor.send(b"GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        visitor.clock.pump([0] * 20)
        head, _, body = visitor.take().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 200000", head)
        self.assertEqual(body, b"0123456789" * 20000)
        visitor.send(b"GET /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=3-5\r\n\r\n")
        visitor.clock.pump([0] * 20)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [206])
        self.assertTrue(answer.endswith(b"\r\n\r\n345"))
        self.assertEqual(len(visitor.flows), 2)

    def test_file_to_slow_visitor(self) -> None:
        """A producer is not asked while the visitor is behind, and stopped when it leaves."""
        folder = FilePath(self.mktemp())
        folder.makedirs()
        folder.child("f").setContent(b"x" * 1000000)
        visitor = Visitor(Forward(Backend(File(folder.path)), None))
        visitor.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        visitor.channel.pauseProducing()
        before = len(visitor.wire.value())
        visitor.clock.pump([0] * 50)
        self.assertEqual(len(visitor.wire.value()), before)
        visitor.channel.resumeProducing()
        visitor.clock.pump([0] * 3)
        self.assertGreater(len(visitor.wire.value()), before)
        visitor.leave()
        self.assertEqual(visitor.clock.getDelayedCalls(), [])

    def test_redirect(self) -> None:
        """Status, headers and cookies are sent as they were set."""

        class Login(Redirect):
            def render(self, request: Any) -> bytes:
                request.addCookie(b"sid", b"1", path=b"/", secure=True, httpOnly=True)
                return super().render(request)

        visitor = Visitor(Login(b"/next"))
        visitor.send(GET)
        answer = visitor.take()
        self.assertIn(b"HTTP/1.1 302 Found\r\n", answer)
        self.assertIn(b"Location: /next\r\n", answer)
        self.assertIn(b"Set-Cookie: sid=1; Path=/; Secure; HttpOnly\r\n", answer)

    def test_method_not_allowed(self) -> None:
        """A method that a resource lacks is 405 with the list of those it has."""
        leaf = Data(b"x", "text/plain")
        leaf.isLeaf = True
        visitor = Visitor(leaf)
        visitor.send(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = visitor.take()
        self.assertEqual(statuses(answer), [405])
        self.assertIn(b"Allow: ", answer)

    def test_not_modified(self) -> None:
        """A tag that the visitor has is 304, without a body."""

        def render(request: Any) -> bytes:
            request.setETag(b'"t"')
            return b"body"

        visitor = Visitor(Render(render))
        visitor.send(GET[:-2] + b'If-None-Match: "t"\r\n\r\n')
        answer = visitor.take()
        self.assertEqual(statuses(answer), [304])
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_streaming(self) -> None:
        """A resource that writes piece by piece is chunked."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        done = visitor.request.notifyFinish()
        visitor.request.write(b"one")
        self.assertTrue(visitor.take().endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"))
        visitor.request.finish()
        self.assertEqual(visitor.take(), b"0\r\n\r\n")
        self.assertIsNone(self.successResultOf(done))

    def test_visitor_leaves(self) -> None:
        """A resource is told when the visitor goes."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        done = visitor.request.notifyFinish()
        visitor.leave()
        self.failureResultOf(done)

    def test_form(self) -> None:
        """A collected form is in ``args`` and ``content``."""
        visitor = Visitor(Collected(Render(lambda request: repr((request.args, request.content.read())).encode()), 100))
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n"
        visitor.send(b"POST /?a=0 HTTP/1.1\r\nHost: a\r\n" + form + b"a")
        visitor.send(b"=1")
        self.assertIn(b"({b'a': [b'0', b'1']}, b'a=1')", visitor.take())

    def test_too_large_to_collect(self) -> None:
        """Above the bound a body is 413, whether its length was told or not."""
        for framing, body in ((b"Content-Length: 101", b"x"), (b"Transfer-Encoding: chunked", b"65\r\n" + b"x" * 101)):
            visitor = Visitor(Collected(Render(lambda request: b"never"), 100))
            visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + body)
            self.assertEqual(statuses(visitor.take()), [413])

    def test_self_answered_expectation(self) -> None:
        """A resource that answers without the body has the visitor send it first, and the connection goes on."""
        visitor = Visitor(Render(lambda request: b"ok"))
        visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(statuses(visitor.take()), [100, 200])
        visitor.send(b"hello" + GET)
        self.assertEqual(statuses(visitor.take()), [200])


class FailureTests(SynchronousTestCase):
    """What a resource raises."""

    def test_edge_error(self) -> None:
        """An `EdgeError` is the answer."""

        def refuse(request: Any) -> bytes:
            raise EdgeError("Not <you>.", status=403, code=3205)

        visitor = Visitor(Render(refuse))
        visitor.send(GET)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [403])
        self.assertIn(b"ngrok-error-code: ERR_NGROK_3205\r\n", answer)
        self.assertEqual(visitor.flows[0].error.code, 3205)

    def test_defect(self) -> None:
        """Anything else is 500, logged, and tells the visitor nothing."""

        def fail(request: Any) -> bytes:
            raise ValueError("secret")

        visitor = Visitor(Render(fail))
        visitor.send(GET)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [500])
        self.assertNotIn(b"secret", answer)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_defect_in_mid_answer(self) -> None:
        """After the head it is too late for an answer: the connection breaks."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        visitor.request.write(b"x")
        visitor.request.fail(EdgeError())
        self.assertTrue(visitor.wire.aborted)


class Upper:
    """A filter that shouts, and adds a line at the end."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark

    def begin(self, head: ResponseHead) -> None:
        head.length = None
        head.headers.append((b"X-Mark", self.mark))

    def feed(self, data: bytes) -> bytes:
        return data.upper() if self.mark == b"1" else data + b"."

    def finish(self) -> bytes:
        return b"end" + self.mark


class Marks:
    """A filter that leaves the body alone."""

    passive = True

    def __init__(self, sizes: list[Any] | None = None) -> None:
        self.sizes = sizes

    def begin(self, head: ResponseHead) -> None:
        head.headers.append((b"X-Mark", b"yes"))
        if self.sizes is not None:
            self.sizes.append(head.length)

    def feed(self, data: bytes) -> bytes:
        raise AssertionError("a passive filter was fed")

    finish = feed  # type: ignore[assignment]


class ModuleTests(SynchronousTestCase):
    """Guards and filters around a resource."""

    def test_filters(self) -> None:
        """Filters run innermost first; what an inner one adds at the end passes the outer ones."""
        inner = Filtered(Render(lambda request: b"body"), lambda request: Upper(b"2"))
        visitor = Visitor(Filtered(inner, lambda request: Upper(b"1")))
        visitor.send(GET)
        head, _, body = visitor.take().partition(b"\r\n\r\n")
        self.assertEqual(body, b"BODY.END2end1")
        self.assertIn(b"Content-Length: 13", head)
        self.assertLess(head.index(b"X-Mark: 2"), head.index(b"X-Mark: 1"))

    def test_streamed_filters(self) -> None:
        """A streamed response is filtered piece by piece."""
        visitor = Visitor(Filtered(Render(waiting), lambda request: Upper(b"1")))
        visitor.send(GET)
        visitor.request.write(b"a")
        visitor.take()
        visitor.request.write(b"b")
        self.assertEqual(visitor.take(), b"1\r\nB\r\n")
        visitor.request.finish()
        self.assertEqual(visitor.take(), b"4\r\nend1\r\n0\r\n\r\n")

    def test_filters_of_head(self) -> None:
        """A response without a body gets the filters' headers, and stays without."""
        visitor = Visitor(Filtered(Render(lambda request: b"body"), lambda request: Upper(b"1")))
        visitor.send(GET.replace(b"GET", b"HEAD", 1))
        answer = visitor.take()
        self.assertIn(b"X-Mark: 1\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_passive_filters(self) -> None:
        """A filter of the head alone is not asked about the body, which is passed on without a copy."""
        visitor = Visitor(Filtered(Render(waiting), lambda request: Marks()))
        visitor.send(GET)
        visitor.request.write(b"first")
        self.assertIn(b"X-Mark: yes\r\n", visitor.take())
        written: list[Any] = []
        self.patch(HTTPChannel, "write_body", lambda channel, request, buffers: written.extend(buffers))
        piece = bytearray(b"more")
        visitor.request.write_batch([piece])
        self.assertIs(written[0], piece)

    def test_known_size(self) -> None:
        """Filters are told the size of a body that is all there, and no size is made up where there is no body."""
        sizes: list[Any] = []
        for method, expected in ((b"GET", 4), (b"HEAD", None)):
            visitor = Visitor(Filtered(Render(waiting), lambda request: Marks(sizes)))
            visitor.send(GET.replace(b"GET", method, 1))
            visitor.request.respond(ResponseHead(200, b"OK", [], None), [b"body"], last=True)
            self.assertEqual(sizes.pop(), expected)
            self.assertEqual(b"Content-Length: 4" in visitor.take(), method == b"GET")

    def test_errors_are_filtered(self) -> None:
        """The edge's own error answers pass the filters too."""
        visitor = Visitor(Filtered(Forward(Backend(), None), lambda request: Upper(b"1")))
        visitor.send(GET)
        self.assertIn(b"X-Mark: 1\r\n", visitor.take())

    def test_guard(self) -> None:
        """A guard lets pass, answers, or decides later."""
        later: Deferred[Any] = Deferred()
        for verdict, body in ((None, b"inside"), (Render(lambda request: b"guard"), b"guard"), (later, b"inside")):
            visitor = Visitor(Guard(Render(lambda request: b"inside"), lambda request, verdict=verdict: verdict))
            visitor.send(GET)
            if verdict is later:
                self.assertEqual(visitor.take(), b"")
                later.callback(None)
            self.assertTrue(visitor.take().endswith(b"\r\n\r\n" + body))

    def test_guard_fails_later(self) -> None:
        """A guard that fails later answers with its error."""
        later: Deferred[Any] = Deferred()
        visitor = Visitor(Guard(Render(lambda request: b"inside"), lambda request: later))
        visitor.send(GET)
        later.errback(EdgeError(status=403))
        self.assertEqual(statuses(visitor.take()), [403])

    def test_changed_request(self) -> None:
        """Headers that a module sets, adds and removes are those that the next one sees."""
        visitor = Visitor(Render(waiting))
        visitor.send(GET)
        request = visitor.request
        self.assertEqual(request.requestHeaders.getRawHeaders(b"cookie"), [b"k=v; l=w"])
        request.set_request_header(b"Cookie", None)
        request.set_request_header(b"X-User", b"a")
        request.add_request_header(b"X-User", b"b")
        self.assertEqual(request.header_values(b"x-user"), [b"a", b"b"])
        self.assertIsNone(request.requestHeaders.getRawHeaders(b"cookie"))
