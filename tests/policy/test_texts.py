"""
Tests for `ngrok_twisted.policy.texts`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.texts import to_text


class ToTextTests(SynchronousTestCase):
    """Values as text."""

    def test_table(self) -> None:
        """Every kind of value has its own way."""
        moment = datetime(2026, 1, 31, 10, 0, 0, tzinfo=timezone(timedelta(hours=1)))
        for value, expected in (
            ("text", "text"),
            (None, ""),
            (True, "true"),
            (False, "false"),
            (0, "0"),
            (-12, "-12"),
            (0.5, "0.5"),
            (2.0, "2"),
            (b"\x00\xff", "AP8="),
            (moment, "2026-01-31T09:00:00Z"),
            (moment.replace(microsecond=250000), "2026-01-31T09:00:00.250000Z"),
            ([], "[]"),
            (("a", 1, True, None), '["a",1,true,null]'),
            ({"k": [b"x", moment, timedelta(seconds=1)]}, '{"k":["eA==","2026-01-31T09:00:00Z","1s"]}'),
            ({"é": '"'}, '{"é":"\\""}'),
        ):
            self.assertEqual(to_text(value), expected)

    def test_durations(self) -> None:
        """Durations are written as Go writes them."""
        for seconds, expected in (
            (0, "0s"),
            (0.000007, "7µs"),
            (0.0015, "1.5ms"),
            (0.012345, "12.345ms"),
            (1, "1s"),
            (2.5, "2.5s"),
            (59.999, "59.999s"),
            (60, "1m0s"),
            (90.05, "1m30.05s"),
            (5400, "1h30m0s"),
            (86400.25, "24h0m0.25s"),
            (-1.5, "-1.5s"),
        ):
            self.assertEqual(to_text(timedelta(seconds=seconds)), expected)
