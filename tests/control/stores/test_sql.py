"""
Tests of `ngrok_twisted.control.stores.sql`: a real file, and a real server where one can be had.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Callable

from twisted.internet import reactor
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ngrok_twisted.control.database import Database
from ngrok_twisted.control.stores.sql import PostgreSQLKind, SQLiteKind, SQLStore, postgresql_url
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.records.base import Put
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.testing.contracts import domain, make_istore_tests
from tests.control.stores.postgresql import server_port

_numbers = count(1)


def runtime(folder: str) -> Runtime:
    """What a store kind may reach."""
    return Runtime(reactor=reactor, random=Random(1), state=FilePath(folder))


def sqlite_maker(case: TestCase) -> Callable[[], SQLStore]:
    """Stores over one file of the test's own folder."""
    folder = case.mktemp()
    os.makedirs(folder)
    return lambda: SQLiteKind()("sqlite", runtime(folder))


def postgresql_maker(case: TestCase) -> Callable[[], SQLStore]:
    """Stores over one database of the test's own."""
    import psycopg

    port, name, folder = server_port(), f"test_{next(_numbers)}", case.mktemp()
    os.makedirs(folder)
    with psycopg.connect(f"postgresql://tester@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    case.url = f"postgresql://tester@127.0.0.1:{port}/{name}"  # type: ignore[attr-defined]
    return lambda: PostgreSQLKind()(case.url, runtime(folder))  # type: ignore[attr-defined]


class SQLiteTests(make_istore_tests(sqlite_maker)):  # type: ignore[misc]
    """SQLite keeps the contract of stores."""


class PostgreSQLTests(make_istore_tests(postgresql_maker)):  # type: ignore[misc]
    """PostgreSQL keeps the contract of stores."""

    async def test_in_use(self) -> None:
        """A second server over the same database is refused with a sentence, until the first has gone."""
        await self.store.open()
        other = self.make()
        error = await self.assertFailure(other.open(), StoreUnusable)
        self.assertIn("in use by another server", str(error))
        await self.store.close()
        await other.open()
        await other.close()

    async def test_connection_lost(self) -> None:
        """When the server drops the connection one write fails and changes nothing; the next one connects again."""
        import psycopg

        await self.store.open()
        before = await self.store.write([Put(domain(1))])
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ngrok_twisted'"
                " AND datname = current_database()"
            )
        error = await self.assertFailure(self.store.write([Put(domain(2))]), StoreUnusable)
        self.assertNotIn("INSERT", str(error))
        self.assertEqual(await self.store.snapshot(), before)
        after = await self.store.write([Put(domain(3))])
        self.assertEqual(list(after.all(ReservedDomain)), [domain(1), domain(3)])


class SQLiteFileTests(TestCase):
    """What can happen to the file."""

    def setUp(self) -> None:
        self.make = sqlite_maker(self)
        self.store = self.make()
        self.state: FilePath[str] = self.store._database._state
        self.file = self.state.child("ngrok.db").path

    async def refused(self) -> str:
        """:return: why the store does not open."""
        return str(await self.assertFailure(self.make().open(), StoreUnusable))

    async def fill(self) -> None:
        """Write something and close."""
        await self.store.open()
        await self.store.write(
            [Put(domain(1)), Put(TLSCertificate(id="c", certificate_pem="", private_key_pem="geheim"))]
        )
        await self.store.close()

    def execute(self, statement: str) -> None:
        """Change the file behind the store's back."""
        with sqlite3.connect(self.file) as connection:
            connection.execute(statement)
        connection.close()

    async def test_own_thread(self) -> None:
        """The database is only ever touched in a thread of the store's own, which ends with the store."""
        threads: set[str] = set()
        for name in ("open", "commit", "close"):
            original: Any = getattr(Database, name)

            def noted(*arguments: Any, original: Any = original) -> Any:
                threads.add(threading.current_thread().name)
                return original(*arguments)

            self.patch(Database, name, noted)
        await self.fill()
        self.assertEqual(len(threads), 1)
        self.assertIn("ngrok-store", threads.pop())
        self.assertNotIn("ngrok-store", " ".join(thread.name for thread in threading.enumerate()))

    async def test_secret(self) -> None:
        """A secret stands nowhere in the files of the database."""
        await self.fill()
        for file in self.state.children():
            self.assertNotIn(b"geheim", file.getContent())

    async def test_keyring_lost(self) -> None:
        """Sealed secrets without their keyring are refused, and no new keyring is made over them."""
        await self.fill()
        self.state.child("keyring").remove()
        self.assertIn("keyring", await self.refused())
        self.assertFalse(self.state.child("keyring").exists())

    async def test_tampered(self) -> None:
        """A sealed secret that was changed is refused."""
        await self.fill()
        self.execute("UPDATE ngrok_records SET data = replace(data, 'sealed:1:', 'sealed:1:AAAA')")
        self.assertIn("does not open with the key", await self.refused())

    async def test_newer(self) -> None:
        """A database of a newer version is refused with a sentence."""
        await self.fill()
        self.execute("UPDATE ngrok_schema_version SET version_num = '9999'")
        self.assertIn("was written by a newer version (step 9999)", await self.refused())

    async def test_unknown_family(self) -> None:
        """Records that this version does not know are refused, since it would forget them."""
        await self.fill()
        self.execute("UPDATE ngrok_records SET family = 'gadgets' WHERE id = 'c'")
        self.assertIn("holds gadgets, which this version does not know", await self.refused())

    async def test_unknown_field(self) -> None:
        """A record with a field that this version does not know is refused."""
        await self.fill()
        self.execute("""UPDATE ngrok_records SET data = replace(data, '{"id"', '{"colour":1,"id"')""")
        self.assertIn("colour: is not a known key", await self.refused())

    async def test_not_a_database(self) -> None:
        """A file of something else is refused with a sentence, and left as it is."""
        Path(self.file).write_bytes(b"some other file\n" * 500)
        self.assertIn("damaged or not ours", await self.refused())
        self.assertTrue(Path(self.file).read_bytes().startswith(b"some other file"))

    async def test_damaged(self) -> None:
        """A file with a page of rubbish in its middle is refused with a sentence."""
        await self.fill()
        with open(self.file, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
        self.assertIn("damaged", await self.refused())

    async def test_other_writer(self) -> None:
        """A revision that moved without us stops further writes."""
        await self.store.open()
        self.addCleanup(self.store.close)
        self.execute("UPDATE ngrok_state SET value = 7")
        error = await self.assertFailure(self.store.write([Put(domain(1))]), StoreUnusable)
        self.assertIn("another server wrote", str(error))

    async def test_disk_full(self) -> None:
        """Without room on the disk a write fails, the old records stay, and later writes work again."""
        await self.store.open()
        self.addCleanup(self.store.close)
        before = await self.store.write([Put(domain(1))])
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limit[1]))
        try:
            error = await self.assertFailure(self.store.write([Put(domain(2, metadata="x" * 200_000))]), StoreUnusable)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, handler)
        self.assertIn("did not take a change", str(error))
        self.assertEqual(await self.store.snapshot(), before)
        after = await self.store.write([Put(domain(3))])
        self.assertEqual(list(after.all(ReservedDomain)), [domain(1), domain(3)])

    async def test_killed(self) -> None:
        """A server that is killed in the middle of its writes leaves every write it reported, each whole."""
        for attempt in range(3):
            command = [sys.executable, "-m", "tests.control.stores.writer", self.state.path]
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_root(), env=_environment()) as process:
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(5 + attempt)]
                process.kill()
                lines += process.stdout.readlines()
            reported = max(int(line) for line in lines if line.endswith(b"\n"))
            store = self.make()
            snapshot = await store.open()
            await store.close()
            self.assertGreaterEqual(snapshot.revision, reported)
            halves = {"rd_1": 0, "rd_2": 0}
            for record in snapshot.all(ReservedDomain):
                halves[record.id] = int(record.metadata)
            self.assertEqual(halves["rd_1"], halves["rd_2"])


def _root() -> str:
    return str(Path(__file__).resolve().parents[3])


def _environment() -> dict[str, str]:
    return dict(os.environ, PYTHONPATH=_root())


class KindTests(SynchronousTestCase):
    """What may be said under ``store``."""

    def test_sqlite_path(self) -> None:
        """A path is refused: the file is in the state directory."""
        with self.assertRaises(ValueError):
            SQLiteKind()("sqlite:///elsewhere.db", runtime("."))

    def test_url(self) -> None:
        """A URL is understood, and goes to psycopg."""
        url = postgresql_url("postgresql://user:secret@db.example:5433/ngrok")
        self.assertEqual((url.host, url.port, url.database), ("db.example", 5433, "ngrok"))
        self.assertEqual(url.drivername, "postgresql+psycopg")

    def test_bad_urls(self) -> None:
        """What is no such URL is refused, and the message does not repeat the password."""
        for url in ("postgresql://user:geheim@host", "mysql://user:geheim@host/db", "postgresql:geheim", "geheim://"):
            error = self.assertRaises(ValueError, postgresql_url, url)
            self.assertNotIn("geheim", str(error))

    def test_unreachable(self) -> None:
        """A server that is not there is reported without the password."""
        os.makedirs(folder := self.mktemp())
        store = PostgreSQLKind()("postgresql://user:geheim@127.0.0.1:1/db", runtime(folder))
        error = self.assertRaises(StoreUnusable, store._database.open)
        self.assertIn("cannot be opened", str(error))
        self.assertNotIn("geheim", str(error))
