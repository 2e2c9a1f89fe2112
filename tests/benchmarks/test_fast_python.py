"""Tests of ``scripts/fast-python``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fast-python"
OPTIMISED, SLOW, USELESS = 0, 1, 2
"""With what a Python answers the script's question."""


class FastPythonTests(SynchronousTestCase):
    """The script asks one interpreter after the other."""

    def chosen(self, *answers: int) -> str:
        """The name of the one that it takes, out of some that stand in for Python."""
        folder = Path(self.mktemp())
        folder.mkdir()
        fakes = []
        for number, answer in enumerate(answers):
            fake = folder / f"python-{number}"
            fake.write_text(f"#!/bin/sh\nexit {answer}\n", encoding="ascii")
            fake.chmod(0o755)
            fakes.append(str(fake.resolve()))
        done = subprocess.run([str(SCRIPT), *fakes], capture_output=True, text=True, check=True)
        return Path(done.stdout.strip()).name

    def test_first_optimised(self) -> None:
        """The first optimised one is taken, whatever stands before and behind it."""
        self.assertEqual(self.chosen(SLOW, USELESS, OPTIMISED, OPTIMISED), "python-2")

    def test_absent(self) -> None:
        """A name that is nowhere is passed over."""
        done = subprocess.run([str(SCRIPT), "no-such-python-anywhere"], capture_output=True, text=True)
        self.assertNotIn("no-such", done.stdout)
