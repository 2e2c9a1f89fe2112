"""
Tests of `ngrok_twisted.control.authorized_keys`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.authorized_keys import canonical, read_authorized_keys
from tests.control.declaring import KEY


class ReadTests(SynchronousTestCase):
    """`read_authorized_keys`."""

    def warning(self, line: str) -> str:
        """Why a line is passed over."""
        keys, warnings = read_authorized_keys(line, "f")
        self.assertEqual((keys, len(warnings)), ([], 1))
        return warnings[0]

    def test_lines(self) -> None:
        """Keys are found between comments and blank lines, whatever the line ends."""
        keys, warnings = read_authorized_keys(f"# a\r\n\r\n  {KEY}\tme and you \r\n\t# b\n", "f")
        self.assertEqual([(key.public_key, key.comment, key.source) for key in keys], [(KEY, "me and you", "f:3")])
        self.assertEqual(warnings, [])

    def test_options(self) -> None:
        """A line with options is passed over, since they would not hold."""
        for options in ("no-pty", 'from="10.0.0.0/8",command="a b"'):
            self.assertIn("f:1: this key may not connect: The line has options", self.warning(f"{options} {KEY}"))

    def test_types(self) -> None:
        """A type that is not accepted is passed over."""
        self.assertIn("f:1: ", self.warning("ssh-dss AAAAB3NzaC1kc3M="))

    def test_short_rsa(self) -> None:
        """An RSA key below 2048 bits is passed over."""
        key = rsa.generate_private_key(65537, 1024).public_key()
        line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        self.assertIn("fewer than 2048 bits", self.warning(line))

    @given(strategies.text())
    def test_rubbish(self, text: str) -> None:
        """Any text is read, and nothing of it is a key."""
        self.assertEqual(read_authorized_keys(text, "f")[0], [])

    def test_canonical(self) -> None:
        """A line without a comment has none."""
        self.assertEqual(canonical(KEY), (KEY, ""))
