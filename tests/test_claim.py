"""
Tests for `ngrok_twisted.claim`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim, Grant


class ClaimTests(SynchronousTestCase):
    """What an agent asks for."""

    def test_value(self) -> None:
        """Two claims of the same are equal."""
        self.assertEqual(Claim(proto="https", host="a.example"), Claim(proto="https", host="a.example"))

    def test_secrets(self) -> None:
        """What modules are told, passwords among it, is not shown when a claim is printed."""
        claim = Claim(proto="https", modules={"basic_auth": "ada:secret"}, traffic_policy="secret")
        self.assertNotIn("secret", repr(claim))


class GrantTests(SynchronousTestCase):
    """What an agent got."""

    def test_identity(self) -> None:
        """A grant is only itself: that is what fences off earlier holders."""
        make = lambda: Grant(endpoint=None, url="", session_id="ts_1", claim=Claim(proto="labels"))
        grant = make()
        self.assertNotEqual(grant, make())
        self.assertEqual(len({grant, make(), grant}), 2)
