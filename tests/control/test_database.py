"""
Tests of `ngrok_twisted.control.database` and `ngrok_twisted.control.upgrade`, without a thread.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic.script import ScriptDirectory
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import migrations, upgrade
from ngrok_twisted.control.database import Database, sqlite_engine
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.records.base import Put
from ngrok_twisted.testing.contracts import domain


class DatabaseTests(SynchronousTestCase):
    """`Database`."""

    def setUp(self) -> None:
        self.state = FilePath(self.mktemp())
        self.state.makedirs()
        self.file = self.state.child("ngrok.db").path
        self.database = self.another()

    def another(self) -> Database:
        """A database on the same file."""
        database = Database(sqlite_engine(self.file), self.state, "db")
        self.addCleanup(database.close)
        return database

    def query(self, statement: str) -> object:
        """The first value that a statement gives."""
        connection = sqlite3.connect(self.file)
        row = connection.execute(statement).fetchone()
        connection.close()
        return row[0]

    def test_settings(self) -> None:
        """The write-ahead log is on, and each commit is flushed."""
        self.database.open()
        connection = self.database._connected()
        self.assertEqual(connection.exec_driver_sql("PRAGMA journal_mode").scalar(), "wal")
        self.assertEqual(connection.exec_driver_sql("PRAGMA synchronous").scalar(), 2)
        connection.rollback()

    def test_version(self) -> None:
        """The version of the tables is noted, and opening again changes nothing."""
        self.database.open()
        self.database.commit((Put(domain(1)),), 1)
        self.database.close()
        self.assertEqual(self.query(f"SELECT version_num FROM {upgrade.VERSION_TABLE}"), "0001")
        self.assertEqual(self.another().open().revision, 1)

    def test_newest(self) -> None:
        """Where nothing is to be done Alembic is not even imported; it agrees on what is the newest step."""
        self.database.open()
        self.database.close()
        asked: list[str] = []
        self.patch(upgrade, "import_module", asked.append)
        self.another().open()
        self.assertEqual(asked, [])
        steps = ScriptDirectory(str(Path(migrations.__file__).parent))
        self.assertEqual(steps.get_current_head(), upgrade.NEWEST)

    def test_failed_upgrade(self) -> None:
        """An upgrade that fails leaves no table behind."""
        connection = sqlite3.connect(self.file)
        connection.execute("CREATE TABLE ngrok_state (x)")
        connection.close()
        self.assertRaises(StoreUnusable, self.database.open)
        self.assertEqual(self.query("SELECT count(*) FROM sqlite_master WHERE name = 'ngrok_records'"), 0)

    def test_without_version(self) -> None:
        """Our tables without a version are refused."""
        connection = sqlite3.connect(self.file)
        connection.execute("CREATE TABLE ngrok_records (x)")
        connection.close()
        error = self.assertRaises(StoreUnusable, self.database.open)
        self.assertIn("does not say which version wrote it", str(error))

    def test_read_only(self) -> None:
        """A database that became read-only refuses a write with a remedy, and keeps what it had."""
        self.database.open()
        self.database.commit((Put(domain(1)),), 1)
        self.database._connected().exec_driver_sql("PRAGMA query_only=ON")
        self.database._connected().rollback()
        error = self.assertRaises(StoreUnusable, self.database.commit, (Put(domain(2)),), 2)
        self.assertIn("it is read-only", str(error))
        self.database.commit((Put(domain(3)),), 2)
        self.assertEqual(self.query("SELECT group_concat(id) FROM ngrok_records"), "rd_1,rd_3")
