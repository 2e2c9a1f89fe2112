"""
Tests for `ngrok_twisted.net.proxy_header`.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.proxy_header import (
    HEADER_MAX,
    LINE_MAX,
    SIGNATURE,
    Address,
    BadProxyHeader,
    ProxyHeader,
    read_header,
)
from ngrok_twisted.upstream.proxy_protocol import encode_v1, encode_v2

V4 = ("192.0.2.1", 50000), ("198.51.100.2", 443)
V6 = ("2001:db8::1", 50000), ("2001:db8::2", 443)

ports = st.integers(0, 65535)
plain_v6: Any = st.ip_addresses(v=6).filter(lambda address: getattr(address, "ipv4_mapped", None) is None)
pairs = st.one_of(
    st.tuples(st.tuples(hosts.map(str), ports), st.tuples(hosts.map(str), ports))
    for hosts in (st.ip_addresses(v=4), plain_v6)
)


def binary(command: int, family: int, rest: bytes, length: int | None = None) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


class HeaderTestCase(SynchronousTestCase):
    """What a connection may begin with."""

    def assertRefused(self, data: bytes) -> None:
        """It is refused, and no byte behind it changes that."""
        for more in (b"", b"\r\n", bytes(200)):
            with self.assertRaises(BadProxyHeader, msg=repr(data)):
                read_header(data + more)


class BothTests(HeaderTestCase):
    """Both versions."""

    @given(pairs, st.binary(max_size=40), st.booleans())
    @settings(max_examples=200, deadline=None)
    def test_round_trip(self, pair: tuple[Address, Address], data: bytes, text: bool) -> None:
        """What our own encoder writes is read back, from the first moment that it is whole, and no byte more is taken."""
        encoded = (encode_v1 if text else encode_v2)(*pair)
        expected = ProxyHeader(size=len(encoded), source=pair[0], destination=pair[1])
        self.assertEqual(read_header(encoded + data), expected)
        for size in range(len(encoded)):
            self.assertIsNone(read_header(encoded[:size]))

    @given(
        st.binary(max_size=60), st.sampled_from((b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\0"))
    )
    @settings(max_examples=300, deadline=None)
    def test_anything(self, data: bytes, start: bytes) -> None:
        """Whatever comes, the answer is a header, a wish for more, or a refusal that more bytes do not take back."""
        refused = False
        for size in range(len(start + data) + 1):
            try:
                header = read_header((start + data)[:size])
            except BadProxyHeader:
                refused = True
            else:
                self.assertFalse(refused)
                if header is not None:
                    self.assertLessEqual(header.size, size)
                    self.assertEqual(header.source is None, header.destination is None)
                    break

    def test_something_else(self) -> None:
        """Other protocols are told at the byte where they differ."""
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"SSH-2.0-x",
            b"PROXx",
            b"proxy ",
            b"\r\nx",
            b"P\r",
            b"\0",
        ):
            self.assertRefused(data)

    def test_mapped(self) -> None:
        """An IPv4 visitor whom the balancer met on an IPv6 socket is an IPv4 visitor."""
        line = b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 50000 443\r\n"
        source, destination = ("192.0.2.1", 50000), ("2001:db8::2", 443)
        self.assertEqual(read_header(line), ProxyHeader(size=len(line), source=source, destination=destination))
        packed = IPv6Address("::ffff:192.0.2.1").packed + IPv6Address("2001:db8::2").packed
        data = binary(0x21, 0x21, packed + struct.pack("!HH", 50000, 443))
        self.assertEqual(read_header(data), ProxyHeader(size=len(data), source=source, destination=destination))


class LineTests(HeaderTestCase):
    """Version 1."""

    def test_unknown(self) -> None:
        """A sender that does not know is taken for itself, whatever else stands in the line."""
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ::1 what? ever\r\n", b"PROXY UNKNOWN" + b" " * 92 + b"\r\n"):
            self.assertEqual(read_header(line + b"GET"), ProxyHeader(size=len(line)), line)

    def test_bad(self) -> None:
        """The form is exact: single spaces, addresses of the family, plain decimals, CRLF."""
        for line in (
            b"PROXY \r\n",
            b"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
            b"PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n",
            b"PROXY TCP4\t192.0.2.1 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n",
            b"PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1/32 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP4 ::ffff:192.0.2.1 198.51.100.2 1 2\r\n",
            b"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
            b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
            b"PROXY TCP6 2001:db8::1 2001:db8:::2 1 2\r\n",
            b"PROXY TCP4 192.0.2.\xb2 198.51.100.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1_0 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n",
            b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
            b"PROXY UNKNOWNS\r\n",
            b"PROXY unknown\r\n",
        ):
            self.assertRefused(line)

    def test_length(self) -> None:
        """A line of 107 bytes is the longest; one without an end is given up there."""
        longest = b"PROXY UNKNOWN " + b"x" * (LINE_MAX - 16) + b"\r\n"
        self.assertEqual(read_header(longest), ProxyHeader(size=LINE_MAX))
        self.assertIsNone(read_header(longest[:-1]))
        self.assertRefused(longest[:-2] + b"xx")
        self.assertRefused(longest[:-2] + b"x\r\n")

    @given(pairs)
    @settings(max_examples=50, deadline=None)
    def test_as_twisted_reads_it(self, pair: tuple[Address, Address]) -> None:
        """Twisted's own parser, which is less strict, says the same of good lines."""
        line = encode_v1(*pair)
        info: Any = V1Parser().feed(line)[0]
        header = read_header(line)
        assert header is not None
        self.assertEqual((info.source.host, info.source.port), header.source)
        with self.assertRaises(InvalidProxyHeader):
            V1Parser().feed(line.replace(b"TCP", b"UDP"))


class BinaryTests(HeaderTestCase):
    """Version 2."""

    addresses = IPv4Address("192.0.2.1").packed + IPv4Address("198.51.100.2").packed + struct.pack("!HH", 50000, 443)

    def test_local(self) -> None:
        """A sender that speaks for itself is taken for itself, and whatever stands in its header is passed over."""
        for data in (binary(0x20, 0, b""), binary(0x20, 0x11, self.addresses), binary(0x20, 0x77, b"anything")):
            self.assertEqual(read_header(data + b"GET"), ProxyHeader(size=len(data)))

    def test_no_address(self) -> None:
        """So is one without an IP address: of no family, or of UNIX sockets."""
        for data in (binary(0x21, 0x00, b""), binary(0x21, 0x31, bytes(216))):
            self.assertEqual(read_header(data), ProxyHeader(size=len(data)))

    def test_extensions(self) -> None:
        """Extensions are passed over: their types mean nothing here."""
        extensions = b"\x02\0\x0bapp.example" + b"\x04\0\0" + b"\xea\0\x05\x01vpce"
        data = binary(0x21, 0x11, self.addresses + extensions)
        self.assertEqual(read_header(data + b"GET"), ProxyHeader(size=len(data), source=V4[0], destination=V4[1]))

    def test_bad(self) -> None:
        """Other versions, commands and families, and what does not fit into itself, are refused as early as can be."""
        for data in (
            binary(0x11, 0x11, self.addresses),
            binary(0x31, 0x11, self.addresses),
            binary(0x22, 0x11, self.addresses),
            binary(0x21, 0x12, self.addresses),
            binary(0x21, 0x22, bytes(36)),
            binary(0x21, 0x32, bytes(216)),
            binary(0x21, 0x41, self.addresses),
            binary(0x21, 0x10, self.addresses),
            binary(0x21, 0x11, b"", length=11),
            binary(0x21, 0x21, b"", length=35),
            binary(0x21, 0x31, b"", length=215),
            binary(0x21, 0x11, b"", length=HEADER_MAX - 15),
            binary(0x20, 0x00, b"", length=0xFFFF),
            binary(0x21, 0x11, self.addresses + b"\x02"),
            binary(0x21, 0x11, self.addresses + b"\x02\0\x05app"),
            binary(0x21, 0x00, b"\x02\0"),
        ):
            self.assertRefused(data)

    def test_length(self) -> None:
        """A header of 4 KB is the longest."""
        extension = b"\xe0" + struct.pack("!H", HEADER_MAX - 16 - 12 - 3) + bytes(HEADER_MAX - 16 - 12 - 3)
        data = binary(0x21, 0x11, self.addresses + extension)
        self.assertEqual(len(data), HEADER_MAX)
        self.assertEqual(read_header(data), ProxyHeader(size=HEADER_MAX, source=V4[0], destination=V4[1]))
