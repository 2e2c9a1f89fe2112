"""
Tests of `benchmarks.modules` and `benchmarks.one_route`.
"""

from __future__ import annotations

import gzip
import hashlib
from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import modules
from benchmarks.modules import COMPRESSED, FOUR, LARGE, ROWS, SECRET, Row, measured, table
from ngrok_twisted.kinds import discover
from ngrok_twisted.interfaces import IModuleKind


class RowTests(SynchronousTestCase):
    """What is measured is what the rows say."""

    def test_answers(self) -> None:
        """Every row's request is let through to the service, and answered once."""
        for row in ROWS:
            said = row.route().answered()
            self.assertEqual(said.count(b"HTTP/1.1 "), 1, row.label)
            self.assertTrue(said.startswith(b"HTTP/1.1 200 "), row.label)

    def test_work(self) -> None:
        """The modules do their work: a wrong signature is refused, and a body is compressed."""
        webhook = next(row for row in ROWS if "webhook_verification" in row.modules)
        digest = webhook.request.partition(b"sha256=")[2][:64]
        wrong = webhook.request.replace(digest, hashlib.sha256(SECRET.encode()).hexdigest().encode())
        refused = Row(label="", modules=webhook.modules, request=wrong)
        self.assertTrue(refused.route().answered().startswith(b"HTTP/1.1 403 "))
        for set in (COMPRESSED, FOUR):
            body = Row(label="", modules=set, answer=LARGE).route().answered().partition(b"\r\n\r\n")[2]
            self.assertEqual(gzip.decompress(body), LARGE.partition(b"\r\n\r\n")[2])

    def test_kinds(self) -> None:
        """Every module that looks at requests is in a row, but for the one that has no answers."""
        shown = {name for row in ROWS for name in row.modules if row.enabled}
        missing = set(discover("ngrok_twisted.modules", IModuleKind)) - shown
        self.assertEqual(missing, {"tls_termination", "websocket_tcp_converter"})

    def test_base(self) -> None:
        """Every row with modules comes after one without, of the same request and answer."""
        seen = set()
        for row in ROWS:
            if row.modules:
                self.assertIn(row.way, seen, row.label)
            else:
                seen.add(row.way)


class TableTests(SynchronousTestCase):
    """The table."""

    def test_lines(self) -> None:
        """A row with modules is compared with the one that has nothing on the way."""
        rows = (Row(label="nothing"), Row(label="all", modules=FOUR))
        self.assertEqual(
            list(table(rows, [20.0, 50.0]))[2:], ["| nothing | 20.0 | | |", "| all | 50.0 | +30.0 | 2.50 |"]
        )

    def test_measured(self) -> None:
        """There is a figure for each row."""
        costs = measured(ROWS[:2], 3, 2)
        self.assertEqual(len(costs), 2)
        self.assertGreater(min(costs), 0.0)

    def test_main(self) -> None:
        """The command prints when it measured, and all rows."""
        self.patch(modules, "ROUNDS", 1)
        said = StringIO()
        with redirect_stdout(said):
            modules.main(["2"])
        lines = said.getvalue().splitlines()
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\d, CPython 3\.\S+, best of 1 rounds of 2 requests$")
        self.assertEqual(len(lines), 2 + 2 + len(ROWS))
