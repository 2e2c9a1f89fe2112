"""
Tests for `ngrok_twisted.transports.ssh.values`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh import values


class ExpiryTests(SynchronousTestCase):
    """`expiry`."""

    def test_forms(self) -> None:
        """Durations count from the claim; times and numbers are moments."""
        for typed, moment in [
            ("15m", 1900),
            ("2h", 1000 + 7200),
            ("1d", 1000 + 86400),
            ("1w2s", 1000 + 7 * 86400 + 2),
            ("1700000000", 1700000000),
            ("2023-11-14T22:13:20Z", 1700000000),
            ("2023-11-14T23:13:20+01:00", 1700000000),
            ("2023-11-14T22:13:20", 1700000000),
        ]:
            self.assertEqual(values.expiry(typed).moment(1000), moment, typed)

    def test_refused(self) -> None:
        """Everything else is refused."""
        for typed in ("", "0m", "m", "-1h", "1.5h", "1 h", "tomorrow", "²h"):
            self.assertRaises(ValueError, values.expiry, typed)

    @given(text(max_size=30))
    def test_never_raises(self, typed: str) -> None:
        """No text raises anything but ValueError."""
        try:
            values.expiry(typed).moment(0)
        except ValueError:
            pass


class TextTests(SynchronousTestCase):
    """Values that reach headers, listings and terminals."""

    def test_host_header(self) -> None:
        """A Host header is a host, never a way into the head of the request."""
        self.assertEqual(values.header_value("[::1]:3000"), "[::1]:3000")
        for typed in ("", "a b", "a\r\nb", "a/b", "a@b", "é", "x" * 256):
            self.assertRaises(ValueError, values.header_value, typed)

    def test_host_name(self) -> None:
        """A name for TLS is a host name."""
        self.assertEqual(values.host_name("A.b-c.example"), "a.b-c.example")
        for typed in ("", "-a", "a b", "a:1", "x" * 254):
            self.assertRaises(ValueError, values.host_name, typed)

    def test_short_text(self) -> None:
        """A description is counted in bytes and holds one line."""
        self.assertRaises(ValueError, values.short_text, "é" * 128)
        self.assertRaises(ValueError, values.short_text, "a\nb")

    def test_labels(self) -> None:
        """A pair that is given twice counts once; two values for a key do not go."""
        self.assertEqual(values.labels(("a=b", "a=b", "c=d=e")), {"a": "b", "c": "d=e"})
        self.assertRaises(Refused, values.labels, ("a=b", "a=c"))

    def test_header_line(self) -> None:
        """A header to add has a colon; which number says that it has none depends on the side."""
        self.assertEqual(values.header_line(370)("a: b:c"), "a: b:c")
        for code in (370, 371):
            self.assertEqual(self.assertRaises(Refused, values.header_line(code), "a b").code, code)

    def test_number(self) -> None:
        """A number may have a fraction."""
        self.assertEqual(values.number("0.25"), 0.25)
        for typed in ("half", "nan", ""):
            self.assertRaises(ValueError, values.number, typed)

    def test_policy_url(self) -> None:
        """A policy's URL is http or https, and holds no password."""
        for typed in ("https://a.example/b?c=d@e", "HTTP://[::1]:8080"):
            self.assertEqual(values.policy_url(typed), typed)
        for typed in (
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https:///b",
            "https://u:p@a.example",
            "https://\u00e9",
        ):
            self.assertRaises(ValueError, values.policy_url, typed)
