"""
``sqlite`` and ``postgresql://…``: records in a database, by one code path on SQLAlchemy Core.

Everything that touches the database happens in one thread that belongs to the store, on one connection; the reactor never
waits. Reads come from memory, so a database call happens only at the start and for each write.
"""

from __future__ import annotations

from typing import Any, Callable

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ngrok_twisted.control.database import Database, sqlite_engine
from ngrok_twisted.control.ordered import Changes, OrderedStore
from ngrok_twisted.interfaces import IStoreKind
from ngrok_twisted.records.base import Snapshot

#: Seconds until an unreachable PostgreSQL server is given up on.
CONNECT_TIMEOUT = 10
#: Milliseconds that PostgreSQL works on one statement; ours touch a few rows by their key.
STATEMENT_TIMEOUT = 30_000

_SQLITE_FILE = "ngrok.db"


class SQLStore(OrderedStore):
    """
    An `IStore` in a database.
    """

    def __init__(self, database: Database, reactor: Any) -> None:
        """
        :param database: used in the store's own thread only.
        :param reactor: an ``IReactorFromThreads``.
        """
        super().__init__()
        self._database = database
        self._reactor = reactor
        self._thread: ThreadPool | None = None

    def _load(self) -> Deferred[Snapshot]:
        if self._thread is None:
            self._thread = ThreadPool(minthreads=1, maxthreads=1, name="ngrok-store")
            self._thread.start()
        loaded = self._in_thread(self._database.open)
        loaded.addErrback(self._give_up)
        return loaded

    def _give_up(self, result: Any) -> Any:
        """End the thread, and pass on what came before."""
        self._stop_thread()
        return result

    def _commit(self, changes: Changes, revision: int) -> Deferred[None]:
        return self._in_thread(self._database.commit, changes, revision)

    def _shut(self) -> Deferred[None] | None:
        if self._thread is None:
            return None
        shut: Deferred[None] = self._in_thread(self._database.close)
        shut.addBoth(self._give_up)
        return shut

    def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        assert self._thread is not None, "a store is opened before it is used"
        return deferToThreadPool(self._reactor, self._thread, call, *arguments)

    def _stop_thread(self) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None


@implementer(IStoreKind)
class SQLiteKind:
    """A file in the state directory."""

    name = "sqlite"

    def __call__(self, value: str, runtime: Any) -> SQLStore:
        """IStoreKind."""
        if value != self.name:
            raise ValueError("the store is 'sqlite', without a path: its file is in the state directory")
        file = runtime.state.child(_SQLITE_FILE)
        return SQLStore(Database(sqlite_engine(file.path), runtime.state, file.path), runtime.reactor)


@implementer(IStoreKind)
class PostgreSQLKind:
    """A database of a PostgreSQL server."""

    name = "postgresql"

    def __call__(self, value: str, runtime: Any) -> SQLStore:
        """IStoreKind."""
        url = postgresql_url(value)
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT,
                "application_name": "ngrok_twisted",
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT}",
            },
        )
        shown = URL.create("postgresql", host=url.host, port=url.port, database=url.database).render_as_string()
        return SQLStore(Database(engine, runtime.state, shown), runtime.reactor)


def postgresql_url(value: str) -> URL:
    """
    :param value: ``postgresql://user:password@host:port/database``.
    :raises ValueError: it is not; the message does not repeat it, since a password may be in it.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("this is not a postgresql:// URL: postgresql://user:password@host:port/database") from None
    if not url.database or url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise ValueError("a postgresql:// URL names a database: postgresql://user:password@host:port/database")
    return url.set(drivername="postgresql+psycopg")


sqlite = SQLiteKind()
postgresql = PostgreSQLKind()
