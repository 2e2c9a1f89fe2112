"""
Tests for `ngrok_twisted.webhook.providers.sendgrid`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import providers
from tests.webhook.signers import b64
from tests.webhook.vectors import vectors, verdict


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """As SendGrid shows its key."""
    return b64(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class SendGridTests(SynchronousTestCase):
    """Public keys."""

    def test_keys(self) -> None:
        """A key is one for ECDSA; what files have around it may stay."""
        check = providers()["sendgrid"].check_secret
        good = public(ec.generate_private_key(ec.SECP256R1()))
        check(good)
        check(f"-----BEGIN PUBLIC KEY-----\n{good[:64]}\n{good[64:]}\n-----END PUBLIC KEY-----\n")
        for bad in ("hush", good[:-8], good[8:], public(rsa.generate_private_key(65537, 2048)), "=", "Zo\u00eb"):
            self.assertEqual(self.assertRaises(Refused, check, bad).code, 7107)

    def test_other_key(self) -> None:
        """What was signed with another key is refused."""
        vector = next(vectors("sendgrid"))
        other = public(ec.generate_private_key(ec.SECP256R1()))
        self.assertEqual(verdict("sendgrid", other, vector.delivery).word, "wrong")

    def test_no_signature(self) -> None:
        """What is no signature is refused."""
        vector = next(vectors("sendgrid"))
        name, said = vector.delivery.fields[0]
        for wrong in (b"", b"!", b"AAAA", said[:-4], said * 2):
            fields = ((name, wrong), *vector.delivery.fields[1:])
            found = verdict("sendgrid", vector.secret, vector.changed(fields=fields).delivery)
            self.assertIsInstance(found, NotGenuine)
