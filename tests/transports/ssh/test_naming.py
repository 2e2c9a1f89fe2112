"""
Tests for `ngrok_twisted.transports.ssh.naming`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.naming import (
    NO_NAME,
    Name,
    address_name,
    credentials,
    is_internal,
    key_of,
    name_of,
)
from ngrok_twisted.transports.ssh.settings import GatewaySettings

SETTINGS = GatewaySettings(base_domain="example.com")


class NamingTests(SynchronousTestCase):
    """Names as users write them."""

    def test_key(self) -> None:
        """Addresses that mean no name are one."""
        self.assertEqual({key_of(address) for address in NO_NAME}, {b""})
        self.assertNotEqual(key_of(b"A"), key_of(b"a"))

    def test_address(self) -> None:
        """A single label stands under the base domain; what means any name is none."""
        self.assertEqual(address_name(b"App", SETTINGS), Name("app.example.com", "app"))
        self.assertEqual(name_of("a.example.org.", SETTINGS), Name("a.example.org"))
        self.assertIsNone(address_name(b"LocalHost", SETTINGS))
        self.assertEqual(self.assertRaises(Refused, address_name, b"\xff", SETTINGS).code, 326)

    def test_credentials(self) -> None:
        """The last @ ends a user's name and password."""
        self.assertEqual(credentials(b"u:p@ss@app"), ("u:p@ss", b"app"))
        self.assertEqual(credentials(b"app"), ("", b"app"))
        self.assertEqual(self.assertRaises(Refused, credentials, b"\xff@app").code, 326)

    def test_internal(self) -> None:
        """Internal names end in .internal."""
        self.assertTrue(is_internal("a.internal"))
        self.assertFalse(is_internal("a.internal.example"))
