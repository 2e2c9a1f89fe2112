"""
Tests for `ngrok_twisted.iam.key_formats`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.key_formats import TEXT_MAX, one_line
from tests.iam.keys import blob_of, line

KEY = line(blob_of("ed25519"))


def rfc4716(*headers: str, key: str = KEY) -> str:
    """A key as RFC 4716 writes it."""
    base64 = key.split()[1]
    folded = [base64[start : start + 40] for start in range(0, len(base64), 40)]
    return "\n".join(["---- BEGIN SSH2 PUBLIC KEY ----", *headers, *folded, "---- END SSH2 PUBLIC KEY ----", ""])


class OneLineTests(SynchronousTestCase):
    """`one_line`."""

    def test_line(self) -> None:
        """A line stays as it is, but for the space around it."""
        self.assertEqual(one_line(f" {KEY} me@home\r\n"), f"{KEY} me@home")

    def test_rfc4716(self) -> None:
        """RFC 4716 becomes a line with the comment, whatever other headers there are and however long they are."""
        self.assertEqual(one_line(rfc4716()), KEY)
        headers = ('Comment: "me@home"', "x-note: a long \\", "story: indeed \\", "without end")
        self.assertEqual(one_line(rfc4716(*headers)), f"{KEY} me@home")

    def test_pem(self) -> None:
        """PEM becomes a line, for every type of key."""
        for kind in ("ed25519", "nistp256", "rsa"):
            public = load_ssh_public_key(line(blob_of(kind)).encode())
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            self.assertEqual(one_line(pem), line(blob_of(kind)))

    def test_private(self) -> None:
        """A private key is refused with a warning, and not repeated."""
        private = Ed25519PrivateKey.generate()
        for format in (PrivateFormat.OpenSSH, PrivateFormat.PKCS8):
            pem = private.private_bytes(Encoding.PEM, format, NoEncryption()).decode()
            error = self.assertRaises(ValueError, one_line, pem)
            self.assertIn("private key", str(error))
            self.assertNotIn(pem.splitlines()[1], str(error))

    def test_refused(self) -> None:
        """Several keys, or a part of one, are refused."""
        for text in (
            f"{KEY}\n{KEY}",
            f"{KEY} me\rssh-rsa AAAA",
            rfc4716()[:-10],
            rfc4716(key="ssh-rsa ===="),
            "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----\n",
            "x" * (TEXT_MAX + 1),
        ):
            self.assertRaises(ValueError, one_line, text)

    @given(
        st.text(max_size=200),
        st.sampled_from(["", "---- BEGIN SSH2 PUBLIC KEY ----\n", "-----BEGIN PUBLIC KEY-----\n"]),
    )
    def test_anything(self, text: str, before: str) -> None:
        """Whatever is sent gives one line or a `ValueError`."""
        try:
            self.assertNotIn("\n", one_line(before + text))
        except ValueError as error:
            self.assertTrue(str(error))
