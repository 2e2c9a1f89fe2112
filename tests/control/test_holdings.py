"""
Tests of `ngrok_twisted.control.holdings`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim
from ngrok_twisted.control.holdings import Holding, granted, queue_of, same_pool, taken
from ngrok_twisted.control.ownership import Place
from ngrok_twisted.records.endpoint import Endpoint
from tests.control.agents import FakeSession

CLAIM = Claim(proto="https", pooling=True)


class HoldingsTests(SynchronousTestCase):
    """Live grants, and how they stand to one another."""

    def test_granted(self) -> None:
        """A grant is fenced by its session."""
        session = FakeSession("ts_1")
        grant = granted(session, CLAIM, None, "https://a.example")
        self.assertEqual((grant.session_id, grant.url, grant.claim), ("ts_1", "https://a.example", CLAIM))
        self.assertFalse(Holding(grant, session, None).random)
        self.assertTrue(Holding(granted(session, CLAIM, None, "", True), session, None).random)

    def test_queue(self) -> None:
        """All ports of a name share one queue; each TCP port has its own."""
        one, two = Place("", "a.example", 443), Place("", "a.example", 80)
        self.assertEqual(queue_of("https", one), queue_of("http", two))
        self.assertNotEqual(queue_of("tcp", one), queue_of("tcp", two))

    def test_pool(self) -> None:
        """Both must want to share, by the same protocol, and be of one account."""
        endpoint = Endpoint(id="ep_1", account_id="ac_1", proto="https", host="a", port=443, pooling_enabled=True)
        self.assertTrue(same_pool(CLAIM, endpoint, "ac_1"))
        self.assertFalse(same_pool(CLAIM, endpoint, "ac_2"))
        self.assertFalse(same_pool(Claim(proto="tls", pooling=True), endpoint, "ac_1"))
        self.assertFalse(same_pool(Claim(proto="https"), endpoint, "ac_1"))

    def test_taken(self) -> None:
        """The refusal names the URL and the remedy."""
        refused = taken("https://a.example")
        self.assertEqual(refused.code, 334)
        self.assertIn("https://a.example", refused.message)
        self.assertIn("pooling", refused.message)
