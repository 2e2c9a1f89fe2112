"""
Tests for `ngrok_twisted.control.rules.api_keys`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.service_user import ServiceUser
from tests.control.rules.judged import judged


class APIKeyRulesTests(SynchronousTestCase):
    """`APIKeyRules`."""

    def test_token(self) -> None:
        """Of two keys with one token the later is in the wrong, whatever their accounts."""
        first = APIKey(id="ak_2", account_id="ac_1", token_hash="a")
        self.assertEqual(judged(first, APIKey(id="ak_3", account_id="ac_1", token_hash="b")), [])
        self.assertEqual(judged(first, APIKey(id="ak_1", account_id="ac_2", token_hash="a")), [("ak_1", "token", 0)])

    def test_owner(self) -> None:
        """An owner that is named is of the same account."""
        bot = ServiceUser(id="service_1", account_id="ac_1", name="ci", active=False)
        key = APIKey(id="ak_1", account_id="ac_1", token_hash="a", owner_id="bot_1")
        self.assertEqual(judged(bot, key), [])
        other = APIKey(id="ak_1", account_id="ac_2", token_hash="a", owner_id="service_1")
        self.assertEqual(judged(bot, other), [("ak_1", "owner_id", 634)])
