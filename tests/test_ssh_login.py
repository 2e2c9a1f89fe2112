"""
Tests of `ngrok_twisted.ssh_login`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.ssh_login import KEY_TYPES, SIGNATURES, CertificateLogin, ISSHCertificateLogin, certified_name


class NamesTests(SynchronousTestCase):
    """What OpenSSH calls certificates."""

    def test_names(self) -> None:
        """The vendor's suffix stands once, at the end."""
        self.assertEqual(certified_name(b"ssh-rsa"), b"ssh-rsa-cert-v01@openssh.com")
        self.assertEqual(certified_name(b"sk-ssh-ed25519@openssh.com"), b"sk-ssh-ed25519-cert-v01@openssh.com")

    def test_sha1(self) -> None:
        """RSA keys are certified, but sign with SHA-2 only."""
        self.assertIn(b"ssh-rsa-cert-v01@openssh.com", KEY_TYPES)
        self.assertNotIn(b"ssh-rsa-cert-v01@openssh.com", SIGNATURES)
        self.assertEqual(SIGNATURES[b"rsa-sha2-256-cert-v01@openssh.com"], b"rsa-sha2-256")


class CertificateLoginTests(SynchronousTestCase):
    """The credentials."""

    def test_interface(self) -> None:
        """They are what a portal expects."""
        login = CertificateLogin(username=b"v2", algorithm=b"a", blob=b"b", peer_host="192.0.2.7")
        self.assertTrue(verifyObject(ISSHCertificateLogin, login))

    def test_repr(self) -> None:
        """What was signed is not shown."""
        login = CertificateLogin(username=b"", algorithm=b"", blob=b"", peer_host="", signature=b"SIG", signed=b"DATA")
        self.assertNotIn("SIG", repr(login))
        self.assertNotIn("DATA", repr(login))
