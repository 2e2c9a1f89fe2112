"""
`Database`: the blocking half of the SQL store: schema, load and commit. It lives in the store's own thread.

One table holds the records of every family as JSON, since the server reads them all at its start and never asks the
database a question; a second one holds the revision.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, Text, create_engine, event, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool
from twisted.python.filepath import FilePath

from ngrok_twisted import kinds
from ngrok_twisted.control import upgrade
from ngrok_twisted.control.codec import decode, encode
from ngrok_twisted.control.keyring import MARK, Keyring, open_keyring
from ngrok_twisted.control.ordered import Changes
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot

#: Seconds that SQLite waits for a backup tool to let go of the file.
BUSY_TIMEOUT = 5

#: The key of PostgreSQL's advisory lock: "ngrok_tw" in ASCII. One server at a time uses a database.
_LOCK_KEY = int.from_bytes(b"ngrok_tw", "big")

#: Seconds to wait for a server that has just ended to let go of the database; PostgreSQL notices within one.
_LOCK_PATIENCE = 5.0
_LOCK_POLL = 0.1

_metadata = MetaData()
_records = Table(
    "ngrok_records",
    _metadata,
    Column("family", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("account_id", String(128)),
    Column("position", Integer),
    Column("data", Text),
)
_state = Table("ngrok_state", _metadata, Column("name", String(64), primary_key=True), Column("value", Integer))


def sqlite_engine(path: str) -> Engine:
    """
    An engine for a SQLite file.

    The write-ahead log lets a backup read while we write. ``synchronous=FULL`` flushes it at every commit: ``NORMAL``
    would lose the last writes in a power cut, and a write is announced as durable. Writes are rare, so the milliseconds
    do not matter. Transactions begin with ``BEGIN IMMEDIATE``, and by us, since the driver would begin them late and never
    around the statements that make tables.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT})

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class Database:
    """
    One database on one connection, which is made again after it was lost.
    """

    def __init__(self, engine: Engine, state: FilePath[str], name: str) -> None:
        """
        :param state: the state directory, where the keyring is.
        :param name: what messages call the database; no password is in it.
        """
        self._engine = engine
        self._state = state
        self._name = name
        self._connection: Connection | None = None
        self._keyring: Keyring | None = None
        self._revision = 0
        self._position = 0

    def open(self) -> Snapshot:
        """
        Connect, bring the tables up to date, and read everything.

        :raises StoreUnusable: with a sentence that says why, and what to do.
        """
        try:
            connection = self._connected()
            with connection.begin():
                upgrade.to_newest(connection, self._name)
            with connection.begin():
                snapshot = self._read(connection)
        except DBAPIError as error:
            self.close()
            raise StoreUnusable(f"the database {self._name} cannot be opened: {_reason(error)}") from None
        except BaseException:
            self.close()
            raise
        self._revision = snapshot.revision
        return snapshot

    def commit(self, changes: Changes, revision: int) -> None:
        """
        Write all of the changes, or none.

        :raises StoreUnusable: they could not be written; what was there before is there still.
        """
        try:
            connection = self._connected()
            with connection.begin():
                for change in changes:
                    self._change(connection, change)
                self._count_up(connection, revision)
        except DBAPIError as error:
            self.close()
            raise StoreUnusable(f"the database {self._name} did not take a change: {_reason(error)}") from None
        except BaseException:
            self.close()
            raise
        self._revision = revision

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except DBAPIError:
            pass  # it is gone already, which is what was wanted
        finally:
            self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None:
            try:
                connection = self._connection = self._engine.connect()
            except (ImportError, NoSuchModuleError):
                raise StoreUnusable("PostgreSQL needs the package psycopg: pip install 'psycopg[binary]'") from None
            if self._engine.dialect.name == "sqlite":
                _check_file(connection, self._name)
            else:
                _take_lock(connection, self._name)
        return self._connection

    def _read(self, connection: Connection) -> Snapshot:
        rows = connection.execute(_records.select().order_by(_records.c.position)).all()
        self._keyring = open_keyring(self._state, create=not any(MARK in row.data for row in rows))
        self._position = max((row.position for row in rows), default=0)
        classes = kinds.records()
        tables: dict[str, dict[str, Record]] = {}
        for row in rows:
            if row.family not in classes:
                raise StoreUnusable(f"the database {self._name} holds {row.family}, which this version does not know")
            record = decode(classes[row.family], row.id, row.data, self._keyring)
            tables.setdefault(row.family, {})[row.id] = record
        revision = connection.execute(text("SELECT value FROM ngrok_state WHERE name = 'revision'")).scalar_one()
        return Snapshot(revision, tables)

    def _change(self, connection: Connection, change: Put | Delete) -> None:
        if isinstance(change, Delete):
            here = (_records.c.family == change.cls.family) & (_records.c.id == change.id)
            connection.execute(_records.delete().where(here))
            return
        record = change.record
        assert self._keyring is not None, "commit comes after open"
        values = {"account_id": record.account_id, "data": encode(record, self._keyring)}
        here = (_records.c.family == record.family) & (_records.c.id == record.id)
        if connection.execute(_records.update().where(here).values(**values)).rowcount == 0:
            self._position += 1
            row = {"family": record.family, "id": record.id, "position": self._position, **values}
            connection.execute(_records.insert().values(**row))

    def _count_up(self, connection: Connection, revision: int) -> None:
        """The revision moves from the one we know: if it is another, someone else wrote here."""
        known = (_state.c.name == "revision") & (_state.c.value == self._revision)
        if connection.execute(_state.update().where(known).values(value=revision)).rowcount != 1:
            raise StoreUnusable(f"another server wrote to the database {self._name}; stop one of them and start again")


def _check_file(connection: Connection, name: str) -> None:
    """Read the whole file once; SQLite reports a torn or foreign one here and not in the middle of the day."""
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    connection.rollback()
    if verdict != "ok":
        raise StoreUnusable(f"the database {name} is damaged ({str(verdict)[:200]}); restore a backup")


def _take_lock(connection: Connection, name: str) -> None:
    """Take the database for this server; one that has just ended may not have let go of it yet."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    taken: Any = False
    while not taken:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY}).scalar()
        connection.rollback()
        if taken or time.monotonic() >= deadline:
            break
        time.sleep(_LOCK_POLL)
    if not taken:
        raise StoreUnusable(
            f"the database {name} is in use by another server; stop it, or give this one its own database"
        )


def _reason(error: DBAPIError) -> str:
    """The driver's own words, in one line, without the statement and its values."""
    words = " ".join(str(error.orig).split())[:300]
    if "not a database" in words or "malformed" in words:
        return f"the file is damaged or not ours ({words}); restore a backup"
    if "disk is full" in words:
        return f"the disk is full ({words}); make room"
    if "readonly" in words or "read-only" in words:
        return f"it is read-only ({words}); check the rights of the file and its folder"
    return words
