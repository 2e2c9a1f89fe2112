"""
Tests of `ngrok_twisted.control.rules.ssh_host_certificates`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around, record_problems
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS


class SSHHostCertificateRulesTests(SynchronousTestCase):
    """What must hold for SSH host certificates."""

    def codes(self, authority_account: str, authority_id: str = "a") -> list[int]:
        """The codes of the problems of a certificate of `ACCOUNT`, whose authority belongs to an account."""
        authority = SSHCertificateAuthority(
            id="a", account_id=authority_account, private_key="", public_key="", key_type="rsa"
        )
        certificate = SSHHostCertificate(
            id="c",
            account_id=ACCOUNT,
            ssh_certificate_authority_id=authority_id,
            public_key="",
            key_type="rsa",
            valid_after=0,
            valid_until=1,
            certificate="",
        )
        around = Around(records=Snapshot().with_changes([Put(authority), Put(certificate)]), settings=SETTINGS)
        return [problem.code for problem in record_problems(certificate, around)]

    def test_authority(self) -> None:
        """Its authority is one of its account's."""
        self.assertEqual(self.codes(ACCOUNT), [])
        self.assertEqual(self.codes(OTHER), [1949])
        self.assertEqual(self.codes(ACCOUNT, "b"), [1949])
