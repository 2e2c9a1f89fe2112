"""
Tests of `ngrok_twisted.control.rules.ssh_certificate_authorities`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around, record_problems
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS


class SSHCertificateAuthorityRulesTests(SynchronousTestCase):
    """What must hold for SSH certificate authorities."""

    def test_key(self) -> None:
        """No two authorities have the same key, be they of different accounts."""
        made = [
            SSHCertificateAuthority(id=id, account_id=account, private_key="", public_key=key, key_type="rsa")
            for id, account, key in (("a", ACCOUNT, "k"), ("b", OTHER, "k"), ("c", ACCOUNT, "l"))
        ]
        around = Around(records=Snapshot().with_changes(map(Put, made)), settings=SETTINGS)
        paths = [[problem.path for problem in record_problems(record, around)] for record in made]
        self.assertEqual(paths, [["private_key"], ["private_key"], []])
