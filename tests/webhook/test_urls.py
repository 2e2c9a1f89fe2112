"""
Tests for `ngrok_twisted.webhook.urls`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.urls import origins, urls
from tests.webhook.vectors import delivery


class URLTests(SynchronousTestCase):
    """What a sender may have written."""

    def test_default_port(self) -> None:
        """The port may be written or not, and the scheme may be the other."""
        self.assertEqual(
            list(origins(delivery("https://a.example/x"))),
            [b"https://a.example", b"https://a.example:443", b"http://a.example", b"http://a.example:80"],
        )

    def test_own_port(self) -> None:
        """A port that was sent comes first."""
        found = list(origins(delivery("http://a.example:8080/")))
        self.assertEqual(found[:3], [b"http://a.example:8080", b"http://a.example", b"http://a.example:80"])
        self.assertEqual(len(found), 6)

    def test_address(self) -> None:
        """The colons of an IPv6 address are no port."""
        self.assertEqual(list(origins(delivery("https://[::1]/")))[:2], [b"https://[::1]", b"https://[::1]:443"])

    def test_whole(self) -> None:
        """Path and query are as sent."""
        self.assertEqual(next(urls(delivery("https://a.example/%7Ex?b=%20&a"))), b"https://a.example/%7Ex?b=%20&a")
