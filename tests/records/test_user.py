"""
Tests for `ngrok_twisted.records.user` and `ngrok_twisted.records.service_user`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.account import Account
from ngrok_twisted.records.service_user import is_service_user, service_user_id, with_prefix
from ngrok_twisted.records.user import default_user, default_user_id


class UserTests(SynchronousTestCase):
    """People."""

    def test_default(self) -> None:
        """An account's default user follows from its name, and is shown by the e-mail address, else by the name."""
        account = Account(id="ac_1", name="Ann")
        user = default_user(account, " Ann@Example.com")
        self.assertEqual((user.id, user.account_id), (default_user_id("Ann"), "ac_1"))
        self.assertTrue(user.id.startswith("usr_") and user.declared)
        self.assertEqual([user.shown, default_user(account).shown], ["ann@example.com", "Ann"])


class ServiceUserTests(SynchronousTestCase):
    """Ids of service users."""

    def test_prefixes(self) -> None:
        """Both ids mean the same record; other ids are left alone."""
        self.assertEqual(
            [service_user_id(id) for id in ("bot_1", "service_1", "usr_1", "")], ["service_1", "service_1", "usr_1", ""]
        )
        self.assertEqual(
            [is_service_user(id) for id in ("bot_1", "service_1", "usr_1", "")], [True, True, False, False]
        )
        self.assertEqual(with_prefix("service_1", "bot"), "bot_1")
