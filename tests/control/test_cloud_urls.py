"""
Tests for `ngrok_twisted.control.cloud_urls`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.cloud_urls import CloudURL, bindings_of, cloud_url, dialled
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.endpoint import Endpoint

SETTINGS = ReservationSettings(
    base_domain="example.com",
    tcp_host="tcp.example.com",
    tcp_ports=range(20000, 20010),
    public_ports={"https": 8443, "tls": 8443, "http": None},
)


def place(text: str, binding: str = "") -> CloudURL:
    """Where this URL is."""
    return cloud_url(text, binding, SETTINGS, bytes)


class CloudURLTests(SynchronousTestCase):
    """URL and binding together make a place."""

    def test_public(self) -> None:
        """The port of the scheme and the one that visitors dial mean the same place; the text stays as it was written."""
        for text, shown in (
            ("https://A.example.com", "https://a.example.com"),
            ("https://a.example.com:443", "https://a.example.com"),
            ("https://a.example.com:8443", "https://a.example.com:8443"),
        ):
            expected = CloudURL(text=shown, proto="https", host="a.example.com", port=443, binding="public")
            self.assertEqual(place(text), expected)

    def test_not_listening(self) -> None:
        """A scheme that nobody listens for is refused."""
        self.assertEqual(self.assertRaises(Refused, place, "http://a.example.com").code, 18023)

    def test_random(self) -> None:
        """A scheme alone draws a name, unless nothing may be random."""
        self.assertEqual(place("https://").host, "000000000000.example.com")
        error = self.assertRaises(Refused, cloud_url, "https://", "", SETTINGS, None)
        self.assertEqual(error.code, 18001)
        for binding in ("internal", "kubernetes"):
            self.assertEqual(self.assertRaises(Refused, place, "https://", binding).code, 18001)

    def test_bindings(self) -> None:
        """The URL makes the binding, and must go with one that is given."""
        self.assertEqual(place("http://svc.internal:81").binding, "internal")
        self.assertEqual(place("tls://db.prod", "kubernetes").port, 443)
        self.assertEqual(self.assertRaises(Refused, place, "http://svc.internal", "public").code, 18007)
        self.assertEqual(self.assertRaises(Refused, place, "https://db.prod", "kubernetes").code, 18018)

    def test_one_binding(self) -> None:
        """One is enough, and it must be known."""
        self.assertEqual(
            [bindings_of(given) for given in ((), ("internal",), ("public", "public"))], ["", "internal", "public"]
        )
        for given in (("public", "internal"), ("moon",), ("",)):
            self.assertEqual(self.assertRaises(Refused, bindings_of, given).code, 18007)


class DialledTests(SynchronousTestCase):
    """What visitors type."""

    def test_ports(self) -> None:
        """Public names show the port that is really listened on; all others their own."""
        endpoint = Endpoint(id="ep_1", proto="https", host="a.example.com", port=443)
        self.assertEqual(dialled(endpoint, SETTINGS), "https://a.example.com:8443")
        self.assertEqual(dialled(replace(endpoint, binding="internal"), SETTINGS), "https://a.example.com")
        self.assertEqual(dialled(replace(endpoint, proto="tcp", port=20001), SETTINGS), "tcp://a.example.com:20001")
