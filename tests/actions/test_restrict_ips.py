"""
Tests for `ngrok_twisted.actions.restrict_ips`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy
from tests.actions.serving import admitted, answered, chain, visit
from tests.edge.wire import Visitor

CONNECT = "on_tcp_connect:\n- actions:\n  - type: restrict-ips\n    config: %s\n"
REQUEST = CONNECT.replace("on_tcp_connect", "on_http_request")


class RestrictIPsTests(SynchronousTestCase):
    """Only certain addresses pass."""

    def test_connections(self) -> None:
        """Who is in an allowed network and in no denied one passes."""
        for config, host, passes in (
            ("{allow: [192.0.2.0/24]}", "192.0.2.9", True),
            ("{allow: [192.0.2.0/24]}", "::ffff:192.0.2.9", True),
            ("{allow: [192.0.2.0/24]}", "198.51.100.1", False),
            ("{allow: [192.0.2.77/24], deny: [192.0.2.9]}", "192.0.2.9", False),
            ("{allow: ['2001:db8::/32']}", "2001:db8::1", True),
            ("{allow: ['2001:db8::/32']}", "192.0.2.9", False),
            ("{allow: ['fe80::/10']}", "fe80::1%eth0", True),
            ("{deny: [198.51.100.1]}", "192.0.2.9", False),
            ("{}", "192.0.2.9", False),
            ("{enforce: false}", "192.0.2.9", True),
        ):
            self.assertEqual(admitted(CONNECT % config, host=host), passes, (config, host))

    def test_requests(self) -> None:
        """Requests from elsewhere are answered 403 with ngrok's code."""
        status, fields, _ = answered(visit(REQUEST % "{allow: [198.51.100.1]}"))
        self.assertEqual((status, fields["ngrok-error-code"]), (403, "err_ngrok_3203"))
        self.assertEqual(answered(visit(REQUEST % "{allow: [192.168.0.0/16]}"))[0], 200)

    def test_late(self) -> None:
        """Where a name is known with the request, that is when its connection is closed."""
        resource = chain(CONNECT % "{allow: [198.51.100.1]}", "http").around_late(None)
        visitor = Visitor(resource)
        visitor.send(b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        self.assertEqual((visitor.take(), visitor.wire.aborted), (b"", True))

    def test_refused(self) -> None:
        """What is no network, and IP policies, are refused."""
        for config, code in (
            ("{allow: [here]}", 2217),
            ("{deny: ['192.0.2.0/33']}", 2217),
            ("{allow: ['${conn.client_ip}']}", 2224),
            ("{ip_policies: [ipp_1]}", 2216),
        ):
            error = self.assertRaises(InvalidConfig, parse_policy, CONNECT % config, "tcp")
            self.assertEqual([problem.code for problem in error.problems], [code], config)
