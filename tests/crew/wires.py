"""
Two ends of a wire in one process, and a reactor that serves them when a test says so.
"""

from __future__ import annotations

from socket import socketpair
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.crew.wire import Wire


class FakeReactor(Clock):
    """A clock that notes who is to be read and written; `turn` serves them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def turn(self) -> None:
        """Timed calls that are due, then whoever can be written and read."""
        self.advance(0)
        for writer in tuple(self.writers):
            writer.doWrite()
        for reader in tuple(self.readers):
            reader.doRead()


class PairCase(SynchronousTestCase):
    """
    A main process and a worker that are joined.

    :ivar to_worker: the main process's end; ``to_main`` is the other.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        first, second = socketpair()
        self.to_worker = Wire(self.reactor, first, "worker 1", {})
        self.to_main = Wire(self.reactor, second, "the main process", {})
        for end in (self.to_worker, self.to_main):
            end.start()
            self.addCleanup(end.close)

    def turns(self, number: int = 6) -> None:
        """Let what was said arrive, and what is answered to it."""
        for _ in range(number):
            self.reactor.turn()
