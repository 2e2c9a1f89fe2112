"""
Tests of `ngrok_twisted.control.api.moments`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.moments import moment
from ngrok_twisted.control.api.shapes import timestamp


class MomentTests(SynchronousTestCase):
    """Points in time as clients write them."""

    def test_forms(self) -> None:
        """Any zone, any fraction, letters of either case; a second counts from its start."""
        for text in (
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01T00:00:00.999999999Z",
            "2026-01-01T01:30:00+01:30",
            "2025-12-31T16:00:00-08:00",
        ):
            self.assertEqual(moment(text), 1_767_225_600, text)

    def test_nothing(self) -> None:
        """No text, and what Go makes of an unset time, say nothing."""
        self.assertIsNone(moment(""))
        self.assertIsNone(moment("0001-01-01T00:00:00Z"))

    def test_refused(self) -> None:
        """What is not RFC 3339, not in the calendar or before 1970."""
        for text in (
            "now",
            "1767225600",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:01Z",
            "2026-01-01T00:00:00+25:00",
            "20260101T000000Z",
            "2026-01-01T00:00:00Z\n",
            "٢٠٢٦-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0001-01-01T00:00:00+10:00",
        ):
            self.assertRaises(ValueError, moment, text)

    @given(st.integers(0, 253_402_300_799))
    def test_round_trip(self, seconds: int) -> None:
        """What the API shows is what it takes."""
        self.assertEqual(moment(timestamp(seconds)), seconds)
