"""Tests of the PROXY protocol's encoder."""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.flow import Flow
from ngrok_twisted.upstream.proxy_protocol import SIGNATURE, encode_v1, encode_v2, header

V4 = ("192.0.2.1", 50000), ("198.51.100.2", 443)
V6 = ("2001:db8::1", 50000), ("2001:db8::2", 443)


class ProxyProtocolTests(SynchronousTestCase):
    """Both versions."""

    def test_v1_ipv4(self) -> None:
        """The text form of IPv4."""
        self.assertEqual(encode_v1(*V4), b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 443\r\n")

    def test_v1_ipv6(self) -> None:
        """The text form of IPv6."""
        self.assertEqual(encode_v1(*V6), b"PROXY TCP6 2001:db8::1 2001:db8::2 50000 443\r\n")

    def test_v2_ipv4(self) -> None:
        """The binary form of IPv4, byte for byte."""
        self.assertEqual(
            encode_v2(*V4),
            bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c c0000201 c6336402 c350 01bb"),
        )

    def test_v2_ipv6(self) -> None:
        """The binary form of IPv6."""
        encoded = encode_v2(*V6)
        self.assertEqual(encoded[:16], SIGNATURE + b"\x21\x21\0\x24")
        self.assertEqual(encoded[16:32], socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
        self.assertEqual(len(encoded), 16 + 36)

    def test_read_back(self) -> None:
        """Twisted's own parser of the protocol reads both back."""
        for encoded, parser in ((encode_v1(*V4), V1Parser()), (encode_v2(*V4), V2Parser())):
            info, rest = parser.feed(encoded + b"data")
            self.assertEqual((info.source.host, info.source.port), V4[0])
            self.assertEqual((info.destination.host, info.destination.port), V4[1])
            self.assertEqual(rest, b"data")

    def test_mapped(self) -> None:
        """IPv4 addresses seen by a dual-stack socket are written as IPv4; a real mixture as IPv6."""
        mapped = ("::ffff:192.0.2.1", 50000)
        self.assertEqual(encode_v1(mapped, V4[1]), encode_v1(*V4))
        self.assertTrue(encode_v1(V4[0], V6[1]).startswith(b"PROXY TCP6 ::ffff:"))
        self.assertEqual(encode_v2(V4[0], V6[1])[13], 0x21)

    def test_scope(self) -> None:
        """A link-local address goes without its scope."""
        scoped = ("fe80::1%eth0", 50000)
        self.assertEqual(encode_v1(scoped, V6[1]), b"PROXY TCP6 fe80::1 2001:db8::2 50000 443\r\n")

    def test_unknown(self) -> None:
        """What is no IP address is said to be unknown."""
        self.assertEqual(encode_v1(("", 0), V4[1]), b"PROXY UNKNOWN\r\n")
        self.assertEqual(encode_v2(V4[0], ("a.example", 1)), SIGNATURE + b"\x21\0\0\0")

    def test_header(self) -> None:
        """A flow's header names its visitor; version 0 has none; others are refused."""
        flow = Flow("192.0.2.1", 50000, "tcp", 0.0)
        local = IPv4Address("TCP", *V4[1])
        self.assertEqual(header(0, flow, local), b"")
        self.assertEqual(header(1, flow, local), encode_v1(*V4))
        self.assertEqual(header(2, flow, local), encode_v2(*V4))
        self.assertEqual(header(1, flow, UNIXAddress(b"/tmp/x")), b"PROXY UNKNOWN\r\n")
        self.assertRaises(ValueError, header, 3, flow, local)
