"""
Tests of how the suite is run.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests import unit
from tests.run import ALONE, Runner, functional, parts


class PartsTests(SynchronousTestCase):
    """`parts`, and what is in them."""

    def test_all(self) -> None:
        """Every module is in one part, in order, and no part is empty."""
        names = [str(number) for number in range(23)]
        for count in (1, 2, 7, 23, 40):
            made = parts(names, count)
            self.assertEqual([name for part in made for name in part], names)
            self.assertTrue(all(made))
        self.assertEqual(parts([], 5), [])

    def test_whole_suite(self) -> None:
        """Unit and functional tests are all modules that there are, and what runs alone is among them."""
        self.assertIn("tests.test_run", list(unit.names()))
        self.assertIn("tests.functional.test_agents", functional())
        self.assertLessEqual(set(ALONE), set(functional()))


class CountTests(SynchronousTestCase):
    """What `Runner` makes of the output of ``trial``."""

    def test_passed(self) -> None:
        """Tests and skips are added up."""
        runner = Runner([])
        runner._count("a line\nRan 12 tests in 3.000s\n\nPASSED (skips=2, successes=10)\n", 0)
        runner._count("Ran 3 tests in 3.000s\n\nPASSED (successes=3)\n", 0)
        self.assertEqual((runner.ran, runner.skipped, runner.bad, runner.failed), (15, 2, 0, False))

    def test_failed(self) -> None:
        """A failure in any part is a failure of the whole, and so is a part that ended without a word."""
        runner = Runner([])
        runner._count("Ran 12 tests in 3.000s\n\nFAILED (skips=1, failures=2, errors=1, successes=8)\n", 1)
        self.assertEqual((runner.bad, runner.failed), (3, True))
        silent = Runner([])
        silent._count("Segmentation fault", 0)
        self.assertTrue(silent.failed)
