"""
Tests of `ngrok_twisted.tls.openssl`.
"""

from __future__ import annotations

import ssl

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tls import openssl
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.tls.contexts import make_context
from tests.tls.authority import Made
from tests.tls.handshake import client_context, handshake


class TuneTests(SynchronousTestCase):
    """`tune`."""

    def test_groups(self) -> None:
        """Where the context can be reached, only the groups of the list are agreed on."""
        made = Made("a.example")
        server = make_context(made.pem, made.key_pem, TLSOptions())
        reached = openssl.tune(server)
        for group, agreed in (("prime256v1", True), ("secp384r1", True), ("X25519", True), ("secp521r1", not reached)):
            client = client_context(made.pem)
            try:
                client.set_ecdh_curve(group)
            except ssl.SSLError:  # before 3.11.3 Python knows only the NIST curves by name
                self.assertEqual(group, "X25519")
                continue
            if agreed:
                handshake(server, client, "a.example")
            else:
                self.assertRaises(ssl.SSLError, handshake, server, client, "a.example")

    def test_unreachable(self) -> None:
        """Where it cannot be reached it is left alone, and works."""
        self.patch(openssl, "_libssl", None)
        made = Made("a.example")
        server = make_context(made.pem, made.key_pem, TLSOptions())
        self.assertFalse(openssl.tune(server))
        handshake(server, client_context(made.pem), "a.example")

    def test_ticket_key(self) -> None:
        """Only a key of the right length is set, and none where the context cannot be reached."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        reached = openssl.tune(context)
        self.assertEqual(openssl.set_ticket_key(context, bytes(openssl.TICKET_KEY_BYTES)), reached)
        self.assertFalse(openssl.set_ticket_key(context, bytes(48)))
        self.patch(openssl, "_libssl", None)
        self.assertFalse(openssl.set_ticket_key(context, bytes(openssl.TICKET_KEY_BYTES)))

    def test_another_python(self) -> None:
        """A Python whose `ssl` has its OpenSSL built in is not reached into."""
        self.patch(openssl._ssl, "__file__", None)
        self.assertIsNone(openssl._load())

    def test_another_version(self) -> None:
        """Nor is a library of another version than the one that `ssl` was started with."""
        self.patch(ssl, "OPENSSL_VERSION_NUMBER", 1)
        self.assertIsNone(openssl._load())


class ReleaseTests(SynchronousTestCase):
    """`release`."""

    def test_usable(self) -> None:
        """A BIO whose buffer was given back is empty, and works as before."""
        bio = ssl.MemoryBIO()
        for size in (20_000, 3):
            bio.write(b"x" * size)
            self.assertEqual(bio.read(), b"x" * size)
            openssl.release(bio)
            self.assertEqual((bio.pending, bio.read(), bio.eof), (0, b"", False))

    def test_unreachable(self) -> None:
        """Where the library cannot be reached nothing is done."""
        bio = ssl.MemoryBIO()
        bio.write(b"kept")
        openssl._make_release(None)(bio)
        self.assertEqual(bio.read(), b"kept")
