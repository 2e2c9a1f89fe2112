"""
`Screen`: one session of a connection as something to write on, with its keys and its limits.
"""

from __future__ import annotations

from typing import Any, Mapping

from ngrok_twisted.errors import EdgeError, Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.transports.ssh import values
from ngrok_twisted.transports.ssh.console import Console, clock_face

#: Lines of the live log a second, after a burst of as many. A terminal shows no more to a reader, and a client that
#: does not read must not fill this server's memory.
LOG_LINES_PER_SECOND = 20

#: Keys of a terminal in raw mode to what they ask for.
_KEYS = {"\x03": "quit", "\x04": "quit", "h": "help", "?": "help", "r": "repeat", "i": "log", "Q": "code"}

#: Keys looked at in one packet; a paste is no command.
_KEYS_AT_ONCE = 16


class Screen:
    """
    :ivar session: the SSH session below.
    :ivar console: renders for it.
    :ivar opened: seconds on the clock when it was opened.
    :ivar spoken: its ``exec`` or ``shell`` has been seen.
    :ivar watching: it shows URLs as they come and go.
    :ivar log: it shows requests.
    :ivar code: it shows QR codes.
    :ivar metadata: what ``NGROK_METADATA`` of its environment says.
    """

    def __init__(self, session: Any, opened: float) -> None:
        self.session = session
        self.opened = opened
        self.console = Console()
        self.spoken = False
        self.watching = False
        self.greeted = False
        self.log = False
        self.code = False
        self.metadata = ""
        self._confirming = False
        self._tokens = float(LOG_LINES_PER_SECOND)
        self._refilled = opened
        self._skipped = 0

    def speak(self, options: Mapping[str, Any]) -> None:
        """The command is known: from now on it decides how things are shown."""
        self.spoken = True
        pty = self.session.pty is not None
        self.console = Console(
            pty=pty,
            json=options.get("output") == "json",
            quiet=bool(options.get("quiet")) and options.get("output") != "json",
        )
        self.log = bool(options.get("log-requests", pty)) and not self.console.quiet
        self.code = bool(options.get("qr"))

    def set_variable(self, name: bytes, value: bytes) -> bool:
        """
        A variable of the client's environment.

        :return: whether it has a meaning here; only ``NGROK_METADATA`` has.
        """
        if name != b"NGROK_METADATA":
            return False
        try:
            self.metadata = values.metadata(value.decode("utf-8"))
        except (UnicodeDecodeError, Refused):
            return False
        return True

    @property
    def live(self) -> bool:
        """Its user is still there to read."""
        return not self.session.closed

    def show(self, data: bytes) -> None:
        """Write to the user's standard output."""
        if data and self.live:
            self.session.write(data)

    def complain(self, refused: Refused) -> None:
        """Write to the user's standard error; JSON stays in one stream."""
        if self.live:
            data = self.console.error(refused)
            (self.session.write if self.console.json else self.session.write_error)(data)

    def end(self, status: int) -> None:
        """Close the session with this exit status."""
        self.watching = False
        if self.live:
            self.session.exit(status)

    def keys(self, data: bytes) -> list[str]:
        """
        :param data: what the user typed; only a terminal in raw mode has keys.
        :return: what they ask for, in order.
        """
        if self.session.pty is None:
            return []
        return [action for action in map(self._key, data[:_KEYS_AT_ONCE].decode("latin-1")) if action]

    def _key(self, key: str) -> str:
        confirmed = self._confirming and key in "qy"
        self._confirming = key == "q" and not confirmed
        if confirmed:
            return "quit"
        return "confirm" if self._confirming else _KEYS.get(key, "")

    def flow_ended(self, flow: Flow, now: float) -> None:
        """A line of the live log, unless there are too many."""
        if self.log and self._may_log(now):
            self.show(self.console.request(flow))

    def flow_opened(self, flow: Flow, now: float) -> None:
        """A line of the live log for a stream that begins."""
        if self.log and self._may_log(now):
            self.show(self.console.opened(flow, now))

    def dial_failed(self, error: EdgeError, now: float) -> None:
        """The local service did not answer: the one thing the user can mend."""
        if self.watching and self._may_log(now):
            self.show(self.console.notice(f"{clock_face(now)} {error.sentence}"))

    def _may_log(self, now: float) -> bool:
        self._tokens = min(LOG_LINES_PER_SECOND, self._tokens + max(now - self._refilled, 0.0) * LOG_LINES_PER_SECOND)
        self._refilled = now
        if self._tokens < 1:
            self._skipped += 1
            return False
        self._tokens -= 1
        if self._skipped:
            self.show(self.console.notice(f"({self._skipped} more lines were left out)"))
            self._skipped = 0
        return True
