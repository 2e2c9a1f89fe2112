"""
Tests for `ngrok_twisted.upstream.locations`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.locations import restore_locations, restored_location
from ngrok_twisted.wrapper import ResponseHead


class LocationTests(SynchronousTestCase):
    """Undoing a rewritten host."""

    def test_table(self) -> None:
        """Only a location at the rewritten host is turned back."""
        for location, expected in {
            b"http://in:3000/x?y#z": b"https://a.example/x?y#z",
            b"HTTPS://IN:3000": b"https://a.example",
            b"http://in:3000?y": b"https://a.example?y",
            b"http://in/x": b"http://in/x",
            b"http://in:3000.evil/": b"http://in:3000.evil/",
            b"http://u@in:3000/": b"http://u@in:3000/",
            b"/x": b"/x",
        }.items():
            self.assertEqual(restored_location(location, b"in:3000", b"a.example", b"https"), expected)

    def test_head(self) -> None:
        """A head gets its location back, and one without any is not taken apart."""
        head = ResponseHead(302, b"Found", [(b"location", b"http://in:3000/x"), (b"X-A", b"1")], 0)
        restore_locations(head, b"in:3000", b"a.example", b"https")
        self.assertEqual(head.headers, [(b"location", b"https://a.example/x"), (b"X-A", b"1")])
        head.headers = fields = [(b"X-A", b"1")]
        restore_locations(head, b"in:3000", b"a.example", b"https")
        self.assertIs(head.headers, fields)
