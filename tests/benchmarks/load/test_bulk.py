"""Tests of `benchmarks.load.bulk`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from typing import Any

from benchmarks.load.bulk import DOWNLOAD, ORDER_SIZE, UPLOAD, make_hello, make_order, parse_order, read_order


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


class Stream:
    """A socket with bytes in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, size: int) -> bytes:
        """A socket's: a few bytes at a time."""
        size = min(size, 100)
        found, self._data = self._data[:size], self._data[size:]
        return found


class ReadOrderTests(SynchronousTestCase):
    """Tests of `read_order` and `make_hello`."""

    def read(self, data: bytes) -> tuple[bytes, int]:
        """Out of a stream."""
        stream: Any = Stream(data)
        return read_order(stream)

    def test_order(self) -> None:
        """An order is read as it was made, with or without a ClientHello before it."""
        order = make_order(DOWNLOAD, 7)
        for hello in (b"", make_hello("bench.localhost")):
            self.assertEqual(self.read(hello + order + b"more"), (DOWNLOAD, 7))

    def test_short(self) -> None:
        """A stream that ends before holds none."""
        for data in (b"", make_hello("bench.localhost")[:50], make_order(DOWNLOAD, 7)[:-1]):
            self.assertRaises(EOFError, self.read, data)

    def test_name(self) -> None:
        """The ClientHello asks for the name; without a name there is none."""
        self.assertIn(b"bench.localhost", make_hello("bench.localhost"))
        self.assertEqual(make_hello(""), b"")
