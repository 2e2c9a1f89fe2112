"""Tests of `ngrok_twisted.net.local`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.local import is_local


class LocalTests(SynchronousTestCase):
    """The machine's own addresses."""

    def test_loopback(self) -> None:
        """All of 127.0.0.0/8 is here, ``::1``, and what stands for any address."""
        for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0"):
            self.assertTrue(is_local(host), host)

    def test_elsewhere(self) -> None:
        """Addresses for documentation are nobody's, and what is no address is not here."""
        for host in ("198.51.100.7", "2001:db8::1", "nobody.invalid"):
            self.assertFalse(is_local(host))
