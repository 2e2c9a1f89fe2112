"""
Tests for `ngrok_twisted.policy.certificate`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.certificate import certificate_facts

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def certificate(names: list[x509.NameAttribute[str]], *extensions: x509.ExtensionType) -> bytes:
    """A certificate that says this, in DER."""
    name = x509.Name(names)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 0xABCDEF)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)


class CertificateFactsTests(SynchronousTestCase):
    """What a certificate says."""

    def test_all(self) -> None:
        """Names, alternative names, times and extensions."""
        der = certificate(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "me"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "one"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "two"),
            ],
            x509.SubjectAlternativeName(
                [x509.DNSName("a.example"), x509.RFC822Name("me@a.example"), x509.IPAddress(ip_address("192.0.2.1"))]
            ),
        )
        found = certificate_facts(der)
        for name, expected in {
            "serial_number": "abcdef",
            "signature_algorithm": "ECDSA-SHA256",
            "subject": "O=two,O=one,CN=me",
            "subject.common_name": "me",
            "subject.organization": ["one", "two"],
            "subject.country": [],
            "issuer.common_name": "me",
            "san": "DNS:a.example, email:me@a.example, IP Address:192.0.2.1",
            "san.dns_names": ["a.example"],
            "san.ip_addresses": ["192.0.2.1"],
            "san.uris": [],
            "validity.not_before": NOW,
        }.items():
            self.assertEqual(found[name], expected, name)
        self.assertEqual(found["extensions"][0]["id"], ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string)
        self.assertTrue(found["pem"].startswith("-----BEGIN CERTIFICATE-----\n"))

    def test_little(self) -> None:
        """A certificate that says little is no trouble."""
        found = certificate_facts(certificate([]))
        self.assertEqual((found["subject"], found["subject.common_name"], found.get("san")), ("", "", None))

    def test_none(self) -> None:
        """Without a certificate there is nothing."""
        self.assertEqual(certificate_facts(None), {})

    def test_broken_extension(self) -> None:
        """Of a certificate with a broken extension the rest can be read."""
        broken = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x80broken")
        found = certificate_facts(certificate([x509.NameAttribute(NameOID.COMMON_NAME, "me")], broken))
        self.assertEqual((found["subject.common_name"], found.get("san.dns_names")), ("me", None))

    @given(st.binary(max_size=100), st.integers(0, 400))
    def test_hostile(self, data: bytes, place: int) -> None:
        """No bytes make it fail."""
        good = certificate([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
        certificate_facts(data)
        certificate_facts(good[:place] + data + good[place + len(data) :])
