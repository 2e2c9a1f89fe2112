"""Tests of `benchmarks.options`."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.options import Options, parse


def parsed(*arguments: str) -> Options:
    """Parse with two suites and two arms to choose from."""
    return parse(arguments, suites=["ssh", "https"], arms=["edge", "sshd"])


class ParseTests(SynchronousTestCase):
    """Tests of `parse`."""

    def test_default_is_everything(self) -> None:
        """Without options every suite and arm runs, five rounds."""
        found = parsed()
        self.assertEqual((found.suites, found.arms, found.rounds), (("ssh", "https"), ("edge", "sshd"), 5))

    def test_choice(self) -> None:
        """Suites and arms can be chosen, figures sent elsewhere."""
        found = parsed("--suite", "https", "--arm", "edge", "--rounds", "3", "--seconds", "1.5", "--json", "x.json")
        self.assertEqual((found.suites, found.arms, found.rounds), (("https",), ("edge",), 3))
        self.assertEqual((found.seconds, found.json), (1.5, Path("x.json")))

    def test_time(self) -> None:
        """The time for the whole run can be bounded; an hour is no bound in practice."""
        self.assertEqual((parsed().minutes, parsed("--minutes", "14").minutes), (60, 14))

    def test_begun(self) -> None:
        """They begin now, or when the caller says that they did."""
        found = [parse(given, suites=[], arms=[], now=50.0).begun for given in ([], ["--begun", "40"])]
        self.assertEqual(found, [50, 40])

    def test_whole(self) -> None:
        """A run is a whole one unless a suite is asked for."""
        self.assertEqual(
            [parsed().whole, parsed("--arm", "edge").whole, parsed("--suite", "ssh").whole], [True, True, False]
        )

    def test_table(self) -> None:
        """The table of an earlier run can be asked for."""
        self.assertEqual((parsed().table, parsed("--table").table), (False, True))

    def test_suites_of_one_name(self) -> None:
        """A name that several suites have stands for all of them, once."""
        found = parse([], suites=["ssh", "agent", "agent"], arms=["edge"])
        self.assertEqual(found.suites, ("ssh", "agent"))

    def test_refused(self) -> None:
        """What cannot be used ends the program with a word about it."""
        for arguments in (["--suite", "x"], ["--rounds", "0"], ["--rounds", "1.5"], ["--seconds", "nan"]):
            complaint = io.StringIO()
            with contextlib.redirect_stderr(complaint):
                self.assertRaises(SystemExit, parsed, *arguments)
            self.assertIn(arguments[0], complaint.getvalue())
