"""Tests of `benchmarks.proc`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.proc import (
    PSS,
    PSS_OF_DATA,
    TICKS_PER_SECOND,
    ProcessStat,
    cpu_seconds,
    kernel_seconds,
    parse_memory,
    parse_stat,
    tree,
)


def stat_line(name: str) -> str:
    """A line of /proc/<pid>/stat: process 42, child of 7, 10 + 20 ticks of its own, 3 + 4 of reaped children."""
    return f"42 ({name}) S 7 42 42 0 -1 4194304 1 2 3 4 10 20 3 4 20 0 1 0 100 1000 10 18446744073709551615 0 0\n"


def process(pid: int, parent: int, ticks: int = 0, reaped: int = 0, kernel: int = 0) -> ProcessStat:
    """A process for tests."""
    return ProcessStat(pid=pid, parent=parent, ticks=ticks, reaped_ticks=reaped, kernel_ticks=kernel)


class ParseStatTests(SynchronousTestCase):
    """Tests of `parse_stat`."""

    def test_fields(self) -> None:
        """User and system time are added, for the process and for its reaped children."""
        self.assertEqual(parse_stat(stat_line("sshd")), process(42, 7, 30, 7, 24))

    def test_spaces_and_parentheses_in_the_name(self) -> None:
        """A program's name may look like the end of the field."""
        self.assertEqual(parse_stat(stat_line("a) S 1 (b")), process(42, 7, 30, 7, 24))

    def test_something_else(self) -> None:
        """What is no such line is refused."""
        for line in ("", "42 sshd S 7", "42 (sshd) S 7 1 2", "42 sshd) S" + " 1" * 20):
            self.assertRaises(ValueError, parse_stat, line)


class ParseMemoryTests(SynchronousTestCase):
    """Tests of `parse_memory`."""

    text = "00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 9000 kB\nPss: 1234 kB\nPss_Anon: 99 kB\n"

    def test_fields(self) -> None:
        """The total and its parts are told apart, though their names begin alike."""
        self.assertEqual((parse_memory(self.text, PSS), parse_memory(self.text, PSS_OF_DATA)), (1234, 99))

    def test_absent(self) -> None:
        """A text without it is refused, not counted as zero."""
        self.assertRaises(ValueError, parse_memory, "Rss: 9000 kB\nPss_Anon: 99 kB\n", PSS)


class TreeTests(SynchronousTestCase):
    """Tests of `tree` and `cpu_seconds`."""

    machine = [
        process(1, 0, 1000),
        process(10, 1, 1, 2),
        process(11, 10, 4),
        process(12, 11, 8, 16),
        process(20, 1, 64),
    ]

    def test_descendants(self) -> None:
        """Children and grandchildren belong to the tree, neighbours and parents do not."""
        self.assertEqual({stat.pid for stat in tree(self.machine, [10])}, {10, 11, 12})

    def test_kernel(self) -> None:
        """The kernel's part is added up over a tree, with what ended in it."""
        machine = [process(10, 1, 50, 5, kernel=30), process(11, 10, 9, kernel=3), process(12, 1, 9, kernel=9)]
        self.assertEqual(kernel_seconds(machine, [10]), 33 / TICKS_PER_SECOND)

    def test_overlapping_roots(self) -> None:
        """A process that is reached from two roots is there once."""
        self.assertEqual(sorted(stat.pid for stat in tree(self.machine, [10, 12, 20])), [10, 11, 12, 20])

    def test_absent_root(self) -> None:
        """A root that has ended is left out."""
        self.assertEqual(tree(self.machine, [99]), [])

    def test_reaped_children_count(self) -> None:
        """The bill holds what ended children have used."""
        self.assertEqual(cpu_seconds(self.machine, [10]), (1 + 2 + 4 + 8 + 16) / TICKS_PER_SECOND)

    def test_exact(self) -> None:
        """Where a process's own time is known more exactly, that counts; ended children stay as they are."""
        exact = {10: 0.0123, 11: 0.0451, 12: None}.get
        expected = 0.0123 + 0.0451 + (8 + 2 + 16) / TICKS_PER_SECOND
        self.assertAlmostEqual(cpu_seconds(self.machine, [10], exact), expected)

    def test_ended_threads(self) -> None:
        """If it knows much less than the clock ticks, threads have ended, and the ticks count."""
        self.assertEqual(cpu_seconds(self.machine, [20], lambda pid: 0.1), 64 / TICKS_PER_SECOND)

    def test_bill_survives_a_session(self) -> None:
        """When a child ends and is waited for, its ticks move to the parent and the sum stays."""
        after = [process(1, 0, 1000), process(10, 1, 1, 2), process(11, 10, 4, 24), process(20, 1, 64)]
        self.assertAlmostEqual(cpu_seconds(after, [10]), cpu_seconds(self.machine, [10]))
