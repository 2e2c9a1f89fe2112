"""Tests of `benchmarks.load.bulk`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load.bulk import DOWNLOAD, ORDER_SIZE, UPLOAD, make_order, parse_order


class OrderTests(SynchronousTestCase):
    """Tests of `make_order` and `parse_order`."""

    def test_round_trip(self) -> None:
        """What is made has a fixed size and can be read."""
        for order in ((DOWNLOAD, 0), (UPLOAD, 10**15 - 1)):
            self.assertEqual(len(make_order(*order)), ORDER_SIZE)
            self.assertEqual(parse_order(make_order(*order)), order)

    def test_refused(self) -> None:
        """Anything else is no order."""
        for order in (b"", b"X" + b"0" * 15, b"D" + b"0" * 14, b"D" + b" " * 14 + b"1"):
            self.assertRaises(ValueError, parse_order, order)
