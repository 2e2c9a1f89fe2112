"""
Tests for `ngrok_twisted.transports.ssh.flags`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.flags import ANY, BY_NAME, FLAGS, PUBLISHING, RENAMED, Kind, help_lines


class TableTests(SynchronousTestCase):
    """The table itself."""

    def test_names(self) -> None:
        """No name or alias stands twice."""
        names = [name for flag in FLAGS for name in (flag.name, *flag.aliases)]
        self.assertEqual(len(names), len(set(names)))

    def test_rows(self) -> None:
        """Every flag goes with some command; all that work have a help text."""
        for flag in FLAGS:
            self.assertTrue(flag.on and set(flag.on) <= set(ANY), flag.name)
            self.assertTrue(flag.help or flag.impossible, flag.name)
            self.assertFalse(flag.commas and flag.kind is not Kind.LIST, flag.name)

    def test_renamed(self) -> None:
        """The names of the old language lead to flags of the new one."""
        for name in RENAMED.values():
            self.assertFalse(BY_NAME[name].only_v1)

    def test_help(self) -> None:
        """With every module, help lists every flag of a command that can work."""
        modules = frozenset(flag.needs for flag in FLAGS if flag.needs)
        for verb in PUBLISHING:
            listed = {form.split()[0].lstrip("-") for form, _ in help_lines(verb, modules)}
            working = {
                flag.name for flag in FLAGS if verb in flag.on and not (flag.impossible or flag.only_v1 or flag.ignored)
            }
            self.assertEqual(listed, working)
