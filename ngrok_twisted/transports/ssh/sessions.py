"""
Session channels: what the user's terminal or command sees of the gateway.

Source: RFC 4254 section 6; spec/ssh-tunnels.md sections 7 and 8.4.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from twisted.conch.ssh.common import NS
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.transports.ssh.channel import MSG_CHANNEL_DATA, Channel
from ngrok_twisted.transports.ssh.packets import DATA_HEAD
from ngrok_twisted.transports.ssh.publickey import Fields

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

MSG_CHANNEL_EXTENDED_DATA = 95
MSG_CHANNEL_REQUEST = 98

# RFC 4254 section 5.2.
EXTENDED_DATA_STDERR = 1

# Bytes of output that wait for a terminal that does not read; what comes on top is dropped.
MAX_OUTPUT = 256 * 1024

# Variables that are passed on, and bytes of a name or value.
MAX_ENV = 32
MAX_ENV_SIZE = 8 * 1024

# Bytes: typed input, or a document on standard input.
WINDOW = 128 * 1024

# Seconds for the last output to leave before a session that has ended is closed all the same.
EXIT_LINGER = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pty:
    """
    A terminal that was asked for (RFC 4254 section 6.2).

    :ivar term: the value of ``TERM``.
    :ivar columns: characters.
    :ivar rows: lines.
    """

    term: str
    columns: int
    rows: int


class SessionChannel(Channel):
    """
    One session; the gateway knows it as ``session``.

    :ivar pty: the `Pty`, or ``None``.
    :ivar closed: nothing that is written is seen any more.
    """

    _log = Logger()

    def __init__(self, connection: Connection, number: int) -> None:
        super().__init__(connection, number, WINDOW)
        self.pty: Pty | None = None
        self.closed = False
        self._opened = False
        self._started = False
        self._variables = 0
        self._after: Callable[[], None] | None = None
        self._output: deque[tuple[bool, bytes]] = deque()
        self._output_size = 0
        self._dropped = 0
        self._status: int | None = None
        self._linger: Any = None

    # -- for the gateway -----------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Standard output."""
        self._put(False, data)

    def write_error(self, data: bytes) -> None:
        """Standard error."""
        self._put(True, data)

    def exit(self, status: int) -> None:
        """
        End the session when its output is out: exit status, end of file, close.

        :param status: 0 to 255.
        """
        if self.closed or self._status is not None:
            return
        self._status = status
        if self._output:
            self._linger = self.connection.clock.callLater(EXIT_LINGER, self._finish)
        else:
            self._finish()

    # -- output --------------------------------------------------------------------------------------------------------

    def _put(self, error: bool, data: bytes) -> None:
        if self.closed or self._status is not None or not data:
            return
        if self._output_size + len(data) > MAX_OUTPUT:
            if not self._dropped:
                self._log.debug("ssh session {number}: output is not read, it is dropped", number=self.number)
            self._dropped += len(data)
            return
        self._output.append((error, bytes(data)))
        self._output_size += len(data)
        self.drain()

    def drain(self) -> None:
        """`Channel`."""
        connection = self.connection
        while self._output and self.send_window and not connection.blocked:
            error, data = self._output.popleft()
            size = min(len(data), self.send_window, self.packet_limit)
            if size < len(data):
                self._output.appendleft((error, data[size:]))
            self._output_size -= size
            self.send_window -= size
            head = (
                struct.pack(">BIII", MSG_CHANNEL_EXTENDED_DATA, self.remote, EXTENDED_DATA_STDERR, size)
                if error
                else DATA_HEAD.pack(MSG_CHANNEL_DATA, self.remote, size)
            )
            connection.transport.send(head + data[:size])
        if self._output:
            connection.waiting[self] = None
        else:
            connection.waiting.pop(self, None)
            if self._status is not None:
                self._finish()

    def _finish(self) -> None:
        if self.closed:
            return
        head = struct.pack(">BI", MSG_CHANNEL_REQUEST, self.remote)
        status = struct.pack(">I", (self._status or 0) & 0xFF)
        self.connection.transport.send(head + NS(b"exit-status") + b"\0" + status)
        self.send_eof()
        self.send_close()
        self._end()

    def _end(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._output.clear()
        self._output_size = 0
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._linger = None
        if self._opened and self.connection.gateway is not None:
            self.connection.gateway.session_closed(self)

    # -- input ---------------------------------------------------------------------------------------------------------

    def confirm(self, remote: int, window: int, limit: int) -> None:
        """`Channel`."""
        super().confirm(remote, window, limit)
        self._opened = True
        self.connection.gateway.session_opened(self)

    def received(self, batch: list[memoryview]) -> None:
        """`Channel`."""
        data = b"".join(batch)
        if not self.closed:
            self.connection.gateway.session_input(self, data)
        self.credit(len(data))

    def eof_received(self) -> None:
        """`Channel`: the end of the input; the session goes on."""
        if not self.closed:
            self.connection.gateway.session_eof(self)

    def close_received(self) -> None:
        """`Channel`."""
        self.send_close()
        self._end()

    def connection_lost(self, reason: Failure) -> None:
        """`Channel`."""
        self.sent_close = True
        self._end()

    def abort(self) -> None:
        """`Channel`."""
        self.send_close()
        self._end()

    # -- requests ------------------------------------------------------------------------------------------------------

    def requested(self, name: bytes, fields: Fields) -> bool:
        """`Channel`."""
        serve = self._REQUESTS.get(name)
        return serve is not None and not self.closed and serve(self, fields)

    def request_answered(self) -> None:
        """`Channel`: what was asked for begins after its answer."""
        after, self._after = self._after, None
        if after is not None and not self.closed:
            after()

    def _pty_req(self, fields: Fields) -> bool:
        if self._started or self.pty is not None:
            return False
        term = fields.string()[:64].decode("ascii", "replace")
        columns, rows = _number(fields), _number(fields)
        self.pty = Pty(term=term, columns=columns, rows=rows)
        return True

    def _window_change(self, fields: Fields) -> bool:
        if self.pty is None:
            return False
        columns, rows = _number(fields), _number(fields)
        self.pty = Pty(term=self.pty.term, columns=columns, rows=rows)
        self._after = lambda: self.connection.gateway.session_resized(self, columns, rows)
        return True

    def _env(self, fields: Fields) -> bool:
        name, value = fields.string(), fields.string()
        self._variables += 1
        if self._started or self._variables > MAX_ENV or len(name) + len(value) > MAX_ENV_SIZE:
            return False
        return bool(self.connection.gateway.session_env(self, name, value))

    def _shell(self, fields: Fields) -> bool:
        return self._start(None)

    def _exec(self, fields: Fields) -> bool:
        return self._start(fields.string())

    def _start(self, command: bytes | None) -> bool:
        if self._started:
            return False
        self._started = True
        self._after = lambda: self.connection.gateway.session_command(self, command)
        return True

    def _signal(self, fields: Fields) -> bool:
        name = fields.string()
        self._after = lambda: self.connection.gateway.session_signal(self, name)
        return True

    _REQUESTS: dict[bytes, Callable[[SessionChannel, Fields], bool]] = {
        b"pty-req": _pty_req,
        b"window-change": _window_change,
        b"env": _env,
        b"shell": _shell,
        b"exec": _exec,
        b"signal": _signal,
    }


def _number(fields: Fields) -> int:
    return int.from_bytes(fields.raw(4), "big")
