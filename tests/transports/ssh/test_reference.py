"""
Tests of `ngrok_twisted.transports.ssh.reference`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh import reference
from ngrok_twisted.transports.ssh.flags import BY_NAME, FLAGS
from ngrok_twisted.transports.ssh.reference import BEGIN, END, section, updated

PAGE = Path(__file__).resolve().parents[3] / "docs" / "ssh.md"


class PageTests(SynchronousTestCase):
    """The page ``docs/ssh.md``."""

    def test_up_to_date(self) -> None:
        """The tables in the repository are the ones that the code gives; the mark in the page says how they are made."""
        page = PAGE.read_text("utf-8")
        self.assertEqual(page, updated(page))


class SectionTests(SynchronousTestCase):
    """The tables."""

    def test_every_name_once(self) -> None:
        """Every flag has one row, and the row has all its names and what it does."""
        rows = [line for line in section().splitlines() if line.startswith("| `-")]
        self.assertEqual(len(rows), len(FLAGS))
        names = [word.strip("`-") for row in rows for word in row.split(" | ")[0].split() if word.startswith("`-")]
        self.assertEqual(sorted(names), sorted(BY_NAME))
        for flag in FLAGS:
            row = next(row for row in rows if f"`--{flag.name}`" in row.split(" | ")[0])
            self.assertIn((flag.help or flag.impossible).replace("|", r"\|"), row)

    def test_columns(self) -> None:
        """A bar inside a cell is escaped, so that each row has as many cells as its table has columns."""
        width = 0
        for line in section().splitlines():
            if line.startswith("| --- |"):
                width = line.count("|")
            elif line.startswith("| `-"):
                self.assertEqual(line.replace(r"\|", "").count("|"), width, line)


class UpdatedTests(SynchronousTestCase):
    """Writing the tables into a page."""

    def test_between_the_marks(self) -> None:
        """What was between the marks is replaced; what is around them stays byte for byte."""
        page = updated(f"before\n{BEGIN}\nyesterday\n{END}\nafter\n")
        self.assertTrue(page.startswith(f"before\n{BEGIN}\n\n| Flag |"))
        self.assertTrue(page.endswith(f"\n\n{END}\nafter\n"))
        self.assertNotIn("yesterday", page)
        self.assertEqual(updated(page), page)

    def test_marks_missing(self) -> None:
        """A page without its marks, or with one of them twice, is refused rather than overwritten."""
        for page in ("", BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"):
            self.assertRaises(ValueError, updated, page)

    def test_main(self) -> None:
        """The command rewrites the file that it is given."""
        path = Path(self.mktemp())
        path.write_text(f"é\n{BEGIN}\n{END}\n", "utf-8")
        reference.main(str(path))
        self.assertEqual(path.read_text("utf-8"), updated(f"é\n{BEGIN}\n{END}\n"))
