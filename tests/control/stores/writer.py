"""
A process that writes to a SQLite store until it is killed, and prints each revision once it is durable::

    python -m tests.control.stores.writer STATE
"""

from __future__ import annotations

import sys
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.filepath import FilePath

from ngrok_twisted.control.stores.sql import SQLiteKind
from ngrok_twisted.records.base import Put
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.testing.contracts import domain


async def write(reactor: Any, folder: str) -> None:
    """Write two records in each turn, which belong together."""
    store = SQLiteKind()("sqlite", Runtime(reactor=reactor, random=Random(1), state=FilePath(folder)))
    snapshot = await store.open()
    while True:
        mark = str(snapshot.revision + 1)
        snapshot = await store.write([Put(domain(1, metadata=mark)), Put(domain(2, metadata=mark))])
        print(snapshot.revision, flush=True)


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(write(reactor, sys.argv[1])))
