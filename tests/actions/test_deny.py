"""
Tests for `ngrok_twisted.actions.deny`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy
from tests.actions.serving import admitted, answered, visit

DENY = "on_http_request:\n- actions:\n  - type: deny\n    config: %s\n"
REPLACE = "on_http_response:\n- actions:\n  - type: custom-response\n"


class DenyTests(SynchronousTestCase):
    """Nobody passes."""

    def test_request(self) -> None:
        """A request gets a bare status, and no code."""
        status, fields, body = answered(visit(DENY % "{}"))
        self.assertEqual((status, body, fields["content-length"]), (403, "", "0"))
        self.assertNotIn("ngrok-error-code", fields)
        self.assertEqual(answered(visit(DENY % "{status_code: 404}"))[0], 404)

    def test_final(self) -> None:
        """Rules for responses do not see it."""
        self.assertEqual(answered(visit(DENY % "{}" + REPLACE))[0], 403)

    def test_connection(self) -> None:
        """A connection is closed."""
        self.assertFalse(admitted("on_tcp_connect:\n- actions:\n  - type: deny\n"))

    def test_status(self) -> None:
        """A status that would not end the request is refused."""
        for status in (100, 199, 600):
            error = self.assertRaises(InvalidConfig, parse_policy, DENY % f"{{status_code: {status}}}", "https")
            self.assertEqual(error.problems[0].code, 2204)
