"""
Tests for `ngrok_twisted.control.operator_authority`.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.operator_authority import authority_of, make_authority, sign
from ngrok_twisted.records.base import Put, Snapshot
from tests.control.api.resources.test_kubernetes_operators import csr

NOW = 1_767_225_600.5


def ones(count: int) -> bytes:
    """Not so random bytes."""
    return b"\1" * count


class AuthorityTests(SynchronousTestCase):
    """One authority signs certificates of operators."""

    def setUp(self) -> None:
        self.authority = make_authority(NOW, ones)
        self.certificate = x509.load_pem_x509_certificate(self.authority.certificate_pem.encode())

    def test_authority(self) -> None:
        """It may sign certificates of others, but not those of further authorities, and its key is not shown."""
        basic = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        self.assertEqual((basic.ca, basic.path_length), (True, 0))
        self.certificate.verify_directly_issued_by(self.certificate)
        self.assertNotIn("PRIVATE KEY", repr(self.authority))
        self.assertIn("PRIVATE KEY", self.authority.private_key_pem)

    def test_random(self) -> None:
        """The key comes from the random bytes alone."""
        self.assertEqual(make_authority(NOW, ones).private_key_pem, self.authority.private_key_pem)
        other = make_authority(NOW, lambda count: b"\2" * count)
        self.assertNotEqual(other.private_key_pem, self.authority.private_key_pem)

    def test_kept(self) -> None:
        """It is found among the records."""
        self.assertIsNone(authority_of(Snapshot()))
        self.assertEqual(authority_of(Snapshot().with_changes([Put(self.authority)])), self.authority)

    def test_certificate(self) -> None:
        """A certificate is for clients, names the operator, and lives for a year."""
        signed = sign(self.authority, csr(), "k8sop_1", NOW, ones)
        found = x509.load_pem_x509_certificate(signed.certificate_pem.encode())
        found.verify_directly_issued_by(self.certificate)
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertEqual(found.subject.rfc4514_string(), "CN=k8sop_1")
        self.assertEqual((signed.not_before, signed.not_after), (int(NOW) - 3600, int(NOW) + 365 * 86400))
