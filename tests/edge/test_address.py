"""
Tests for `ngrok_twisted.edge.address`.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.address import VisitorAddress


class VisitorAddressTests(SynchronousTestCase):
    """Where somebody comes from."""

    def test_value(self) -> None:
        """It is an address, and a value."""
        address = VisitorAddress("2001:db8::1", 4711, "app.example.com")
        verifyObject(IAddress, address)
        self.assertEqual(address, VisitorAddress("2001:db8::1", 4711, "app.example.com"))
        self.assertNotEqual(address, VisitorAddress("2001:db8::1", 4711, None))
        with self.assertRaises(FrozenInstanceError):
            address.port = 1  # type: ignore[misc]
