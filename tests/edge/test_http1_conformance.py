"""
What an HTTP/1.1 server must accept, refuse and close on: RFC 9112 and RFC 9110 as a table, smuggling included.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.collect import collected
from tests.edge.wire import Render, Visitor, statuses


def _echo(request: Any) -> bytes:
    return b"[" + request.method + b" " + request.uri + b" " + request.content.read() + b"]"


def visitor() -> Visitor:
    return Visitor(collected(Render(_echo), 65536))


HOST = b"Host: a.example\r\n"
END = b"\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n"


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    return first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"", first: bytes = b"POST / HTTP/1.1") -> bytes:
    return get(*lines, first=first) + body


CHUNKED = b"Transfer-Encoding: chunked"

# what is sent -> the one status that is answered; the connection is closed, and what follows is not a request
REFUSED = {
    # the request line
    "no version": (get(first=b"GET /"), 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/2.0": (get(first=b"GET / HTTP/2.0"), 505),
    "HTTP/3": (get(first=b"GET / HTTP/3"), 505),
    "HTTP/1": (get(first=b"GET / HTTP/1"), 400),
    "HTTP/1.10": (get(first=b"GET / HTTP/1.10"), 400),
    "HTTP/0.9 spelled out": (get(first=b"GET / HTTP/0.9"), 400),
    "lower-case version": (get(first=b"GET / http/1.1"), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "two spaces": (get(first=b"GET  / HTTP/1.1"), 400),
    "tab as separator": (get(first=b"GET\t/ HTTP/1.1"), 400),
    "space at the end": (get(first=b"GET / HTTP/1.1 "), 400),
    "space in the target": (get(first=b"GET /a b HTTP/1.1"), 400),
    "space before the method": (get(first=b" GET / HTTP/1.1"), 400),
    "no target": (get(first=b"GET HTTP/1.1"), 400),
    "method of other characters": (get(first=b"G@T / HTTP/1.1"), 400),
    "fragment": (get(first=b"GET /a#b HTTP/1.1"), 400),
    "target without slash": (get(first=b"GET a HTTP/1.1"), 400),
    "target beyond ASCII": (get(first=b"GET /\xc3\xa9 HTTP/1.1"), 400),
    "NUL in the target": (get(first=b"GET /\0 HTTP/1.1"), 400),
    "asterisk with GET": (get(first=b"GET * HTTP/1.1"), 400),
    "authority with GET": (get(first=b"GET a.example:80 HTTP/1.1"), 400),
    "CONNECT": (get(first=b"CONNECT a.example:443 HTTP/1.1"), 405),
    "absolute target of another host": (get(first=b"GET http://b.example/ HTTP/1.1"), 400),
    "absolute target of another port": (get(first=b"GET http://a.example:81/ HTTP/1.1"), 400),
    "absolute target with a user": (get(first=b"GET http://u@a.example/ HTTP/1.1"), 400),
    "absolute target without host": (get(first=b"GET http:///x HTTP/1.1"), 400),
    "absolute target of another scheme": (get(first=b"GET ftp://a.example/ HTTP/1.1"), 400),
    # Host
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "empty Host": (get(host=b"Host:\r\n"), 400),
    "two Hosts": (get(b"Host: b.example"), 400),
    "two equal Hosts": (get(b"Host: a.example"), 400),
    "space in Host": (get(host=b"Host: a b\r\n"), 400),
    "path in Host": (get(host=b"Host: a.example/x\r\n"), 400),
    "user in Host": (get(host=b"Host: u@a.example\r\n"), 400),
    "list in Host": (get(host=b"Host: a.example, b.example\r\n"), 400),
    "port without number": (get(host=b"Host: a.example:x\r\n"), 400),
    "port out of range": (get(host=b"Host: a.example:70000\r\n"), 400),
    "open bracket": (get(host=b"Host: [::1\r\n"), 400),
    # fields
    "obs-fold": (get(b"X: a", b" b"), 400),
    "obs-fold with tab": (get(b"X: a", b"\tb"), 400),
    "obs-fold of Host": (get(b"  more"), 400),
    "field before the fields": (b"GET / HTTP/1.1\r\n X: y\r\nHost: a.example\r\n\r\n", 400),
    "space before colon": (get(b"X : a"), 400),
    "space before colon of Host": (get(host=b"Host : a.example\r\n"), 400),
    "tab before colon": (get(b"X\t: a"), 400),
    "space in name": (get(b"Bad Name: a"), 400),
    "empty name": (get(b": a"), 400),
    "no colon": (get(b"nonsense"), 400),
    "name beyond ASCII": (get(b"X\xe9: a"), 400),
    "slash in name": (get(b"X/Y: a"), 400),
    "NUL in value": (get(b"X: a\0b"), 400),
    "DEL in value": (get(b"X: a\x7fb"), 400),
    "control character in value": (get(b"X: a\x01b"), 400),
    "vertical tab in value": (get(b"X: a\x0bb"), 400),
    "bare CR in value": (get(b"X: a\rb"), 400),
    "bare CR before a field": (get(b"X: a\rContent-Length: 5"), 400),
    "bare LF ends a field": (b"GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", 400),
    "bare LF ends the request line": (b"GET / HTTP/1.1\nHost: a.example\r\n\r\n", 400),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: a.example\n\n", 400),
    "CR CR LF": (b"GET / HTTP/1.1\r\nHost: a.example\r\r\n\r\n", 400),
    "unknown expectation": (get(b"Expect: a-miracle"), 417),
    # framing
    "both framings": (post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    "both framings, the other order": (post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    "two lengths": (post(b"Content-Length: 5", b"Content-Length: 7", body=b"hello!!"), 400),
    "two equal lengths": (post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), 400),
    "list of equal lengths": (post(b"Content-Length: 5, 5", body=b"hello"), 400),
    "length with a sign": (post(b"Content-Length: +5", body=b"hello"), 400),
    "negative length": (post(b"Content-Length: -5", body=b"hello"), 400),
    "hexadecimal length": (post(b"Content-Length: 0x5", body=b"hello"), 400),
    "length with a space": (post(b"Content-Length: 5 0", body=b"hello"), 400),
    "length with a point": (post(b"Content-Length: 5.0", body=b"hello"), 400),
    "length with an underscore": (post(b"Content-Length: 1_0", body=b"hello"), 400),
    "empty length": (post(b"Content-Length:", body=b"hello"), 400),
    "length of letters": (post(b"Content-Length: xyz", body=b"hello"), 400),
    "length beyond 64 bits": (post(b"Content-Length: 18446744073709551621", body=b"hello"), 400),
    "unknown coding": (post(b"Transfer-Encoding: nonsense", body=b"hello"), 501),
    "gzip before chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "identity": (post(b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), 501),
    "chunked is not last": (post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), 400),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    "chunked in two fields": (post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    "a coding after chunked in another field": (post(CHUNKED, b"Transfer-Encoding: x", body=b"0\r\n\r\n"), 400),
    "chunked with a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    "chunked with a parameter": (post(b"Transfer-Encoding: chunked;x=y", body=b"0\r\n\r\n"), 400),
    "empty coding": (post(b"Transfer-Encoding:", body=b"0\r\n\r\n"), 400),
    "space before the coding's colon": (post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    "chunked in HTTP/1.0": (post(CHUNKED, body=b"0\r\n\r\n", first=b"POST / HTTP/1.0"), 400),
    # chunks
    "size of other letters": (post(CHUNKED, body=b"Z\r\nhello\r\n0\r\n\r\n"), 400),
    "size with a prefix": (post(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "size with a sign": (post(CHUNKED, body=b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "negative size": (post(CHUNKED, body=b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    "size with an underscore": (post(CHUNKED, body=b"1_0\r\nhello\r\n0\r\n\r\n"), 400),
    "size with a space before": (post(CHUNKED, body=b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    "size with a space behind": (post(CHUNKED, body=b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    "size beyond 64 bits": (post(CHUNKED, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    "empty size": (post(CHUNKED, body=b"\r\nhello\r\n0\r\n\r\n"), 400),
    "size without a number": (post(CHUNKED, body=b";x=y\r\nhello\r\n0\r\n\r\n"), 400),
    "bare LF after the size": (post(CHUNKED, body=b"5\nhello\r\n0\r\n\r\n"), 400),
    "bare CR after the size": (post(CHUNKED, body=b"5\rhello\r\n0\r\n\r\n"), 400),
    "bare LF in an extension": (post(CHUNKED, body=b"5;x\nhello\r\n0\r\n\r\n"), 400),
    "endless extension": (post(CHUNKED, body=b"5;" + b"x" * 1000 + b"\r\nhello\r\n0\r\n\r\n"), 400),
    "no CRLF after the data": (post(CHUNKED, body=b"5\r\nhello0\r\n\r\n"), 400),
    "data longer than its size": (post(CHUNKED, body=b"5\r\nhelloworld\r\n0\r\n\r\n"), 400),
    "bare LF after the data": (post(CHUNKED, body=b"5\r\nhello\n0\r\n\r\n"), 400),
    "a trailer that folds": (post(CHUNKED, body=b"0\r\nX: y\r\n z\r\n\r\n"), 400),
    "a trailer without colon": (post(CHUNKED, body=b"0\r\nnonsense\r\n\r\n"), 400),
    "a trailer with a NUL": (post(CHUNKED, body=b"0\r\nX: \0\r\n\r\n"), 400),
}

# what is sent -> the body of the answer; the connection stays usable
ACCEPTED = {
    "a plain GET": (get(), b"[GET / ]"),
    "an empty line before": (b"\r\n" + get(), b"[GET / ]"),
    "a later minor version": (get(first=b"GET / HTTP/1.2"), b"[GET / ]"),
    "a query": (get(first=b"GET /a?b=c&d HTTP/1.1"), b"[GET /a?b=c&d ]"),
    "an unknown method": (get(first=b"BREW /pot HTTP/1.1"), b"[BREW /pot ]"),
    "a lower-case method": (get(first=b"get / HTTP/1.1"), b"[get / ]"),
    "a method of other parsers": (get(first=b"DESCRIBE / HTTP/1.1"), b"[DESCRIBE / ]"),
    "asterisk with OPTIONS": (get(first=b"OPTIONS * HTTP/1.1"), b"[OPTIONS * ]"),
    "an absolute target": (get(first=b"GET http://a.example/x?y HTTP/1.1"), b"[GET /x?y ]"),
    "an absolute target in capitals": (get(first=b"GET HTTPS://A.example:443 HTTP/1.1"), b"[GET / ]"),
    "a Host with a port": (get(host=b"Host: a.example:8443\r\n"), b"[GET / ]"),
    "an address as Host": (get(host=b"Host: [::1]:80\r\n"), b"[GET / ]"),
    "spaces around a value": (get(b"X: \t a \t"), b"[GET / ]"),
    "a value of other characters": (get(b"X: \xc3\xa9"), b"[GET / ]"),
    "an empty value": (get(b"X:"), b"[GET / ]"),
    "a body of a length": (post(b"Content-Length: 5", body=b"hello"), b"[POST / hello]"),
    "a body of no length": (post(b"Content-Length: 0"), b"[POST / ]"),
    "a GET with a body": (get(b"Content-Length: 5") + b"hello", b"[GET / hello]"),
    "a chunked body": (post(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"), b"[POST / hello]"),
    "chunked in capitals": (post(b"transfer-encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"), b"[POST / hello]"),
    "several chunks": (post(CHUNKED, body=b"2\r\nhe\r\n003\r\nllo\r\n00\r\n\r\n"), b"[POST / hello]"),
    "an extension": (post(CHUNKED, body=b'5;x="y"\r\nhello\r\n0;z\r\n\r\n'), b"[POST / hello]"),
    "a trailer": (post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), b"[POST / hello]"),
    "a size in capitals": (post(CHUNKED, body=b"A\r\nhellohello\r\n0\r\n\r\n"), b"[POST / hellohello]"),
}


class RefusalTests(SynchronousTestCase):
    """Messages that are not HTTP/1.1, or that two parsers could read in two ways."""

    def test_refused(self) -> None:
        """Each gets its status, the connection ends, and the bytes behind are never taken for a request."""
        for name, (data, status) in REFUSED.items():
            for smuggled in (NEXT, b""):
                at = visitor()
                at.send(data + smuggled)
                at.end_input()
                answer = at.take()
                self.assertEqual(statuses(answer), [status], name)
                self.assertNotIn(b"/next", answer, name)
                self.assertTrue(at.wire.ended, name)
                self.assertIn(b"\r\nConnection: close\r\n", answer, name)

    def test_refused_byte_by_byte(self) -> None:
        """How the bytes are cut does not change the verdict."""
        for name, (data, status) in REFUSED.items():
            at = visitor()
            for position in range(len(data)):
                at.send(data[position : position + 1])
            at.end_input()
            self.assertEqual(statuses(at.take()), [status], name)


class AcceptanceTests(SynchronousTestCase):
    """Messages that a server must understand."""

    def test_accepted(self) -> None:
        """Each is understood, and the connection serves the next request."""
        for name, (data, body) in ACCEPTED.items():
            at = visitor()
            at.send(data + NEXT)
            answer = at.take()
            self.assertEqual(statuses(answer), [200, 200], name)
            self.assertIn(body, answer, name)
            self.assertIn(b"[GET /next ]", answer, name)
            self.assertFalse(at.wire.ended, name)

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_any_split(self, data: Any) -> None:
        """However the stream is cut into reads, the answers are the same."""
        stream = b"".join(message for message, _ in ACCEPTED.values())
        whole = visitor()
        whole.send(stream)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
        cut = visitor()
        for start, end in zip([0, *cuts], [*cuts, len(stream)]):
            if end > start:
                cut.send(stream[start:end])
        self.assertEqual(cut.take(), whole.take())


class ConnectionTests(SynchronousTestCase):
    """Who closes, and when (RFC 9112 section 9)."""

    def test_close(self) -> None:
        """``Connection: close`` is answered and honoured; nothing behind it is served."""
        at = visitor()
        at.send(get(b"Connection: close") + NEXT)
        answer = at.take()
        self.assertEqual(statuses(answer), [200])
        self.assertIn(b"Connection: close\r\n", answer)
        self.assertTrue(at.wire.ended)

    def test_http_1_0(self) -> None:
        """HTTP/1.0 closes by default, and may go without Host."""
        at = visitor()
        at.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = at.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
        self.assertIn(b"Connection: close\r\n", answer)
        self.assertTrue(at.wire.ended)

    def test_http_1_0_keep_alive(self) -> None:
        """HTTP/1.0 stays when it asks to, and is told so."""
        at = visitor()
        at.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertIn(b"Connection: keep-alive\r\n", at.take())
        self.assertFalse(at.wire.ended)

    def test_half_close(self) -> None:
        """A visitor that ends its side after its requests still gets every answer, and then the end."""
        at = visitor()
        at.send(get() + NEXT)
        at.end_input()
        self.assertEqual(statuses(at.take()), [200, 200])
        self.assertTrue(at.wire.disconnecting)

    def test_half_close_in_head(self) -> None:
        """A request that ends in the middle of its head is refused."""
        at = visitor()
        at.send(b"GET / HTTP/1.1\r\nHost: a.exa")
        at.end_input()
        self.assertEqual(statuses(at.take()), [400])
        self.assertTrue(at.wire.ended)

    def test_half_close_in_body(self) -> None:
        """A request that ends in the middle of its body is refused."""
        at = visitor()
        at.send(post(b"Content-Length: 5", body=b"hel"))
        at.end_input()
        self.assertEqual(statuses(at.take()), [400])
        self.assertTrue(at.wire.ended)

    def test_head(self) -> None:
        """HEAD has the length of the GET and no body."""
        at = visitor()
        at.send(get(first=b"HEAD / HTTP/1.1"))
        answer = at.take()
        self.assertIn(b"Content-Length: 9\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_expect(self) -> None:
        """A body that is wanted is asked for with 100; the answer follows it."""
        at = visitor()
        at.send(post(b"Content-Length: 5", b"Expect: 100-continue"))
        self.assertEqual(at.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        at.send(b"hello")
        self.assertIn(b"[POST / hello]", at.take())
        self.assertFalse(at.wire.ended)

    def test_large_head(self) -> None:
        """A head above 1 MB is 431, also when its end never comes."""
        for end in (b"\r\n\r\n", b""):
            at = visitor()
            at.send(get().rstrip() + b"\r\nX: " + b"a" * (1024 * 1024) + end)
            self.assertEqual(statuses(at.take()), [431])
            self.assertTrue(at.wire.ended)

    def test_head_below_the_limit(self) -> None:
        """A head of half a megabyte is fine."""
        at = visitor()
        at.send(get(b"X: " + b"a" * (512 * 1024)))
        self.assertEqual(statuses(at.take()), [200])

    def test_many_fields(self) -> None:
        """More fields than anybody needs are 431."""
        at = visitor()
        at.send(get(*[b"X-%d: y" % number for number in range(2000)]))
        self.assertEqual(statuses(at.take()), [431])
        self.assertTrue(at.wire.ended)
