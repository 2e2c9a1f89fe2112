"""
`Hold`: the forwards of a connection whose answers wait for a command.
"""

from __future__ import annotations

from typing import Callable

from ngrok_twisted.transports.ssh.forward import Forward
from ngrok_twisted.transports.ssh.timers import Timers

SECONDS = 1

#: A client that opens a session at all sends it right behind its forwards (measured); this covers a slow link.
SESSION_WAIT = 0.3 * SECONDS
#: Below the keepalive interval that users set: a keepalive's answer waits behind that of a forward, and OpenSSH would
#: take the one for the other.
COMMAND_WAIT = 2 * SECONDS
#: ngrok's waits for a session (1111) and for a forward (1112).
PATIENCE = 10 * SECONDS


class Hold:
    """
    :ivar forwards: those that wait, in the order of their requests.
    """

    __slots__ = ("forwards", "_timers", "_session_wait", "_command_wait", "_silence", "_since")

    def __init__(self, timers: Timers, strict: bool, silence: Callable[[], None]) -> None:
        """
        :param strict: nothing is published without a command, so there is more patience for one.
        :param silence: called when no command came in time.
        """
        self.forwards: list[Forward] = []
        self._timers = timers
        self._session_wait = PATIENCE if strict else SESSION_WAIT
        self._command_wait = PATIENCE if strict else COMMAND_WAIT
        self._silence = silence
        self._since = 0.0  # seconds on the clock when the first forward began to wait

    def __bool__(self) -> bool:
        return bool(self.forwards)

    def __len__(self) -> int:
        return len(self.forwards)

    def add(self, forward: Forward) -> None:
        """Let a forward wait."""
        if not self.forwards:
            self._since = self._timers.now
        self.forwards.append(forward)

    def wait(self, expecting: bool) -> None:
        """
        Count the time from the first forward.

        :param expecting: a session is there, or something else that promises a command.
        """
        if expecting:
            self._expect_command()
        else:
            self._timers.start("session", self._session_wait, self._silence, restart=False)

    def session_opened(self) -> None:
        """A session promises a command."""
        self._timers.stop("session")
        if self.forwards:
            self._expect_command()

    def _expect_command(self) -> None:
        left = self._since + self._command_wait - self._timers.now
        self._timers.start("command", max(0.0, left), self._silence, restart=False)

    def drop(self, forward: Forward) -> None:
        """One does not wait any more."""
        if forward in self.forwards:
            self.forwards.remove(forward)
        if not self.forwards:
            self._timers.stop("session", "command")

    def end(self) -> None:
        """Nobody waits any more, nor will: who was to be told of it is let go of."""
        self.take()
        self._silence = _nobody_cares

    def take(self) -> list[Forward]:
        """Let all of them go."""
        self._timers.stop("session", "command")
        forwards, self.forwards = self.forwards, []
        return forwards


def _nobody_cares() -> None:
    """The connection is gone."""
