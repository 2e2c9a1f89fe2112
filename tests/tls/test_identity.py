"""
Tests of `ngrok_twisted.tls.identity`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tls.identity import DNS_NAMES, EMAILS, FIELDS, SERIAL, SUBJECT, identity_fields


def certificate(common_name: str, *names: x509.GeneralName) -> bytes:
    """One in DER, with the serial number 2748."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 0xABC, now, now + timedelta(days=1))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


class IdentityTests(SynchronousTestCase):
    """`identity_fields`."""

    def test_everything(self) -> None:
        """Each part has a field; several values have commas between them."""
        names = [x509.DNSName("a.example"), x509.RFC822Name("me@a.example"), x509.DNSName("b.example")]
        self.assertEqual(
            dict(identity_fields(certificate("Zoë", *names))),
            {SUBJECT: "Zoë".encode(), DNS_NAMES: b"a.example,b.example", EMAILS: b"me@a.example", SERIAL: b"abc"},
        )
        self.assertEqual(FIELDS, {SUBJECT, DNS_NAMES, EMAILS, SERIAL})

    def test_little(self) -> None:
        """What the certificate does not say has no field."""
        self.assertEqual(identity_fields(certificate("")), ((SERIAL, b"abc"),))

    def test_line_ends(self) -> None:
        """No name can end its line."""
        self.assertEqual(dict(identity_fields(certificate("a\r\nx: y")))[SUBJECT], b"a??x: y")

    def test_unreadable(self) -> None:
        """What is no certificate says nothing."""
        self.assertEqual(identity_fields(b"rubbish"), ())
