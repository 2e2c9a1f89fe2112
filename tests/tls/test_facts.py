"""
Tests of `ngrok_twisted.tls.facts`.
"""

from __future__ import annotations

from datetime import datetime, timezone
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tls.facts import Facts, facts

BORN, DIES = datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(subject: dict[Any, str], *extensions: Any) -> str:
    """A certificate that says this of itself, as PEM."""
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject.items()])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The issuer")])
    builder = x509.CertificateBuilder(issuer, name, KEY.public_key(), 0xABC, BORN, DIES)
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM).decode()


def usage(**granted: bool) -> x509.KeyUsage:
    """Key usages."""
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    names += " crl_sign encipher_only decipher_only"
    return x509.KeyUsage(**{**dict.fromkeys(names.split(), False), **granted})


class FactsTests(SynchronousTestCase):
    """`facts`."""

    def test_everything(self) -> None:
        """A certificate that says everything."""
        names: list[x509.GeneralName] = [x509.DNSName("a.example"), x509.DNSName("*.b.example")]
        names += [x509.IPAddress(ip_address("192.0.2.1")), x509.IPAddress(ip_address("2001:db8::1"))]
        pem = certificate(
            {
                NameOID.COMMON_NAME: "a.example",
                NameOID.ORGANIZATION_NAME: "O",
                NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
                NameOID.LOCALITY_NAME: "L",
                NameOID.STATE_OR_PROVINCE_NAME: "ST",
                NameOID.COUNTRY_NAME: "AT",
            },
            x509.SubjectAlternativeName(names),
            usage(digital_signature=True, key_agreement=True, decipher_only=True),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.4")]),
        )
        self.assertEqual(
            facts("text before\n" + pem),
            Facts(
                common_name="a.example",
                organization="O",
                organizational_unit="OU",
                locality="L",
                province="ST",
                country="AT",
                issuer_common_name="The issuer",
                serial_number="abc",
                dns_names=("a.example", "*.b.example"),
                ips=("192.0.2.1", "2001:db8::1"),
                not_before=BORN.timestamp(),
                not_after=DIES.timestamp(),
                key_usages=("digital_signature", "key_agreement", "decipher_only"),
                extended_key_usages=("server_auth", "1.2.3.4"),
                key_type="ecdsa",
            ),
        )

    def test_nothing(self) -> None:
        """A certificate that says next to nothing."""
        found = facts(certificate({}))
        texts = (found.common_name, found.organization, found.country)
        self.assertEqual((texts, found.dns_names, found.ips), (("", "", ""), (), ()))
        self.assertEqual((found.key_usages, found.extended_key_usages), ((), ()))

    def test_broken_extension(self) -> None:
        """An extension that cannot be read says nothing, and what else there is can be read."""
        broken = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\xff")
        found = facts(certificate({NameOID.COMMON_NAME: "a"}, broken))
        self.assertEqual((found.common_name, found.dns_names), ("a", ()))
