"""
Tests for `ngrok_twisted.actions.close_connection`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.actions.serving import admitted, visit


class CloseConnectionTests(SynchronousTestCase):
    """Hanging up."""

    def test_request(self) -> None:
        """A request is not answered; its connection breaks."""
        visitor = visit("on_http_request:\n- type: close-connection\n")
        self.assertEqual((visitor.take(), visitor.wire.aborted), (b"", True))

    def test_connection(self) -> None:
        """A connection is closed before anything is read."""
        self.assertFalse(admitted("on_tcp_connect:\n- type: close-connection\n"))
