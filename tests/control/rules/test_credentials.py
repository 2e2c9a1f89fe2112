"""
Tests for `ngrok_twisted.control.rules.credentials`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.rules._credentials import ACL_MAX
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.credential import Credential
from tests.control.rules.judged import judged


def credential(id: str = "cr_1", **fields: Any) -> Credential:
    """An authtoken."""
    return Credential(**{"id": id, "account_id": "ac_1", "token_hash": id, **fields})


class CredentialRulesTests(SynchronousTestCase):
    """`CredentialRules`."""

    def test_rules(self) -> None:
        """Each rule that cannot be read is named by its place; how many there may be is bounded."""
        self.assertEqual(judged(credential(acl=("bind:a.b", "*", "bind:a=b"))), [])
        found = judged(credential(acl=("bind:a.b", "a.b", "bind:")))
        self.assertEqual(found, [("cr_1", "acl[1]", 600), ("cr_1", "acl[2]", 600)])
        self.assertEqual(judged(credential(acl=("bind:a.b",) * ACL_MAX)), [])
        self.assertEqual(judged(credential(acl=("bind:a.b",) * (ACL_MAX + 1))), [("cr_1", "acl", 600)])

    def test_token(self) -> None:
        """A token is one authtoken's; an API key may have it too."""
        first = credential("cr_2", token_hash="a")
        self.assertEqual(judged(first, credential("cr_1", token_hash="a")), [("cr_1", "token", 0)])
        self.assertEqual(judged(first, APIKey(id="ak_1", account_id="ac_1", token_hash="a")), [])

    def test_owner(self) -> None:
        """An owner that is named is there."""
        self.assertEqual(judged(credential(owner_id="usr_1")), [("cr_1", "owner_id", 634)])
