"""
Tests of `ngrok_twisted.tls.pem`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tls.pem import CERTIFICATE_PEM_MAX, check_pair, read_certificates, read_private_key
from tests.tls.authority import Made, key_pem

ROOT = Made("root.example")
MIDDLE = ROOT.issue("middle.example", ca=True)
LEAF = MIDDLE.issue("leaf.example")


class CheckPairTests(SynchronousTestCase):
    """`check_pair`."""

    def codes(self, certificate_pem: str, private_key_pem: str) -> list[int]:
        """The codes of everything that is wrong."""
        return [code for code, _ in check_pair(certificate_pem, private_key_pem)]

    def test_good(self) -> None:
        """A chain in order is good, with its root or without, alone or with text between."""
        for chain in ([LEAF], [LEAF, MIDDLE], [LEAF, MIDDLE, ROOT]):
            self.assertEqual(self.codes("\n# comment\n".join(made.pem for made in chain), LEAF.key_pem), [])

    def test_key_kinds(self) -> None:
        """RSA, ECDSA and Ed25519 keys are good in each of their PEM forms; others are not."""
        for key, formats in (
            (rsa.generate_private_key(65537, 2048), (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)),
            (ec.generate_private_key(ec.SECP384R1()), (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)),
            (ed25519.Ed25519PrivateKey.generate(), (PrivateFormat.PKCS8,)),
        ):
            made = MIDDLE.issue("leaf.example", key)
            for format in formats:
                self.assertEqual(self.codes(made.pem, key_pem(key, format)), [])
        for unfit in (
            rsa.generate_private_key(65537, 1024),
            ec.generate_private_key(ec.SECP256K1()),
            dsa.generate_private_key(1024),
        ):
            self.assertEqual(self.codes(LEAF.pem, key_pem(unfit)), [1903])

    def test_certificate(self) -> None:
        """What is not a bundle of certificates is told apart."""
        for pem, code in (
            ("", 1922),
            (" \n", 1922),
            ("x" * (CERTIFICATE_PEM_MAX + 1), 1921),
            ("hello", 1900),
            (LEAF.key_pem, 1925),
            (LEAF.pem + LEAF.key_pem, 1925),
            (LEAF.pem.replace("MII", "MIJ", 1), 1900),
            (LEAF.pem.replace("-----END", "é-----END"), 1900),
        ):
            self.assertEqual(self.codes(pem, LEAF.key_pem), [code], pem[:40])

    def test_key(self) -> None:
        """What is not a private key is told apart."""
        for pem, code in (
            ("", 1901),
            ("hello", 1903),
            (LEAF.pem, 1924),
            (LEAF.key_pem.replace("MIG", "MIH", 1), 1903),
            (key_pem(LEAF.key, password=b"secret"), 1902),
            (key_pem(LEAF.key, PrivateFormat.TraditionalOpenSSL, b"secret"), 1902),
        ):
            self.assertEqual(self.codes(LEAF.pem, pem), [code], pem[:40])

    def test_both(self) -> None:
        """All that is wrong is found at once."""
        self.assertEqual(self.codes("", ""), [1922, 1901])

    def test_mismatch(self) -> None:
        """A key of another certificate does not match."""
        self.assertEqual(self.codes(LEAF.pem, Made("other.example").key_pem), [1923])

    def test_order(self) -> None:
        """The leaf comes first, and each certificate is followed by its issuer."""
        for chain in ([MIDDLE, LEAF], [ROOT, MIDDLE, LEAF], [LEAF, ROOT], [LEAF, ROOT, MIDDLE], [LEAF, LEAF]):
            self.assertEqual(self.codes("".join(made.pem for made in chain), LEAF.key_pem), [1926])

    def test_same_name(self) -> None:
        """An issuer of the right name with another key is not the issuer."""
        impostor = Made("middle.example")
        self.assertEqual(self.codes(LEAF.pem + impostor.pem, LEAF.key_pem), [1926])

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_anything(self, certificate: str, key: str) -> None:
        """Any text is found wanting, and never breaks the check."""
        start = "-----BEGIN CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n"
        self.assertEqual(len(self.codes(certificate, key)), 2)
        self.assertEqual(len(self.codes(start[0] + certificate, start[1] + key)), 2)


class ReadTests(SynchronousTestCase):
    """`read_certificates` and `read_private_key`."""

    def test_read(self) -> None:
        """What is good is read."""
        self.assertEqual(read_certificates(LEAF.pem + MIDDLE.pem), [LEAF.certificate, MIDDLE.certificate])
        self.assertEqual(key_pem(read_private_key(LEAF.key_pem)), LEAF.key_pem)

    def test_refused(self) -> None:
        """What is not good is refused with a sentence that quotes nothing."""
        self.assertIn("certificate", str(self.assertRaises(ValueError, read_certificates, "secret")))
        error = str(self.assertRaises(ValueError, read_private_key, "secret"))
        self.assertNotIn("secret", error)
