"""
Tests of `benchmarks.headers_and_compression`.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import headers_and_compression


class HeadersAndCompressionTests(SynchronousTestCase):
    """The measurement works, whatever it measures."""

    def test_main(self) -> None:
        """Every line has its figures, and what was to be compressed was compressed."""
        self.patch(headers_and_compression, "ROUNDS", 1)
        self.patch(headers_and_compression, "SIZES", (10_000,))
        said = StringIO()
        with redirect_stdout(said):
            headers_and_compression.main(["3"])
        lines = said.getvalue().splitlines()[1:]
        self.assertEqual(len(lines), 7 + 5)
        for line in lines:
            self.assertRegex(line, r"^  \D.+ \d+\.\d +\+-?\d+\.\d")
        for line in lines[8:]:
            self.assertRegex(line, r" [2-9]\.\d times smaller$")

    def test_text(self) -> None:
        """The text is as long as it is said to be, and the same each time."""
        self.assertEqual(len(headers_and_compression.text(1_234)), 1_234)
        self.assertEqual(headers_and_compression.text(99), headers_and_compression.text(99))
