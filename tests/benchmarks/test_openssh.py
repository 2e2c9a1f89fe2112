"""Tests of `benchmarks.openssh`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.openssh import find_url


class FindURLTests(SynchronousTestCase):
    """Tests of `find_url`."""

    def test_with_port(self) -> None:
        """Host and port are taken out of what the edge prints."""
        text = "https://Brave-Otter.ngrok.localhost:8443 → localhost:3000\n"
        self.assertEqual(find_url(text, "https"), ("brave-otter.ngrok.localhost", 8443))

    def test_without_port(self) -> None:
        """A default port is not printed."""
        self.assertEqual(find_url("https://a.example", "https"), ("a.example", None))

    def test_other_scheme(self) -> None:
        """Only the wanted scheme counts."""
        text = "dashboard https://dashboard.example\nForwarding tcp://127.0.0.1:20001\n"
        self.assertEqual(find_url(text, "tcp"), ("127.0.0.1", 20001))

    def test_not_yet(self) -> None:
        """Without a URL there is none."""
        self.assertIsNone(find_url("welcome\n", "https"))
