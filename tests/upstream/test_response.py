"""
Tests for ``ngrok_twisted.upstream.response``; what is refused is in ``test_forward``, from end to end.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.response import BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, parse_response


class ResponseTests(SynchronousTestCase):
    """How a body ends, and whether the connection stays."""

    def test_framing(self) -> None:
        """RFC 9112 section 6.3, case by case."""
        for head, method, framing, length, persistent in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0", b"GET", BY_LENGTH, 0, True),
            (b"HTTP/1.1 200\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", b"GET", CHUNKED, None, True),
            (b"HTTP/1.1 200 OK", b"GET", UNTIL_CLOSE, None, True),
            (b"HTTP/1.0 200 OK", b"GET", UNTIL_CLOSE, None, False),
            (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, False),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"HEAD", NO_BODY, 5, True),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"HEAD", NO_BODY, None, True),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", b"GET", NO_BODY, 5, True),
            (b"HTTP/1.1 204 No Content\r\nContent-Length: 5", b"GET", NO_BODY, None, True),
            (b"HTTP/1.1 103 Early Hints", b"GET", NO_BODY, None, True),
        ):
            response = parse_response(head + b"\r\n\r\n", method)
            self.assertEqual(
                (response.framing, response.length, response.persistent), (framing, length, persistent), head
            )

    def test_fields(self) -> None:
        """The visitor's fields keep order, spelling and repetitions; those of the connection are gone."""
        response = parse_response(
            b"HTTP/1.1 200 \r\nb: 1\r\nA: 2\r\nConnection: close, b\r\nNGROK-Error-Code: x\r\nA: 3\r\nUpgrade: h2c\r\n\r\n",
            b"GET",
        )
        self.assertEqual(response.headers, [(b"A", b"2"), (b"A", b"3")])

    def test_never_taken_away(self) -> None:
        """A service cannot lose what makes its answer safe by naming it in ``Connection``."""
        response = parse_response(b"HTTP/1.1 302 F\r\nConnection: location\r\nLocation: /x\r\n\r\n", b"GET")
        self.assertEqual(response.headers, [(b"Location", b"/x")])
