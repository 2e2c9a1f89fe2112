"""
`Child`: one worker's process, as the main process has it.
"""

from __future__ import annotations

import socket
from typing import Any, Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.crew.boot import PING, WIRE_DESCRIPTOR, command, environment
from ngrok_twisted.crew.wire import STUCK, Wire

SECONDS = 1

#: How often a worker is asked for a sign of life. One that gives none for `STUCK` seconds is replaced.
PULSE = 5 * SECONDS

#: A worker is ready after some two seconds; one that is not after this many never will be.
START_MAX = 60 * SECONDS

#: For a worker that is done to end by itself.
EXIT = 3 * SECONDS

#: Bytes of what a worker prints that are kept until there is a whole line.
_LINE_MAX = 64 * 1024


class Child(ProcessProtocol):
    """
    The process and the wire to it; either ends with the other.

    :ivar wire: the `Wire`.
    :ivar place: its place in the crew.
    :ivar born: seconds on the reactor's clock.
    :ivar is_ready: it serves.
    :ivar is_leaving: it is to end.
    :ivar is_parting: it was told so.
    :ivar ended: a Deferred that fires with ``None`` when the process is gone.
    """

    _log = Logger()

    def __init__(self, place: int, reactor: Any, when_gone: Callable[[Child], None]) -> None:
        """
        :param when_gone: called once the process is gone.
        :raises OSError: there is no descriptor left.
        """
        self.place = place
        self.born: float = reactor.seconds()
        self.is_ready = self.is_leaving = self.is_parting = False
        self.ended: Deferred[None] = Deferred()
        self._reactor = reactor
        self._when_gone = when_gone
        self._printed = b""
        self._call: IDelayedCall | None = None
        ours, self._theirs = socket.socketpair()
        self.wire = Wire(reactor, ours, f"worker {place}", {})
        self.wire.when_lost(self._wire_lost)

    def start(self) -> None:
        """
        Start the process.

        :raises OSError: it cannot be started.
        """
        descriptors: dict[int, Any] = {0: "w", 1: "r", 2: "r", WIRE_DESCRIPTOR: self._theirs.fileno()}
        line = command()
        try:
            self._reactor.spawnProcess(self, line[0], line, environment(), childFDs=descriptors)
        finally:
            self._theirs.close()
        self.wire.start()
        self._call = self._reactor.callLater(START_MAX, self._too_slow)

    def connectionMade(self) -> None:
        """IProcessProtocol."""
        transport: Any = self.transport
        transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """IProcessProtocol: it prints only what goes wrong before it can tell us otherwise."""
        *lines, self._printed = (self._printed + data)[-_LINE_MAX:].split(b"\n")
        for line in lines:
            self._say(line)

    def processEnded(self, reason: Failure) -> None:
        """IProcessProtocol."""
        self._say(self._printed)
        self.transport = None
        self.wire.close()
        self._stop_call()
        self._log.info(
            "worker {place} has ended: {reason}", place=self.place, reason=reason.getErrorMessage().rstrip(".")
        )
        self._when_gone(self)
        self.ended.callback(None)

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.transport is not None

    def watch(self) -> None:
        """It is ready; from now on it has to show signs of life."""
        self._stop_call()
        self._ask_later()

    def _ask_later(self) -> None:
        if not self.wire.is_lost:
            self._call = self._reactor.callLater(PULSE, self._ask)

    def kill(self) -> None:
        """End it now."""
        transport: Any = self.transport
        if transport is not None:
            try:
                transport.signalProcess("KILL")
            except ProcessExitedAlready:
                pass

    def _ask(self) -> None:
        self._call = None
        answer = self.wire.ask(PING)
        answer.addTimeout(STUCK, self._reactor)
        answer.addCallbacks(lambda _: self._ask_later(), self._hangs)

    def _hangs(self, failure: Failure) -> None:
        if not self.wire.is_lost:
            self._log.error("worker {place} gives no sign of life: it is killed", place=self.place)
            self.wire.close()

    def _wire_lost(self) -> None:
        self._stop_call()
        if self.is_leaving and self.transport is not None:
            self._call = self._reactor.callLater(EXIT, self._too_slow)
        else:
            self.kill()

    def _too_slow(self) -> None:
        self._call = None
        self.kill()

    def _stop_call(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _say(self, line: bytes) -> None:
        if line:
            self._log.warn("(worker {place}) {line}", place=self.place, line=line.decode(errors="replace"))
