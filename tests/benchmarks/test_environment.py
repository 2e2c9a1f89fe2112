"""Tests of `benchmarks.environment`."""

from __future__ import annotations

import platform

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.environment import cpu_model, memory


class FactsTests(SynchronousTestCase):
    """Tests of `cpu_model` and `memory`."""

    def test_model(self) -> None:
        """The first processor's model is the machine's."""
        text = "processor\t: 0\nmodel name\t: Fast: 9000\n\nprocessor\t: 1\nmodel name\t: Other\n"
        self.assertEqual(cpu_model(text), "Fast: 9000")

    def test_no_model(self) -> None:
        """Where the kernel names no model, the architecture stands in."""
        self.assertEqual(cpu_model("processor\t: 0\n"), platform.machine())

    def test_memory(self) -> None:
        """Memory is rounded to GiB."""
        self.assertEqual(memory("MemTotal:       24689996 kB\nMemFree: 1 kB\n"), "24 GiB")

    def test_no_memory(self) -> None:
        """A file that does not say gives nothing."""
        self.assertEqual(memory(""), "")
