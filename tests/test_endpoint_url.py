"""
Tests for `ngrok_twisted.endpoint_url`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.endpoint_url import EndpointURL, check_internal, parse_url, split_url
from ngrok_twisted.errors import Refused


class ParseTests(SynchronousTestCase):
    """URLs of endpoints are taken apart."""

    def test_parts(self) -> None:
        """Scheme, host and port are found, in the one form in which they are compared."""
        for written, proto, host, port in (
            ("https://App.Example.com", "https", "app.example.com", 443),
            ("HTTP://app.example.com.", "http", "app.example.com", 80),
            ("tls://*.example.com", "tls", "*.example.com", 443),
            ("tcp://tcp.example.com:20001", "tcp", "tcp.example.com", 20001),
            ("https://bücher.example", "https", "xn--bcher-kva.example", 443),
            ("svc.internal", "https", "svc.internal", 443),
            ("svc.internal:8080", "https", "svc.internal", 8080),
            ("https://", "https", "", 443),
        ):
            self.assertEqual(parse_url(written), EndpointURL(proto, host, port), written)

    def test_text(self) -> None:
        """The port of the scheme is not written."""
        for url in ("https://a.example", "http://a.example:443", "tcp://a.example:443", "tls://a.example"):
            self.assertEqual(str(parse_url(url)), url)
        self.assertEqual(str(parse_url("https://a.example:443")), "https://a.example")

    def test_refused(self) -> None:
        """What is no URL, or more than an endpoint's, is told so."""
        for written, code in (
            ("", 18022),
            ("a.example", 18022),
            ("://a.example", 18022),
            ("ftp://a.example", 18022),
            ("https://a.example:x", 249),
            ("https://a.example:70000", 249),
            ("https://[::1", 249),
            ("https://a\n.example", 249),
            ("https://a.example:", 18001),
            ("https://a.example?", 18001),
            ("https://a.example#", 18001),
            ("https://@a.example", 18001),
            ("https://192.0.2.1", 18001),
            ("tcp://a.example", 18003),
            ("tcp://", 18003),
        ):
            self.assertEqual(self.assertRaises(Refused, parse_url, written).code, code, written)

    @given(text(max_size=80))
    def test_anything(self, written: str) -> None:
        """Any text is either an endpoint's URL, which is written the same way again, or refused."""
        try:
            url = parse_url(written)
        except Refused:
            return
        if url.host:
            self.assertEqual(parse_url(str(url)), url)

    def test_internal(self) -> None:
        """Internal names end in .internal, and have few parts."""
        check_internal(parse_url("https://a.b.c.d.internal"))
        for url in ("https://a.b.c.d.e.internal", "https://a.example"):
            self.assertRaises(Refused, check_internal, parse_url(url))


class SplitTests(SynchronousTestCase):
    """URLs that agents ask for are taken apart."""

    def test_parts(self) -> None:
        """Each part may be missing."""
        for written, expected in (
            ("https://App.Example.com", ("https", "app.example.com", None)),
            ("tcp://tcp.example.com:20001", ("tcp", "tcp.example.com", 20001)),
            ("app:443", ("", "app", 443)),
            ("http://", ("http", "", None)),
            ("tcp://:20001", ("tcp", "", 20001)),
            ("", ("", "", None)),
        ):
            self.assertEqual(split_url(written), expected)

    def test_refused(self) -> None:
        """Each fault has ngrok's number."""
        for written, code in (
            ("https://[x", 9034),
            ("https://a.example:http", 9033),
            ("https://a.example:99999", 9030),
            ("https://a.example:0", 9030),
            ("ftp://a.example", 9036),
            ("https://a.example/x", 9037),
            ("https://a.example?x", 9037),
            ("https://a.example#", 9037),
            ("https://u@a.example", 9037),
            ("https://a.example/", 9038),
        ):
            self.assertEqual(self.assertRaises(Refused, split_url, written).code, code, written)

    @given(text())
    def test_anything(self, written: str) -> None:
        """Any text has these parts, or is refused in a sentence that can be printed."""
        try:
            scheme, _, port = split_url(written)
        except Refused as refused:
            self.assertTrue(refused.message.isprintable())
        else:
            self.assertIn(scheme, ("", "https", "http", "tls", "tcp"))
            self.assertTrue(port is None or 0 < port < 65536)
