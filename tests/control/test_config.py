"""
Tests of `ngrok_twisted.control.config`.
"""

from __future__ import annotations

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.control.config import Config, PortRange


class PortRangeTests(SynchronousTestCase):
    """`PortRange`."""

    @given(strategies.integers(1, 65535), strategies.integers(1, 65535))
    def test_round_trip(self, one: int, other: int) -> None:
        """A range is the same after it was text, and knows its ports."""
        ports = PortRange(min(one, other), max(one, other))
        self.assertEqual(PortRange.from_text(str(ports)), ports)
        self.assertTrue(one in ports and other in ports)
        self.assertFalse(ports.first - 1 in ports or ports.last + 1 in ports)

    def test_one(self) -> None:
        """One port is a range."""
        self.assertEqual(PortRange.from_text("80"), PortRange(80, 80))

    def test_refused(self) -> None:
        """Anything else is refused."""
        for text in ("", "-", "1-", "-1", "a-b", "0-1", "1-65536", "2-1", "1-2-3", "\u0661-\u0662", "1-999999999999"):
            self.assertRaises(ValueError, PortRange.from_text, text)


class ConfigTests(SynchronousTestCase):
    """`Config`."""

    def test_round_trip(self) -> None:
        """The defaults survive being written."""
        data = {key: value for key, value in schema.dump(Config()).items() if key != "declared"}
        self.assertEqual(schema.parse(Config, data, stored=True), Config())
