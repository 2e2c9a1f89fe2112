"""
Tests of `ngrok_twisted.iam.ssh_authority_keys`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, rsa
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.ssh_authority_keys import NotCertifiable, certifiable, make_key, read_private_key
from tests.iam.keys import blob_of, line, security_key


def pem(key: Any, form: serialization.PrivateFormat, passphrase: bytes = b"") -> str:
    """A private key as text."""
    sealed: Any = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, sealed).decode())


class PrivateKeyTests(SynchronousTestCase):
    """What authorities sign with."""

    def refused(self, text: str) -> str:
        """Why it cannot be used."""
        return str(self.assertRaises(ValueError, read_private_key, text))

    def test_made(self) -> None:
        """A key that was made can be used."""
        for wanted, start in (
            (("ed25519",), "ssh-ed25519 "),
            (("ecdsa", "nistp521"), "ecdsa-sha2-nistp521 "),
            (("rsa", "", 2048), "ssh-rsa "),
        ):
            found = read_private_key(make_key(*wanted))  # type: ignore[arg-type]
            self.assertEqual(found.key_type, wanted[0])
            self.assertTrue(found.public_key.startswith(start))

    def test_forms(self) -> None:
        """OpenSSH's form, PKCS#8 and the older PEM forms are the same key."""
        key = ec.generate_private_key(ec.SECP256R1())
        forms = (
            serialization.PrivateFormat.OpenSSH,
            serialization.PrivateFormat.PKCS8,
            serialization.PrivateFormat.TraditionalOpenSSL,
        )
        self.assertEqual(len({read_private_key(f"\n{pem(key, form)}\n").public_key for form in forms}), 1)

    def test_refused(self) -> None:
        """Keys that are locked, weak, of other kinds or no keys at all."""
        openssh, pkcs8 = serialization.PrivateFormat.OpenSSH, serialization.PrivateFormat.PKCS8
        key = ed25519.Ed25519PrivateKey.generate()
        self.assertIn("passphrase", self.refused(pem(key, openssh, b"secret")))
        self.assertIn("passphrase", self.refused(pem(key, pkcs8, b"secret")))
        self.assertIn("1024", self.refused(pem(rsa.generate_private_key(65537, 1024), pkcs8)))
        self.assertIn("nistp256", self.refused(pem(ec.generate_private_key(ec.SECP256K1()), pkcs8)))
        self.assertIn("ed25519", self.refused(pem(ed448.Ed448PrivateKey.generate(), pkcs8)))
        for text in ("", "ü", line(blob_of("ed25519")), pem(key, openssh)[:-60]):
            self.assertIn("cannot be read", self.refused(text))


class CertifiableTests(SynchronousTestCase):
    """Which keys get a certificate."""

    def test_types(self) -> None:
        """RSA, ECDSA and Ed25519, with or without a comment."""
        for kind, key_type in (("rsa", "rsa"), ("nistp256", "ecdsa"), ("nistp521", "ecdsa"), ("ed25519", "ed25519")):
            self.assertEqual(certifiable(line(blob_of(kind))), key_type)
            self.assertEqual(certifiable(f" {line(blob_of(kind))} a comment ü\r\n"), key_type)

    def test_others(self) -> None:
        """Security keys and DSA do not."""
        for blob in (security_key("ed25519"), security_key("nistp256"), blob_of("dsa")):
            self.assertRaises(NotCertifiable, certifiable, line(blob))

    def test_unreadable(self) -> None:
        """What is no key, weak, or says another type than it is, cannot be read."""
        good = line(blob_of("ed25519"))
        for text in ("", "ssh-ed25519", "x y", good[:-8], good.replace("ssh-ed", "ssh-xy"), f"{good}\n{good}", "ü ü"):
            error = self.assertRaises(ValueError, certifiable, text)
            self.assertNotIsInstance(error, NotCertifiable)
        self.assertRaises(ValueError, certifiable, line(blob_of("short rsa")))
