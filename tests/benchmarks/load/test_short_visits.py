"""Tests of `benchmarks.load.short_visits`."""

from __future__ import annotations

import contextlib
import io
import json
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load import short_visits


class MainTests(SynchronousTestCase):
    """Tests of `main`."""

    def test_visits(self) -> None:
        """Each connection fetches a byte; their number and the time are reported."""
        visits: list[tuple[int, bytes, int]] = []
        printed = io.StringIO()
        with (
            patch.object(short_visits, "visit", lambda *order: visits.append(order)),
            patch("sys.argv", ["short_visits", "2000", "25", "4"]),
            contextlib.redirect_stdout(printed),
        ):
            short_visits.main()
        report = json.loads(printed.getvalue())
        self.assertEqual(visits, [(2000, b"D", 1)] * 25)
        self.assertEqual(report["connections"], 25)
        self.assertGreaterEqual(report["seconds"], 0)
