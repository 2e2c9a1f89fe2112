"""
Tests of `ngrok_twisted.tls.contexts`.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ngrok_twisted.tls import contexts, openssl
from ngrok_twisted.tls.contexts import check_loads, make_context
from ngrok_twisted.tls.options import TLSOptions
from tests.tls.authority import Made
from tests.tls.handshake import client_context, handshake

NAME = "site.example"
ROOT = Made("root.example")
SITE = ROOT.issue(NAME)
STAFF = Made("staff.example")
VISITOR = STAFF.issue("visitor.example")


class MakeContextTests(SynchronousTestCase):
    """`make_context`."""

    def server(self, **options: Any) -> ssl.SSLContext:
        """A context of the site."""
        return make_context(SITE.pem, SITE.key_pem, TLSOptions(**options))

    def client(self, **settings: Any) -> ssl.SSLContext:
        """A visitor who trusts the root."""
        return client_context(ROOT.pem, **settings)

    def visitor(self, made: Made) -> ssl.SSLContext:
        """A visitor with a certificate."""
        client = self.client()
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(made.pem + made.key_pem)
        client.load_cert_chain(path)
        return client

    def test_versions(self) -> None:
        """TLS 1.3 is agreed on where the visitor can, 1.2 where it cannot; nothing older."""
        self.assertEqual(handshake(self.server(), self.client(), NAME)[1].version(), "TLSv1.3")
        old = self.client(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(handshake(self.server(), old, NAME)[1].version(), "TLSv1.2")
        self.assertRaises(ssl.SSLError, handshake, self.server(min_version="1.3"), old, NAME)

    def test_old_version(self) -> None:
        """TLS 1.0 is spoken only where the options ask for it."""
        old = self.client(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        self.assertRaises(ssl.SSLError, handshake, self.server(), old, NAME)
        there, _ = handshake(self.server(min_version="1.0"), old, NAME)
        self.assertEqual(there.version(), "TLSv1")

    def test_unknown_version(self) -> None:
        """A version that does not exist is refused."""
        self.assertRaises(ValueError, self.server, min_version="1.4")
        self.assertRaises(ValueError, self.server, max_version="2")

    def test_ciphers(self) -> None:
        """Only authenticated, forward secret ciphers are offered."""
        for cipher in self.server().get_ciphers():
            self.assertTrue(cipher["aead"], cipher["name"])
            self.assertIn(cipher["kea"], ("kx-ecdhe", "kx-any"))

    def test_visitor_prefers(self) -> None:
        """Among those the visitor's preference counts."""
        client = self.client(maximum_version=ssl.TLSVersion.TLSv1_2)
        for name in ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"):
            client.set_ciphers(f"{name}:ECDHE+AESGCM:ECDHE+CHACHA20")
            self.assertIn(name, handshake(self.server(), client, NAME)[0].cipher() or ())

    def test_cheapest(self) -> None:
        """Otherwise it is AES-128, though OpenSSL's own list begins with AES-256, as far as the context can be reached."""
        chosen = handshake(self.server(), self.client(), NAME)[0].cipher() or ()
        reached = openssl.tune(self.server())
        self.assertIn("TLS_AES_128_GCM_SHA256" if reached else "TLS_AES_256_GCM_SHA384", chosen)

    def test_chacha_first(self) -> None:
        """In TLS 1.3, too, a visitor that puts ChaCha20 first gets it."""
        server, client = self.server(), self.client()
        if not openssl.order_ciphersuites(client, b"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"):
            raise SkipTest("this Python's OpenSSL is out of reach")
        self.assertIn("TLS_CHACHA20_POLY1305_SHA256", handshake(server, client, NAME)[0].cipher() or ())

    def test_tickets(self) -> None:
        """A whole handshake gives one ticket, and so does one that was resumed: a visitor can always come back."""
        server, client = self.server(), self.client()
        self.assertEqual(server.num_tickets, 1)
        _, here = handshake(server, client, NAME)
        for _ in range(3):
            _, here = handshake(server, client, NAME, here.session)
            self.assertTrue(here.session_reused)

    def test_chain_as_given(self) -> None:
        """Nothing is added to what is shown, though the issuer is known: it is among those whose visitors are let in."""
        server = self.server(client_cas=(ROOT.pem,), client_certificate_optional=True)
        _, here = handshake(server, self.client(), NAME)
        reached = openssl.tune(server)
        self.assertEqual(len(here._sslobj.get_unverified_chain()), 1 if reached else 2)  # type: ignore[attr-defined]

    def test_alpn(self) -> None:
        """What is offered is agreed on, in the order of the options."""
        client = self.client()
        client.set_alpn_protocols(["http/1.1", "h2"])
        server = self.server(alpn=(b"h2", b"http/1.1"))
        self.assertEqual(handshake(server, client, NAME)[0].selected_alpn_protocol(), "h2")
        server = self.server(alpn=())
        self.assertIsNone(handshake(server, client, NAME)[0].selected_alpn_protocol())

    def test_shared_tickets(self) -> None:
        """With the same secret a session of one process is resumed by another, though not under other options or secrets."""
        client = self.client()
        make = lambda secret, **options: make_context(SITE.pem, SITE.key_pem, TLSOptions(**options), secret)
        _, here = handshake(make(b"secret"), client, NAME)
        reached = openssl.set_ticket_key(make(b""), bytes(openssl.TICKET_KEY_BYTES))
        for server, resumed in (
            (make(b"secret"), reached),
            (make(b"another"), False),
            (make(b""), False),
            (make(b"secret", alpn=()), False),
        ):
            self.assertEqual(handshake(server, client, NAME, here.session)[0].session_reused, resumed)

    def test_no_tickets(self) -> None:
        """A secret changes nothing where each handshake is to be a full one."""
        visitor = self.visitor(STAFF.issue("visitor.example"))
        servers = [
            make_context(SITE.pem, SITE.key_pem, TLSOptions(client_cas=(STAFF.pem,)), b"secret") for _ in range(2)
        ]
        _, here = handshake(servers[0], visitor, NAME)
        if here.session is not None:
            self.assertFalse(handshake(servers[1], visitor, NAME, here.session)[0].session_reused)

    def test_resumption(self) -> None:
        """A visitor resumes with its ticket, but not where the handshake is done in another way."""
        server, client = self.server(), self.client()
        _, here = handshake(server, client, NAME)
        self.assertTrue(handshake(server, client, NAME, here.session)[0].session_reused)
        other = self.server(alpn=())
        self.assertFalse(handshake(other, client, NAME, here.session)[0].session_reused)

    def test_client_certificate(self) -> None:
        """Where an authority is named, its certificates let a visitor in, and nothing else does."""
        server = self.server(client_cas=(STAFF.pem,), max_version="1.2")
        there, _ = handshake(server, self.visitor(VISITOR), NAME)
        self.assertIn(((("commonName", "visitor.example"),),), (there.getpeercert() or {}).values())
        self.assertRaises(ssl.SSLError, handshake, server, self.client(), NAME)
        self.assertRaises(ssl.SSLError, handshake, server, self.visitor(SITE), NAME)

    def test_client_certificate_optional(self) -> None:
        """A visitor may come without one where it is optional, but not with a bad one."""
        server = self.server(client_cas=(STAFF.pem,), client_certificate_optional=True, max_version="1.2")
        self.assertIsNone(handshake(server, self.client(), NAME)[0].getpeercert())
        self.assertRaises(ssl.SSLError, handshake, server, self.visitor(SITE), NAME)

    def test_intermediate_authority(self) -> None:
        """An authority that is itself issued by another may be named alone."""
        middle = STAFF.issue("middle.example", ca=True)
        server = self.server(client_cas=(middle.pem,), max_version="1.2")
        handshake(server, self.visitor(middle.issue("visitor.example")), NAME)

    def test_mismatch(self) -> None:
        """A pair that does not belong together makes no context."""
        self.assertRaises(ssl.SSLError, make_context, SITE.pem, VISITOR.key_pem, TLSOptions())

    def test_no_memory_files(self) -> None:
        """Where files in memory do not exist, temporary ones serve, and none stays."""
        folder = self.mktemp()
        os.mkdir(folder)
        self.patch(contexts.os.path, "isdir", lambda path: path != "/proc/self/fd")
        self.patch(tempfile, "tempdir", folder)
        handshake(self.server(), self.client(), NAME)
        self.assertEqual(os.listdir(folder), [])

    def test_no_descriptor_stays(self) -> None:
        """Making contexts leaves no file open."""
        self.server()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            self.server()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class TwoTypesTests(SynchronousTestCase):
    """A bundle with an ECDSA and an RSA chain for one name."""

    def setUp(self) -> None:
        """The ECDSA leaf has an intermediate, the RSA leaf comes from the root."""
        self.root = Made("root.example")
        self.middle = self.root.issue("middle.example", ca=True)
        self.ecdsa = self.middle.issue(NAME)
        self.rsa = self.root.issue(NAME, rsa.generate_private_key(65537, 2048))

    def shown(self, server: ssl.SSLContext, **settings: Any) -> bytes:
        """The leaf that a visitor with these settings is shown, and verifies."""
        visitor = client_context(self.root.pem)
        for name, value in settings.items():
            visitor.set_ciphers(value) if name == "ciphers" else setattr(visitor, name, value)
        _, here = handshake(server, visitor, NAME)
        leaf = here.getpeercert(True)
        assert leaf is not None
        return leaf

    def test_by_cipher(self) -> None:
        """Visitors who can only use one of the two are shown that one, and its chain."""
        ecdsa_first = self.ecdsa.pem + self.middle.pem + self.rsa.pem, self.ecdsa.key_pem + self.rsa.key_pem
        rsa_first = self.rsa.pem + self.ecdsa.pem + self.middle.pem, self.ecdsa.key_pem + self.rsa.key_pem
        leaves = [made.certificate.public_bytes(Encoding.DER) for made in (self.ecdsa, self.rsa)]
        for pem, keys in (ecdsa_first, rsa_first):
            server = make_context(pem, keys, TLSOptions())
            for cipher, leaf in zip(("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"), leaves):
                shown = self.shown(server, maximum_version=ssl.TLSVersion.TLSv1_2, ciphers=cipher)
                self.assertEqual(shown, leaf)
            self.assertIn(self.shown(server, minimum_version=ssl.TLSVersion.TLSv1_3), leaves)

    def test_loads(self) -> None:
        """OpenSSL has nothing against the pair, nor against a single one."""
        self.assertEqual(check_loads(self.ecdsa.pem + self.rsa.pem, self.ecdsa.key_pem + self.rsa.key_pem), [])
        self.assertEqual(check_loads(self.rsa.pem, self.rsa.key_pem), [])

    def test_does_not_load(self) -> None:
        """What OpenSSL refuses is told with its reason."""
        ((code, sentence),) = check_loads(self.rsa.pem, self.ecdsa.key_pem)
        self.assertEqual(code, 1900)
        self.assertRegex(sentence, "^TLS cannot use the certificate: [a-z ]+\\.$")
        ((code, _),) = check_loads(self.rsa.pem, self.ecdsa.key_pem + self.rsa.key_pem)
        self.assertEqual(code, 1900)
