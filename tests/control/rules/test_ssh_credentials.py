"""
Tests for `ngrok_twisted.control.rules.ssh_credentials`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.control.rules.judged import judged


def credential(id: str, account_id: str = "ac_1", **fields: Any) -> SSHCredential:
    """A credential with the same key as every other."""
    return SSHCredential(**{"id": id, "account_id": account_id, "public_key": "key", **fields})


class SSHCredentialRulesTests(SynchronousTestCase):
    """`SSHCredentialRules`."""

    def test_key(self) -> None:
        """Of credentials with one key the later ones are in the wrong; another account has a code of its own."""
        found = judged(credential("sshcr_2"), credential("sshcr_1"), credential("sshcr_3", "ac_2"))
        self.assertEqual(found, [("sshcr_1", "public_key", 609), ("sshcr_3", "public_key", 610)])
        self.assertEqual(judged(credential("sshcr_1"), credential("sshcr_2", public_key="another")), [])

    def test_shared(self) -> None:
        """Rules and owners are judged as those of authtokens are."""
        found = judged(credential("sshcr_1", acl=("x",), owner_id="usr_1"))
        self.assertEqual(found, [("sshcr_1", "acl[0]", 600), ("sshcr_1", "owner_id", 634)])
