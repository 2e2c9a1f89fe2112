"""Tests for `ngrok_twisted.transports.ssh.shared_secret`."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from twisted.conch.ssh.common import MP, NS
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.publickey import BadKey
from ngrok_twisted.transports.ssh.shared_secret import (
    AGREEMENTS,
    agree_curve25519,
    agree_hybrid,
    exchange_hash,
    only_string,
)


class AgreementTests(SynchronousTestCase):
    """Both ends come to the same secret."""

    def test_curve25519(self) -> None:
        """The secret is the client's, as a number (RFC 8731 section 3.1)."""
        client = X25519PrivateKey.generate()
        ours, secret = agree_curve25519(client.public_key().public_bytes_raw())
        theirs = client.exchange(X25519PublicKey.from_public_bytes(ours))
        self.assertEqual(secret, MP(int.from_bytes(theirs, "big")))

    def test_hybrid(self) -> None:
        """The secret is a hash of both secrets, as a string."""
        kem, curve = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        sent = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        ours, secret = agree_hybrid(sent)
        both = kem.decapsulate(ours[:-32]) + curve.exchange(X25519PublicKey.from_public_bytes(ours[-32:]))
        self.assertEqual(secret, NS(sha256(both).digest()))

    def test_bad_values(self) -> None:
        """Values of another length, and points that lead to no secret, are refused."""
        for bad in (b"", b"x" * 31, b"x" * 33, bytes(32)):
            self.assertRaises(ValueError, agree_curve25519, bad)
        kem = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
        for bad in (b"", kem, kem + bytes(32), kem[:-1] + bytes(32), b"\xff" * 1184 + b"x" * 32):
            self.assertRaises(ValueError, agree_hybrid, bad)

    def test_names(self) -> None:
        """The names of the exchanges."""
        curve = {b"curve25519-sha256", b"curve25519-sha256@libssh.org"}
        self.assertEqual(set(AGREEMENTS), curve | {b"mlkem768x25519-sha256"})


class PartsTests(SynchronousTestCase):
    """What goes around them."""

    def test_only_string(self) -> None:
        """A message that is cut short, or longer than its string, is malformed."""
        self.assertEqual(only_string(NS(b"abc")), b"abc")
        for bad in (b"", b"\0\0\0\5abc", NS(b"abc") + b"d"):
            self.assertRaises(BadKey, only_string, bad)

    def test_hash(self) -> None:
        """Strings with their lengths, then the secret as it is."""
        self.assertEqual(exchange_hash(b"a", b"", secret=b"s"), sha256(b"\0\0\0\1a\0\0\0\0s").digest())
