"""
Tests for `ngrok_twisted.control.rules.service_users`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.service_user import ServiceUser
from tests.control.rules.judged import judged


def user(name: str, id: str = "service_1", account_id: str = "ac_1") -> ServiceUser:
    """A service user."""
    return ServiceUser(id=id, account_id=account_id, name=name)


class ServiceUserRulesTests(SynchronousTestCase):
    """`ServiceUserRules`."""

    def test_length(self) -> None:
        """A name has at least a letter and at most 255 bytes."""
        for name, codes in (("", [4109]), (" ", [4109]), ("a", []), ("\u00e9" * 127, []), ("\u00e9" * 128, [4110])):
            self.assertEqual([code for _, _, code in judged(user(name))], codes)

    def test_unique(self) -> None:
        """A name stands once in an account: both are in the wrong, since either may have been changed."""
        found = judged(user("a"), user("a", "service_2"), user("a", "service_3", "ac_2"))
        self.assertEqual(found, [("service_1", "name", 4112), ("service_2", "name", 4112)])
