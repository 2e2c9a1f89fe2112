"""
HTTP/1.1 over the wire, through TLS: what a server must take, what it must refuse (RFC 9110, RFC 9112), and the ways in
which two parsers are made to disagree about where a request ends.
"""

from __future__ import annotations

import re
import socket
import ssl

from tests.functional.case import EdgeTestCase
from tests.functional.clients import full_name, open_tcp, open_tls, read_all

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")

OK, BAD, CLOSED = "200", "400", "closed"
REFUSED = (BAD, CLOSED)

# Each line: what it is, the bytes (HOST stands for the name), and the first statuses that are right. `CLOSED` is a
# connection that ends without an answer.
CASES: tuple[tuple[str, bytes, tuple[str, ...]], ...] = (
    ("plain", b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", (OK,)),
    ("empty line before the request (9112 2.2)", b"\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n", (OK,)),
    ("no Host (9112 3.2)", b"GET / HTTP/1.1\r\nX: y\r\n\r\n", (BAD,)),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", (BAD,)),
    ("two different Hosts", b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\n\r\n", (BAD,)),
    ("invalid Host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", (BAD,)),
    ("Host with user information", b"GET / HTTP/1.1\r\nHost: user@HOST\r\n\r\n", (BAD, "421")),
    ("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", (BAD, "421", "404")),
    ("another Host", b"GET / HTTP/1.1\r\nHost: other.invalid\r\n\r\n", ("421", "404", BAD)),
    ("obs-fold (9112 5.2)", b"GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n", (BAD,)),
    ("fold of the first header", b"GET / HTTP/1.1\r\n X: a\r\nHost: HOST\r\n\r\n", (BAD,)),
    ("space before the colon (9112 5.1)", b"GET / HTTP/1.1\r\nHost : HOST\r\n\r\n", (BAD,)),
    ("header without a colon", b"GET / HTTP/1.1\r\nHost: HOST\r\nnonsense\r\n\r\n", (BAD,)),
    ("header without a name", b"GET / HTTP/1.1\r\nHost: HOST\r\n: x\r\n\r\n", (BAD,)),
    ("invalid name", b"GET / HTTP/1.1\r\nHost: HOST\r\nX(y): x\r\n\r\n", (BAD,)),
    ("NUL in a value (9110 5.5)", b"GET / HTTP/1.1\r\nHost: HOST\r\nX: a\x00b\r\n\r\n", (BAD,)),
    ("bare CR in a value", b"GET / HTTP/1.1\r\nHost: HOST\r\nX: a\rb\r\n\r\n", (BAD,)),
    ("bare LF as line end", b"GET / HTTP/1.1\nHost: HOST\n\n", (BAD, OK)),
    ("no version", b"GET /\r\n\r\n", REFUSED),
    ("lower-case version", b"GET / http/1.1\r\nHost: HOST\r\n\r\n", REFUSED),
    ("version 1.2", b"GET / HTTP/1.2\r\nHost: HOST\r\n\r\n", (OK, BAD, "505")),
    ("version 2.0", b"GET / HTTP/2.0\r\nHost: HOST\r\n\r\n", (BAD, "505")),
    ("version 9.9", b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n", (BAD, "505")),
    ("HTTP/2 preface without ALPN", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (BAD, "505", CLOSED)),
    ("invalid method", b"G(T / HTTP/1.1\r\nHost: HOST\r\n\r\n", REFUSED),
    ("space in the target", b"GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n", REFUSED),
    ("control character in the target", b"GET /a\x01b HTTP/1.1\r\nHost: HOST\r\n\r\n", REFUSED),
    ("fragment in the target", b"GET /a#b HTTP/1.1\r\nHost: HOST\r\n\r\n", (BAD, OK)),
    ("target without slash", b"GET a HTTP/1.1\r\nHost: HOST\r\n\r\n", REFUSED),
    ("CONNECT", b"CONNECT HOST:443 HTTP/1.1\r\nHost: HOST:443\r\n\r\n", (BAD, "405", "501")),
    ("not a number as length", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: ten\r\n\r\n", (BAD,)),
    ("negative length", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n", (BAD,)),
    ("signed length", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\nx", (BAD,)),
    ("empty length", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length:\r\n\r\n", (BAD,)),
    ("huge length", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999999999999999\r\n\r\n", (BAD, "413")),
    (
        "two equal lengths",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        (BAD, OK),
    ),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", (BAD,)),
    ("list of lengths", b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1, 2\r\n\r\nxy", (BAD,)),
    ("unknown coding", b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: zip\r\n\r\n", (BAD, "501")),
    ("unknown expectation", b"GET / HTTP/1.1\r\nHost: HOST\r\nExpect: miracles\r\n\r\n", (OK, "417")),
    ("garbage", b"\x01\x02\x03\x04\r\n\r\n", REFUSED),
)

CHUNKED = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"

# Bodies after `CHUNKED` that must not be taken for whole ones (RFC 9112 section 7.1).
BAD_CHUNKS: tuple[tuple[str, bytes], ...] = (
    ("no number", b"x\r\n"),
    ("negative", b"-1\r\n\r\n"),
    ("prefix 0x", b"0x1\r\na\r\n0\r\n\r\n"),
    ("underscore", b"1_0\r\naaaaaaaaaaaaaaaa\r\n0\r\n\r\n"),
    ("leading space", b" 1\r\na\r\n0\r\n\r\n"),
    ("too large", b"fffffffffffffffff\r\n"),
    ("data too long", b"1\r\nab\r\n0\r\n\r\n"),
    ("no line end behind the data", b"1\r\na0\r\n\r\n"),
    ("empty size", b"\r\n\r\n"),
    ("bare LF behind the size", b"1\na\r\n0\r\n\r\n"),
    ("bare CR behind the size", b"1\ra\r\n0\r\n\r\n"),
    ("trailer with a space in its name", b"0\r\nX y: z\r\n\r\n"),
)

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: HOST\r\n\r\n"

# Heads that make two parsers see two bodies; behind each comes a request that must never reach the service.
SMUGGLING: tuple[tuple[str, bytes], ...] = (
    ("length and chunked", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked and length", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ("space before the colon", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("tab before the colon", b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("vertical tab in the value", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("quoted", b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    ("xchunked", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked is not last", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("identity with a length", b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("folded coding", b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("line feed before", b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("carriage return before", b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("NUL in the name", b"Transfer-\x00Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n"),
    ("length with a plus", b"Content-Length: +0\r\n\r\n"),
    ("length in hexadecimal", b"Content-Length: 0x0\r\n\r\n"),
    ("length list", b"Content-Length: 0, 44\r\n\r\n"),
    ("length with a space inside", b"Content-Length: 0 0\r\n\r\n"),
    ("empty coding", b"Transfer-Encoding:\r\nContent-Length: 0\r\n\r\n"),
)


class WireTestCase(EdgeTestCase):
    """Bytes to a service's name, over TLS."""

    def setUp(self) -> None:
        """Publish a service."""
        super().setUp()
        self.service = self.web()
        self.name = self.new_name()
        self.publish(self.service, self.name)

    def exchange(self, data: bytes) -> list[str]:
        """
        Send bytes, then ask for the end of the connection with one more request.

        :return: the statuses of every answer; `CLOSED` if there was none.
        """
        connection = open_tls(self.edge, self.name)
        try:
            connection.sendall(data.replace(b"HOST", self.name.encode()))
            connection.settimeout(10)
            return self.statuses(read_until_quiet(connection))
        except (OSError, ssl.SSLError):
            return [CLOSED]
        finally:
            connection.close()

    @staticmethod
    def statuses(received: bytes) -> list[str]:
        """Every status line in these bytes."""
        return [status.decode() for status in STATUS.findall(received)] or [CLOSED]


class ConformanceTests(WireTestCase):
    """The tables above, line by line."""

    def test_cases(self) -> None:
        """Each kind of request gets one of its right answers."""
        wrong = []
        for what, data, right in CASES:
            seen = self.exchange(data)
            if seen[0] not in right:
                wrong.append(f"{what}: {seen}, not {right}")
        self.assertEqual(wrong, [])

    def test_refusal_closes(self) -> None:
        """After a request that cannot be read nothing on the connection is believed any more."""
        for what, data, right in CASES:
            if OK in right or "421" in right:
                continue
            seen = self.exchange(data + HIDDEN)
            self.assertNotIn(OK, seen, what)
        self.assertNotIn("/hidden", [request.target for request in self.service.asked])

    def test_chunks(self) -> None:
        """A chunked body that breaks is never taken for a whole one."""
        wrong = []
        for what, body in BAD_CHUNKS:
            seen = self.exchange(CHUNKED + body + HIDDEN)
            if OK in seen:
                wrong.append(f"{what}: {seen}")
        self.assertEqual(wrong, [])
        self.assertNotIn("/hidden", [request.target for request in self.service.asked])

    def test_smuggling(self) -> None:
        """Each of these heads is refused: none hides a request from the edge that the service would then see."""
        wrong = []
        for what, head in SMUGGLING:
            self.service.asked.clear()
            seen = self.exchange(b"POST /outer HTTP/1.1\r\nHost: HOST\r\n" + head + HIDDEN)
            targets = [request.target for request in self.service.asked]
            if OK in seen or targets not in ([], ["/outer"]):
                wrong.append(f"{what}: answered {seen}, the service saw {targets}")
        self.assertEqual(wrong, [])

    def test_chunked_in_the_old_version(self) -> None:
        """Chunked has no meaning in HTTP/1.0 (RFC 9112 section 6.1)."""
        seen = self.exchange(CHUNKED.replace(b"1.1", b"1.0") + b"1\r\na\r\n0\r\n\r\n" + HIDDEN)
        self.assertNotIn("/hidden", [request.target for request in self.service.asked])
        self.assertIn(seen[0], (BAD, "505", CLOSED))

    def test_pipelined_refusal(self) -> None:
        """A good request before a bad one is answered first."""
        self.assertEqual(self.exchange(b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\nGET / HTTP/1.1\r\n\r\n"), [OK, BAD])

    def test_plain_listener(self) -> None:
        """The http listener is as strict."""
        self.ssh(f"{self.name}:80:127.0.0.1:{self.service.port}", command="http --schemes http").url()
        wrong = []
        for what, data, right in CASES:
            connection = open_tcp(self.edge.http)
            connection.settimeout(10)
            connection.sendall(data.replace(b"HOST", self.name.encode()))
            seen = self.statuses(read_until_quiet(connection))
            connection.close()
            if seen[0] not in right and seen[0] != "307":
                wrong.append(f"{what}: {seen}, not {right}")
        self.assertEqual(wrong, [])

    def test_connection_close(self) -> None:
        """``Connection: close`` is obeyed."""
        connection = open_tls(self.edge, self.name)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: " + self.name.encode() + b"\r\nConnection: close\r\n\r\n")
        self.assertEqual(self.statuses(read_all(connection)), [OK])

    def test_offline_is_as_strict(self) -> None:
        """A name without a service refuses the same things."""
        connection = open_tls(self.edge, full_name("offline-name"))
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn(self.statuses(read_until_quiet(connection))[0], (BAD, "404"))
        connection.close()


def read_until_quiet(connection: socket.socket) -> bytes:
    """Read until the other side closes or has said nothing for a while."""
    received = b""
    connection.settimeout(5)
    try:
        while data := connection.recv(65536):
            received += data
            connection.settimeout(0.25)
    except OSError:
        pass
    return received
