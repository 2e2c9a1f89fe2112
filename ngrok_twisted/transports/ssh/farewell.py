"""
`Farewell`: how the user of a connection learns that nothing is published, or nothing any more, and how it ends.

A refusal is shown on standard error of the sessions. Without a session, as with ``ssh -N``, the text of a disconnect is
the only one that a client prints.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.forwards import Forwards
from ngrok_twisted.transports.ssh.hold import PATIENCE, SESSION_WAIT
from ngrok_twisted.transports.ssh.screen import Screen
from ngrok_twisted.transports.ssh.screens import Screens, exit_status
from ngrok_twisted.transports.ssh.timers import Timers

SECONDS = 1

#: What a client gets to leave by itself after its sessions were ended: a disconnect at once would swallow their last
#: lines.
GOODBYE = 1 * SECONDS

#: RFC 4253 section 11.1: SSH_DISCONNECT_BY_APPLICATION.
BY_APPLICATION = 11

#: Refusals kept for a session that has not said its command yet.
_MAX_TROUBLES = 10

_NOTHING_CAME = "No forward was asked for: add -R to ssh. ERR_NGROK_1112"


class Farewell:
    """
    The last words of one connection.
    """

    __slots__ = ("_connection", "_timers", "_screens", "_forwards", "_troubles")

    def __init__(self, connection: Any, timers: Timers, screens: Screens, forwards: Forwards) -> None:
        """
        :param connection: the authenticated SSH connection.
        """
        self._connection = connection
        self._timers = timers
        self._screens = screens
        self._forwards = forwards
        self._troubles: tuple[Refused, ...] = ()
        self.expect_forward()

    @property
    def pending(self) -> bool:
        """All that was asked for so far was refused, and nobody could be told."""
        return bool(self._troubles) and not self._forwards.hopeful

    def expect_forward(self) -> None:
        """A connection that asks for nothing is of no use, and ends after a while."""
        self._timers.start("idle", PATIENCE, self._nothing_came, restart=False)

    def busy(self) -> None:
        """It asked for something."""
        self._timers.stop("idle")

    def complain(self, refused: Refused) -> None:
        """Show a refusal where it can be seen; end the sessions if nothing is left for them."""
        watching = self._screens.watching()
        for screen in watching:
            screen.complain(refused)
            if not self._forwards.hopeful:
                screen.end(exit_status(refused))
        if not watching:
            self._troubles = (*self._troubles, refused)[:_MAX_TROUBLES]
            self._timers.start("trouble", SESSION_WAIT, self._say_goodbye, restart=False)
            self.expect_forward()

    def tell(self, screen: Screen) -> None:
        """Show a session what was refused before it came; end it if nothing is left for it."""
        troubles, self._troubles = self._troubles, ()
        for refused in troubles:
            screen.complain(refused)
        if troubles and not self._forwards.hopeful:
            screen.end(exit_status(troubles[0]))

    def leave(self, reason: str, status: int) -> None:
        """
        Nothing is online any more.

        :param reason: what the user reads.
        :param status: the exit status of the sessions.
        """
        if self._screens.end_all(Refused(None, reason), status):
            self._timers.start("goodbye", GOODBYE, lambda: self._disconnect(reason))
        else:
            self._disconnect(reason)

    def _say_goodbye(self) -> None:
        if self.pending and not self._screens:
            first = self._troubles[0]
            self._disconnect(f"{first.message} {first.name}".strip())

    def _nothing_came(self) -> None:
        if not self._screens.watching():
            self._disconnect(_NOTHING_CAME)

    def _disconnect(self, text: str) -> None:
        if not self._forwards.hopeful:
            # OpenSSH prints what is not ASCII in octal.
            self._connection.disconnect(BY_APPLICATION, text.encode("ascii", "replace").decode())
