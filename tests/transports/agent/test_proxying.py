"""
Tests of `ngrok_twisted.transports.agent.proxying`.
"""

from __future__ import annotations

import json
import struct
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.flow import Flow
from ngrok_twisted.transports.agent.proxying import client_address, edge_of, proxy_header


def flow_of(proto: str, **edge: bool) -> Flow:
    """A flow that came through an edge."""
    flow = Flow("192.0.2.1", 1, proto, 0)
    flow.edge = SimpleNamespace(**edge)
    return flow


class HeaderTests(SynchronousTestCase):
    """`proxy_header`."""

    def test_layout(self) -> None:
        """The type is big-endian, the length little-endian, and the object fills it."""
        header = proxy_header("tn_1", "192.0.2.1:5", "https")
        self.assertEqual(header[:4], b"\0\0\0\3")
        (length,) = struct.unpack("<q", header[4:12])
        self.assertEqual(length, len(header) - 12)
        self.assertEqual(
            json.loads(header[12:]),
            {
                "Id": "tn_1",
                "ClientAddr": "192.0.2.1:5",
                "Proto": "https",
                "EdgeType": "0",
                "PassthroughTLS": False,
            },
        )

    def test_any_id(self) -> None:
        """An id that the agent made up comes back to it, whatever is in it."""
        id = 'a"b\\ü\n'
        self.assertEqual(json.loads(proxy_header(id, "", "tcp")[12:])["Id"], id)


class AddressTests(SynchronousTestCase):
    """`client_address`."""

    def test_forms(self) -> None:
        """IPv6 addresses stand in brackets and without a zone; what is no address is nobody's."""
        for host, text in (
            ("192.0.2.1", "192.0.2.1:5"),
            ("2001:db8::1", "[2001:db8::1]:5"),
            ("fe80::1%eth0", "[fe80::1]:5"),
            ("", "0.0.0.0:0"),
            ("somewhere", "0.0.0.0:0"),
        ):
            self.assertEqual(client_address(Flow(host, 5, "tcp", 0)), text)
        self.assertEqual(client_address(None), "0.0.0.0:0")


class EdgeTests(SynchronousTestCase):
    """`edge_of`."""

    def test_kinds(self) -> None:
        """The kind of the edge is told, and whether the agent gets the visitor's own TLS."""
        for flow, told in (
            (flow_of("https"), ("https", "3", False)),
            (flow_of("tcp"), ("tcp", "1", False)),
            (flow_of("tls", terminates=False), ("tls", "2", True)),
            (flow_of("tls", terminates=True), ("tls", "2", False)),
            (None, ("tcp", "1", False)),
        ):
            self.assertEqual(edge_of(flow), told)
