"""Tests of the ClientHello parser."""

from __future__ import annotations

import ssl
import struct

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.clienthello import (
    BadClientHello,
    ClientHello,
    ClientHelloError,
    ClientHelloParser,
    MAX_HELLO_BYTES,
    NotTLS,
    whole_hello,
)


def vector(size: int, data: bytes) -> bytes:
    """Data with its length before it."""
    return len(data).to_bytes(size) + data


def extension(kind: int, data: bytes) -> bytes:
    """One extension."""
    return struct.pack("!H", kind) + vector(2, data)


def sni(name: bytes) -> bytes:
    """A server name extension."""
    return extension(0, vector(2, b"\0" + vector(2, name)))


def body(extensions: bytes | None = b"", suites: bytes = b"\x13\x01", version: bytes = b"\3\3") -> bytes:
    """A ClientHello's body."""
    tail = b"" if extensions is None else vector(2, extensions)
    return version + bytes(32) + vector(1, b"id") + vector(2, suites) + vector(1, b"\0") + tail


def message(content: bytes, kind: int = 1) -> bytes:
    """A handshake message."""
    return bytes([kind]) + vector(3, content)


def records(data: bytes, size: int = 16384) -> bytes:
    """A message in records of at most this size."""
    return b"".join(b"\x16\3\1" + vector(2, data[at : at + size]) for at in range(0, len(data), size))


def hello(*extensions: bytes) -> bytes:
    """A whole hello on the wire."""
    return records(message(body(b"".join(extensions))))


def real_hello(name: str | None) -> bytes:
    """What OpenSSL sends."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python would offer older ones
    context.set_alpn_protocols(["h2", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def outcome(pieces: list[bytes]) -> object:
    """The result of feeding these pieces: a hello, None, or the type and text of the error."""
    parser = ClientHelloParser()
    result = None
    try:
        for piece in pieces:
            result = parser.feed(piece)
    except ClientHelloError as error:
        return type(error), str(error)
    return result


class GoodHelloTests(SynchronousTestCase):
    """Hellos that are read."""

    def test_openssl(self) -> None:
        """A hello of OpenSSL tells name, protocols and versions."""
        self.assertEqual(
            ClientHelloParser().feed(real_hello("Shop.Example.COM")),
            ClientHello(server_name="shop.example.com", alpn=(b"h2", b"http/1.1"), versions=(0x0304, 0x0303)),
        )

    def test_without_name(self) -> None:
        """A hello without SNI has no name."""
        self.assertIsNone(ClientHelloParser().feed(real_hello(None)).server_name)

    def test_ip_literals_are_no_name(self) -> None:
        """An IP literal counts as no name."""
        for literal in (b"192.0.2.1", b"2001:db8::1"):
            self.assertIsNone(ClientHelloParser().feed(hello(sni(literal))).server_name)

    def test_without_extensions(self) -> None:
        """An old client's hello ends before the extensions."""
        found = ClientHelloParser().feed(records(message(body(None))))
        self.assertEqual(found, ClientHello(server_name=None, alpn=(), versions=(0x0303,)))

    def test_split_over_records(self) -> None:
        """A hello may come in many records."""
        wire = records(message(body(sni(b"a.example"))), size=3)
        self.assertEqual(ClientHelloParser().feed(wire).server_name, "a.example")

    def test_byte_at_a_time(self) -> None:
        """A hello may come byte by byte, and is known at its last byte, not before."""
        wire = real_hello("a.example")
        parser = ClientHelloParser()
        for position in range(len(wire) - 1):
            self.assertIsNone(parser.feed(wire[position : position + 1]))
        self.assertEqual(parser.feed(wire[-1:]).server_name, "a.example")

    def test_what_follows_is_ignored(self) -> None:
        """Records behind the hello, such as early data, do not matter."""
        parser = ClientHelloParser()
        self.assertEqual(parser.feed(hello(sni(b"a.example")) + b"\x17\3\3\0\1x").server_name, "a.example")
        self.assertEqual(parser.feed(b"more").server_name, "a.example")

    def test_names(self) -> None:
        """Underscores, digits, inner hyphens and long names are host names."""
        for name in (b"_dmarc.example", b"1.example", b"a--b.example", b"x" * 63 + b".example", b"localhost"):
            self.assertEqual(ClientHelloParser().feed(hello(sni(name))).server_name, name.decode())


class NotTLSTests(SynchronousTestCase):
    """Other protocols on this port."""

    def test_http(self) -> None:
        """Plain HTTP is recognised by its method."""
        for start in (b"GET / HTTP/1.1\r\n", b"POST /x", b"PRI * HTTP/2.0\r\n\r\nSM"):
            error = self.assertRaises(NotTLS, ClientHelloParser().feed, start)
            self.assertEqual(error.looks_like, "http")
            self.assertTrue(error.looks_like_http)

    def test_ssh(self) -> None:
        """An SSH client is recognised by its banner."""
        error = self.assertRaises(NotTLS, ClientHelloParser().feed, b"SSH-2.0-OpenSSH_9.2\r\n")
        self.assertEqual(error.looks_like, "ssh")
        self.assertFalse(error.looks_like_http)

    def test_anything_else(self) -> None:
        """Everything else is simply not TLS, SSLv2 included."""
        for start in (b"\0", b"\x80\x2e\1\0\2", b"GETTING", b"get / HTTP/1.1", b"\r\n"):
            error = self.assertRaises(NotTLS, ClientHelloParser().feed, start)
            self.assertEqual(error.looks_like, "")

    def test_undecided(self) -> None:
        """As long as it may become a known protocol, nothing is said."""
        parser = ClientHelloParser()
        self.assertIsNone(parser.feed(b""))
        self.assertIsNone(parser.feed(b"P"))
        self.assertIsNone(parser.feed(b"O"))
        self.assertEqual(self.assertRaises(NotTLS, parser.feed, b"X").looks_like, "")


class WholeHelloTests(SynchronousTestCase):
    """`whole_hello`."""

    def test_whole(self) -> None:
        """A hello in one record is understood at once, whatever follows it."""
        wire = real_hello("shop.example.com")
        for data in (wire, wire + b"more"):
            self.assertEqual(whole_hello(data), ClientHelloParser().feed(data))

    def test_anything_else(self) -> None:
        """What is not all there, not alone in its record, or not a hello, is left to the parser."""
        start = message(body(sni(b"a.example")))
        for data in (
            b"",
            records(start)[:-1],
            records(start, size=20),
            records(start + b"x"),
            records(b"\2" + start[1:]),
            records(b"\1\1" + start[2:]),
            b"\x17" + records(start)[1:],
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            self.assertIsNone(whole_hello(data))

    def test_broken(self) -> None:
        """One that is whole and broken is refused."""
        self.assertRaises(BadClientHello, whole_hello, hello(sni(b"a..example")))
        self.assertRaises(BadClientHello, whole_hello, records(message(body(sni(b"a.example"))[:-1])))


class BadHelloTests(SynchronousTestCase):
    """Hellos that are refused."""

    def refused(self, wire: bytes) -> None:
        parser = ClientHelloParser()
        self.assertRaises(BadClientHello, parser.feed, wire)
        self.assertRaises(BadClientHello, parser.feed, b"x")

    def test_names(self) -> None:
        """What is no host name is refused."""
        for name in (
            b"",
            b"a\0b.example",
            b"a..example",
            b"a.example.",
            b".example",
            b"a b",
            b"a/b",
            b"-a.example",
            b"a-.example",
            b"b\xc3\xbccher.example",
            b"x" * 64 + b".example",
            b".".join([b"x" * 60] * 5),
            b"1.2.3",
            b"1.2.3.4.5",
            b"a.example\n",
            b"[::1]",
        ):
            self.refused(hello(sni(name)))

    def test_duplicate_extensions(self) -> None:
        """Two server names, in two extensions or in one, are refused."""
        self.refused(hello(sni(b"a.example"), sni(b"b.example")))
        two = b"\0" + vector(2, b"a.example") + b"\0" + vector(2, b"b.example")
        self.refused(hello(extension(0, vector(2, two))))
        self.refused(hello(extension(99, b""), extension(99, b"")))

    def test_server_name_shapes(self) -> None:
        """Empty, unknown and overlong server name extensions are refused."""
        self.refused(hello(extension(0, b"")))
        self.refused(hello(extension(0, vector(2, b""))))
        self.refused(hello(extension(0, vector(2, b"\1" + vector(2, b"a.example")))))
        self.refused(hello(extension(0, vector(2, b"\0" + vector(2, b"a.example")) + b"x")))

    def test_lengths_that_lie(self) -> None:
        """A length that points past its container is refused."""
        good = body(sni(b"a.example"))
        for position in range(1, len(good)):
            if position != len(body(None)):  # cut there, it is a hello without extensions
                self.refused(records(message(good[:position])))
        self.refused(records(message(good + b"x")))

    def test_too_large(self) -> None:
        """A hello that announces more than 64 KB is refused at its first record."""
        self.refused(records(b"\1" + (MAX_HELLO_BYTES + 1).to_bytes(3) + b"x"))

    def test_too_many_records(self) -> None:
        """Tiny records cannot make us hold more than twice the limit."""
        self.refused(records(b"\1" + MAX_HELLO_BYTES.to_bytes(3) + bytes(40000), size=1))

    def test_records(self) -> None:
        """Records that are empty, oversized, of another kind or version are refused."""
        start = message(body(sni(b"a.example")))
        self.refused(b"\x16\3\1\0\0" + records(start))
        self.refused(b"\x16\3\1" + struct.pack("!H", 16385))
        self.refused(b"\x16\2\0" + vector(2, start))
        self.refused(records(start[:10]) + b"\x17\3\3\0\1x")

    def test_other_messages(self) -> None:
        """Another message, or a second one in the same record, is refused."""
        self.refused(records(message(body(), kind=2)))
        self.refused(records(message(body()) + message(body())))

    def test_lists(self) -> None:
        """Malformed lists are refused."""
        self.refused(records(message(body(suites=b""))))
        self.refused(records(message(body(suites=b"\x13"))))
        self.refused(records(message(body(version=b"\2\0"))))
        for data in (b"", b"\0\0", vector(2, b"\0"), vector(2, vector(1, b"h2")) + b"x", vector(2, b"\5h2")):
            self.refused(hello(extension(16, data)))
        for data in (b"", b"\0", b"\1\3", b"\2\3\4x"):
            self.refused(hello(extension(43, data)))


WIRES = [
    real_hello("a.example"),
    records(message(body(sni(b"a.example"))), size=7),
    hello(sni(b"a\0.example")),
    hello(sni(b"a.example"), sni(b"b.example")),
    b"GET / HTTP/1.1\r\n\r\n",
    b"SSH-2.0-x\r\n",
    b"PUTTY",
]


class PropertyTests(SynchronousTestCase):
    """What holds for any input."""

    @settings(deadline=None, max_examples=200)
    @given(strategies.sampled_from(WIRES), strategies.data())
    def test_any_split(self, wire: bytes, data: strategies.DataObject) -> None:
        """However the stream is split, the result is the same."""
        cuts = sorted(data.draw(strategies.lists(strategies.integers(0, len(wire)), max_size=12)))
        pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)])]
        self.assertEqual(outcome(pieces), outcome([wire]))

    @settings(deadline=None, max_examples=300)
    @given(strategies.binary(max_size=300))
    def test_garbage(self, data: bytes) -> None:
        """Garbage, bare or as a hello's body, raises nothing but the two errors."""
        outcome([data])
        outcome([records(message(data))] if data else [b""])
        outcome([hello(data)])

    @settings(deadline=None, max_examples=300)
    @given(strategies.integers(0, len(WIRES[0]) - 1), strategies.integers(0, 255))
    def test_one_wrong_byte(self, position: int, value: int) -> None:
        """A real hello with one byte changed raises nothing but the two errors."""
        wire = bytearray(WIRES[0])
        wire[position] = value
        outcome([bytes(wire)])
        outcome([bytes(wire[at : at + 1]) for at in range(len(wire))])
