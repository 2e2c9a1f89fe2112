"""
Tests of `benchmarks.compression`.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import compression
from benchmarks.modules import text


class CompressionTests(SynchronousTestCase):
    """The measurement works, whatever it measures."""

    def test_main(self) -> None:
        """Every coding has its figures, and what was to be compressed was compressed."""
        self.patch(compression, "ROUNDS", 1)
        self.patch(compression, "SIZES", (10_000,))
        said = StringIO()
        with redirect_stdout(said):
            compression.main(["3"])
        plain, *coded = said.getvalue().splitlines()[2:]
        self.assertRegex(plain, r"^\| 10 KB \| identity \| \d+\.\d \| \+0\.0 \| 1\.0 \|$")
        self.assertEqual(len(coded), 4)
        for line in coded:
            self.assertRegex(line, r"^\| 10 KB \| (zstd|br|gzip|deflate) \| \d+\.\d \| [+-]\d+\.\d \| [2-9]\.\d \|$")

    def test_text(self) -> None:
        """The text is as long as it is said to be, and the same each time."""
        for size in (99, 1_234, 10_000, 100_000):
            self.assertEqual(len(text(size)), size)
        self.assertEqual(text(1_234), text(1_234))
