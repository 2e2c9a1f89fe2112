"""
`AccessLog`: one line for each flow that ended, for operators and their tools.

Lines are logfmt, so that ``grep`` and every log shipper can read them. They are gathered and written once a second or at
64 KiB, since a write for each request would cost more than the request's routing.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any, BinaryIO

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ngrok_twisted.flow import Flow

SECONDS = 1
MILLISECOND = 0.001 * SECONDS
KIB = 1024

# An operator who watches the file sees a request within a second.
FLUSH_INTERVAL = 1 * SECONDS

# One write of this size costs about as much as one of a single line.
FLUSH_BYTES = 64 * KIB

# Visitors choose these; a line stays readable, and cannot be used to fill the disk.
MAX_TARGET = 2 * KIB

# What would end a field or a line, or could steer a terminal. Nearly no request has any of it.
_UNSAFE = re.compile(r'[\x00-\x20"\\\x7f-\xa0]')

# Parts of lines that are remembered: those who visit now, what they speak, and what modules say of them.
_REMEMBERED = 1024

# Characters that such a word of a module has at most.
_USUAL = 64

#: The ends of the names of what modules note for logs.
_TOLD = (".decision", ".reason", ".username", ".algorithm")


def line(flow: Flow, now: float) -> str:
    """
    :param now: seconds since the epoch.
    :return: the flow's line, with a line feed.
    """
    return _line(flow, _moment(now))


def _moment(now: float) -> str:
    return f"{now:.3f}"


def _line(flow: Flow, moment: str) -> str:
    """
    One text put together at once, and two out of a cache, take half the time of a piece for each field.

    :param moment: as `_moment` has it.
    """
    tunnel, variables = flow.tunnel, flow.variables
    method = flow.method
    who = _who(flow.proto, flow.peer_host, flow.host, method)
    if method:
        who += _safe(flow.target[:MAX_TARGET].decode("latin-1")) + _outcome(flow.version, flow.status)
    told = f" tunnel={tunnel.id}" if tunnel is not None else ""
    if flow.error is not None:
        told += f" error={flow.error.name}"
    if variables:
        told += _verdicts(variables)
    milliseconds = (flow.ended - flow.started) * 1000
    return (
        f"time={moment} flow={flow.number}{who}"
        f" in={flow.bytes_in} out={flow.bytes_out} ms={milliseconds:.1f}{told}\n"
    )


@lru_cache(maxsize=_REMEMBERED)
def _who(proto: str, peer: str, host: str, method: bytes) -> str:
    """Who asks, up to the target."""
    named = f" host={_safe(host)}" if host else ""
    asking = f" method={_safe(method.decode('latin-1'))} target=" if method else ""
    return f" proto={proto} peer={peer}{named}{asking}"


@lru_cache(maxsize=_REMEMBERED)
def _outcome(version: bytes, status: int) -> str:
    """What became of a request."""
    return f" version={version.decode('ascii')} status={status}" if version else f" status={status}"


def _verdicts(variables: dict[str, Any]) -> str:
    """What modules decided, such as ``circuit_breaker.decision=block``."""
    told = [
        _usual(name, value) if len(value) <= _USUAL else _verdict(name, value)
        for name, value in variables.items()
        if name.endswith(_TOLD) and isinstance(value, str)
    ]
    return "".join(told)


def _verdict(name: str, value: str) -> str:
    return f" {name}={_safe(value[:MAX_TARGET])}"


_usual = lru_cache(maxsize=_REMEMBERED)(_verdict)


def _safe(text: str) -> str:
    return text if _UNSAFE.search(text) is None else _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class AccessLog(Service):
    """
    A flow observer that appends to a file. The file is opened again when it was moved away (logrotate).
    """

    _log = Logger()

    def __init__(self, path: str, clock: Any) -> None:
        """
        :param path: the file; made with mode 0600, since it holds visitors' addresses.
        :param clock: an ``IReactorTime`` whose ``seconds`` is the time since the epoch; flows use the same.
        """
        self._path = path
        self._clock = clock
        self._file: BinaryIO | None = None
        self._lines: list[str] = []
        self._size = 0
        self._flush_call: IDelayedCall | None = None
        self._moment = ""
        self._moment_began = self._moment_ends = 0.0

    def __call__(self, flow: Flow) -> None:
        """Note the end of a flow."""
        now = flow.ended
        if not self._moment_began <= now < self._moment_ends:  # one text for all lines of a busy millisecond
            self._moment, self._moment_began, self._moment_ends = _moment(now), now, now + MILLISECOND
        text = _line(flow, self._moment)
        self._lines.append(text)
        self._size = size = self._size + len(text)
        if size >= FLUSH_BYTES:
            self.flush()
        elif self._flush_call is None:
            self._flush_call = self._clock.callLater(FLUSH_INTERVAL, self.flush)

    def flush(self) -> None:
        """Write what was gathered. A full disk loses lines and says so; it never stops traffic."""
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        lines, self._lines, self._size = self._lines, [], 0
        if not lines:
            return
        try:
            file = self._current_file()
            file.write("".join(lines).encode("utf-8"))
        except OSError as error:
            self._log.error("{count} access log lines lost: {error}", count=len(lines), error=error)
            self._close()

    def stopService(self) -> None:
        """Write the last lines."""
        super().stopService()
        self.flush()
        self._close()

    def _current_file(self) -> BinaryIO:
        if self._file is None or self._moved(self._file):
            self._close()
            self._file = open(self._path, "ab", buffering=0, opener=_private)
        return self._file

    def _moved(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return True

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
