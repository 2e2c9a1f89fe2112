"""Tests of `benchmarks.stalls`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.stalls import parse

TEXT = """\
# HELP ngrok_loop_stall_seconds The longest turn.
# TYPE ngrok_loop_stall_seconds gauge
ngrok_loop_stall_seconds 0.0125
ngrok_loop_turn_seconds_count 3.0
"""


class ParseTests(SynchronousTestCase):
    """Tests of `parse`."""

    def test_value(self) -> None:
        """The metric's value is taken, and no other's."""
        self.assertEqual(parse(TEXT), 0.0125)

    def test_several_processes(self) -> None:
        """Of several values the highest counts."""
        self.assertEqual(parse(TEXT + 'ngrok_loop_stall_seconds{place="1"} 0.5\n'), 0.5)

    def test_absent(self) -> None:
        """A server that does not tell has none."""
        self.assertIsNone(parse("ngrok_loop_turn_seconds_count 3.0\n"))
