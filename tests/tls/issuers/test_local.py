"""
Tests of `ngrok_twisted.tls.issuers.local`.
"""

from __future__ import annotations

import ssl
import time
from datetime import timedelta

from cryptography import x509
from twisted.internet.task import Clock
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import ICertificateIssuer
from ngrok_twisted.tls.contexts import make_context
from ngrok_twisted.tls.issuers.local import CA_LIFE, LEAF_LIFE, LocalIssuer
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.tls.pem import check_pair, read_certificates
from tests.tls.authority import Made
from tests.tls.handshake import client_context, handshake


class LocalIssuerTests(SynchronousTestCase):
    """`LocalIssuer`."""

    def setUp(self) -> None:
        """A state directory, today."""
        self.clock = Clock()
        self.clock.advance(time.time())
        self.directory = FilePath(self.mktemp())
        self.issuer = LocalIssuer.open(self.directory, self.clock)

    def reopen(self) -> LocalIssuer:
        """Start again."""
        return LocalIssuer.open(self.directory, self.clock)

    def refused(self, *words: str) -> None:
        """The authority is refused, and the one sentence about it has these words."""
        error = self.assertRaises(InvalidConfig, self.reopen)
        (problem,) = error.problems
        for word in words:
            self.assertIn(word, str(problem))

    def test_interface(self) -> None:
        """It is an issuer."""
        verifyObject(ICertificateIssuer, self.issuer)

    def test_files(self) -> None:
        """Everyone may read the certificate, only the owner the key; nothing else is left behind."""
        self.assertEqual(sorted(self.directory.listdir()), ["ca.key", "ca.pem"])
        self.assertEqual(self.directory.child("ca.pem").getPermissions().shorthand(), "rw-r--r--")
        self.assertEqual(self.directory.child("ca.key").getPermissions().shorthand(), "rw-------")

    def test_kept(self) -> None:
        """The next start uses the same authority."""
        self.assertEqual(self.reopen().certificate_pem, self.issuer.certificate_pem)
        self.assertEqual(self.directory.child("ca.pem").getContent().decode(), self.issuer.certificate_pem)

    def test_served(self) -> None:
        """Whoever trusts the authority meets its names without a warning."""
        pair = self.issuer.issue(("*.ngrok.localhost", "ngrok.localhost"))
        self.assertEqual(check_pair(pair.certificate_pem, pair.private_key_pem), [])
        server = make_context(pair.certificate_pem, pair.private_key_pem, TLSOptions())
        client = client_context(self.issuer.certificate_pem)
        for name in ("a.ngrok.localhost", "ngrok.localhost"):
            handshake(server, client, name)

    def test_leaf(self) -> None:
        """A certificate is for servers, lives 90 days, names its issuer, and signs nothing."""
        (leaf,) = read_certificates(self.issuer.issue(("a.example", "b.example")).certificate_pem)
        (authority,) = read_certificates(self.issuer.certificate_pem)
        leaf.verify_directly_issued_by(authority)
        get = leaf.extensions.get_extension_for_class
        self.assertEqual(
            get(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName), ["a.example", "b.example"]
        )
        self.assertFalse(get(x509.BasicConstraints).value.ca)
        self.assertEqual([usage._name for usage in get(x509.ExtendedKeyUsage).value], ["serverAuth"])
        self.assertEqual(
            get(x509.AuthorityKeyIdentifier).value.key_identifier,
            authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest,
        )
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        self.assertTrue(LEAF_LIFE <= life < timedelta(days=398))

    def test_addresses(self) -> None:
        """Addresses stand in it as such, so that who dials one meets no warning either; other ones are not covered."""
        pair = self.issuer.issue(("connect.example", "localhost", "127.0.0.1", "::1"))
        server = make_context(pair.certificate_pem, pair.private_key_pem, TLSOptions())
        client = client_context(self.issuer.certificate_pem)
        for dialled in ("connect.example", "localhost", "127.0.0.1", "::1"):
            handshake(server, client, dialled)
        self.assertRaises(ssl.SSLCertVerificationError, handshake, server, client, "127.0.0.2")

    def test_different(self) -> None:
        """No two certificates share a serial number or a key."""
        first, second = [self.issuer.issue(("a.example",)) for _ in range(2)]
        serials = [read_certificates(pair.certificate_pem)[0].serial_number for pair in (first, second)]
        self.assertNotEqual(*serials)
        self.assertNotEqual(first.private_key_pem, second.private_key_pem)

    def test_long_name(self) -> None:
        """A name that does not fit into the subject stands in the SAN alone, which is then critical."""
        name = ".".join(["a" * 60, "b" * 60, "example"])
        (leaf,) = read_certificates(self.issuer.issue((name,)).certificate_pem)
        self.assertEqual(len(leaf.subject), 0)
        self.assertTrue(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical)

    def test_no_longer_than_the_authority(self) -> None:
        """Near the authority's end, certificates end with it."""
        self.clock.advance((CA_LIFE - timedelta(days=1)).total_seconds())
        (leaf,) = read_certificates(self.issuer.issue(("a.example",)).certificate_pem)
        self.assertEqual(
            leaf.not_valid_after_utc, read_certificates(self.issuer.certificate_pem)[0].not_valid_after_utc
        )

    def test_expired(self) -> None:
        """An authority past its end is refused."""
        self.clock.advance(CA_LIFE.total_seconds())
        self.refused("ca.pem", "expired")

    def test_lost_key(self) -> None:
        """A certificate without its key is refused, and not replaced: visitors trust it."""
        self.directory.child("ca.key").remove()
        self.refused("ca.key", "missing")
        self.assertFalse(self.directory.child("ca.key").exists())

    def test_interrupted(self) -> None:
        """A first start that ended between the two files is finished by the next."""
        self.directory.child("ca.pem").remove()
        issuer = self.reopen()
        self.assertNotEqual(issuer.certificate_pem, self.issuer.certificate_pem)
        self.assertEqual(self.reopen().certificate_pem, issuer.certificate_pem)

    def test_corrupt(self) -> None:
        """Files that hold something else are refused."""
        self.directory.child("ca.key").setContent(b"\xff nonsense")
        self.refused("ca.key")
        self.directory.child("ca.key").setContent(Made("other.example").key_pem.encode())
        self.refused("ca.pem", "does not belong")

    def test_not_an_authority(self) -> None:
        """A certificate that may not sign is refused."""
        made = Made("a.example", ca=False)
        self.directory.child("ca.key").setContent(made.key_pem.encode())
        self.directory.child("ca.pem").setContent(made.pem.encode())
        self.refused("ca.pem", "authority")
