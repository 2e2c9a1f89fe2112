"""
Tests of `ngrok_twisted.control.host_keys`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.host_keys import check_host_key, is_inline
from tests.control.declaring import make_host_key, make_pair


class CheckTests(SynchronousTestCase):
    """Which private keys may be host keys."""

    def refusal(self, text: str) -> str:
        """Why a key is refused; nothing of it is in the words."""
        error = self.assertRaises(ValueError, check_host_key, text)
        for line in text.splitlines():
            self.assertNotIn(line or "-----", str(error))
        self.assertIsNone(error.__cause__)
        self.assertTrue(error.__suppress_context__ or error.__context__ is None)
        return str(error)

    def test_served(self) -> None:
        """Keys of the three kinds are."""
        check_host_key(make_host_key())
        check_host_key(make_host_key(ec.generate_private_key(ec.SECP256R1())))
        check_host_key(make_host_key(rsa.generate_private_key(65537, 2048)))

    def test_other_kinds(self) -> None:
        """Other curves and DSA are not."""
        for key in (ec.generate_private_key(ec.SECP384R1()), dsa.generate_private_key(1024)):
            self.assertIn("only ed25519, RSA and ECDSA", self.refusal(make_host_key(key)))

    def test_weak(self) -> None:
        """Short RSA keys are not."""
        self.assertIn("this one 1024", self.refusal(make_host_key(rsa.generate_private_key(65537, 1024))))

    def test_passphrase(self) -> None:
        """Keys with a passphrase are not: nobody is there to type it."""
        self.assertIn("passphrase", self.refusal(make_host_key(password=b"geheim")))

    def test_malformed(self) -> None:
        """What is no private key, is cut short, or has something before it, is refused without being repeated."""
        key = make_host_key()
        self.assertIn("no private key", self.refusal("ssh-ed25519 AAAA me"))
        self.assertIn("text before", self.refusal("# a comment\n" + key))
        lines = key.splitlines()
        for text in (
            "\n".join((lines[0], lines[1], lines[-1])),
            "\n".join((lines[0], "!!!!", lines[-1])),
            make_pair()[1],
        ):
            self.assertIn("cannot be read", self.refusal(text))

    def test_inline(self) -> None:
        """A key is told from the path of one."""
        self.assertTrue(is_inline(make_host_key()))
        self.assertFalse(is_inline("/etc/ssh/ssh_host_ed25519_key"))
