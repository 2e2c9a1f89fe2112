"""
Tests of `ngrok_twisted.tls.pem`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tls.pem import (
    CERTIFICATE_PEM_MAX,
    CERTIFICATES_MAX,
    blocks,
    check_authority,
    check_pair,
    is_authority,
    key_type,
    read_certificates,
    read_private_key,
    split_pairs,
)
from tests.tls.authority import Made, key_pem

ROOT = Made("root.example")
MIDDLE = ROOT.issue("middle.example", ca=True)
LEAF = MIDDLE.issue("leaf.example")
RSA_LEAF = ROOT.issue("leaf.example", rsa.generate_private_key(65537, 2048))


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
            (LEAF.pem.replace("MII", "MéI", 1), 1900),
            (LEAF.pem.replace("-----END", "-----END X"), 1900),
            (LEAF.pem.replace("CERTIFICATE-----", "CERTIFICATE REQUEST-----"), 1911),
            (LEAF.pem + LEAF.pem.replace("CERTIFICATE-----", "TRUSTED CERTIFICATE-----"), 1911),
            (LEAF.pem.replace("CERTIFICATE-----\n", "CERTIFICATE-----\nComment: x\n\n", 1), 1910),
            (LEAF.pem * (CERTIFICATES_MAX + 1), 1921),
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

    def test_broken_key(self) -> None:
        """A key with the right modulus and a wrong exponent is found out, before a visitor meets it."""
        numbers: Any = RSA_LEAF.key.private_numbers()
        broken = rsa.RSAPrivateNumbers(
            numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
        ).private_key(unsafe_skip_rsa_key_validation=True)
        self.assertEqual(self.codes(RSA_LEAF.pem, key_pem(broken)), [1903])

    def test_parameters(self) -> None:
        """The parameters of a curve, which OpenSSL writes before a key, are passed over."""
        parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        key = key_pem(LEAF.key, PrivateFormat.TraditionalOpenSSL)
        self.assertEqual(self.codes(LEAF.pem, parameters + key), [])

    def test_two_types(self) -> None:
        """A chain for each type of key makes one bundle; the keys may be in any order."""
        pem = LEAF.pem + MIDDLE.pem + RSA_LEAF.pem
        for keys in (LEAF.key_pem + RSA_LEAF.key_pem, RSA_LEAF.key_pem + LEAF.key_pem):
            self.assertEqual(self.codes(pem, keys), [])
        self.assertEqual(self.codes(RSA_LEAF.pem + ROOT.pem + LEAF.pem, RSA_LEAF.key_pem + LEAF.key_pem), [])

    def test_two_types_refused(self) -> None:
        """Each chain is in order and has its key, and no type of key is there twice."""
        both = LEAF.key_pem + RSA_LEAF.key_pem
        other = ROOT.issue("leaf.example")
        for pem, keys, code in (
            (LEAF.pem + ROOT.pem + RSA_LEAF.pem, both, 1926),
            (MIDDLE.pem + LEAF.pem + RSA_LEAF.pem, both, 1926),
            (LEAF.pem + RSA_LEAF.pem, LEAF.key_pem, 1926),
            (LEAF.pem, both, 1923),
            (LEAF.pem + other.pem, LEAF.key_pem + other.key_pem, 1903),
        ):
            self.assertEqual(self.codes(pem, keys), [code])

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_anything(self, certificate: str, key: str) -> None:
        """Any text is found wanting, and never breaks the check."""
        start = "-----BEGIN CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n"
        self.assertEqual(len(self.codes(certificate, key)), 2)
        self.assertEqual(len(self.codes(start[0] + certificate, start[1] + key)), 2)


class AuthorityTests(SynchronousTestCase):
    """`check_authority` and `is_authority`."""

    def test_authority(self) -> None:
        """The certificate of an authority is told from that of a site; its key must not be there."""
        self.assertEqual(check_authority("# ours\n" + ROOT.pem), [])
        self.assertEqual([code for code, _ in check_authority(LEAF.pem)], [1913])
        self.assertEqual([code for code, _ in check_authority(ROOT.pem + ROOT.key_pem)], [1911])
        self.assertTrue(is_authority(MIDDLE.certificate))
        self.assertFalse(is_authority(LEAF.certificate))

    @given(st.text(max_size=200))
    def test_anything(self, pem: str) -> None:
        """Any text is found wanting, and never breaks the check."""
        self.assertEqual(len(check_authority(pem)), 1)
        self.assertEqual(len(check_authority("-----BEGIN CERTIFICATE-----\n" + pem)), 1)


class SplitTests(SynchronousTestCase):
    """`blocks` and `split_pairs`."""

    def test_blocks(self) -> None:
        """Whole blocks are found, whatever stands around them and however lines end."""
        lines = [
            "x",
            "-----BEGIN A-----",
            "-----BEGIN B-----",
            "\tbb",
            "-----END A-----",
            "-----END B-----",
            "-----BEGIN C-----",
        ]
        text = "\r\n".join(lines)
        (found,) = blocks(text)
        self.assertEqual((found.label, found.text), ("B", "-----BEGIN B-----\nbb\n-----END A-----\n-----END B-----\n"))

    def test_one(self) -> None:
        """One key is not looked into."""
        self.assertEqual(split_pairs("certificate", LEAF.key_pem), [("certificate", LEAF.key_pem)])

    def test_two(self) -> None:
        """Each chain comes with its key, in the order of the bundle."""
        pairs = split_pairs(LEAF.pem + MIDDLE.pem + RSA_LEAF.pem, RSA_LEAF.key_pem + LEAF.key_pem)
        self.assertEqual(pairs, [(LEAF.pem + MIDDLE.pem, LEAF.key_pem), (RSA_LEAF.pem, RSA_LEAF.key_pem)])

    def test_apart(self) -> None:
        """Keys that do not belong to the bundle are refused."""
        with self.assertRaises(ValueError):
            split_pairs(LEAF.pem, LEAF.key_pem + RSA_LEAF.key_pem)

    def test_key_type(self) -> None:
        """Public and private keys are of the same type."""
        for key, named in (
            (RSA_LEAF.key, "rsa"),
            (LEAF.key, "ecdsa"),
            (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        ):
            self.assertEqual((key_type(key), key_type(key.public_key())), (named, named))


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
