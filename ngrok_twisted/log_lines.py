"""
The lines of the log, as `twisted.logger.textFileLogObserver` writes them, for a quarter of the time.

Twisted asks for the time zone and formats the time anew for each line, and takes templates apart in Python: 15 microseconds, and
three times that where the code is cold. A log-in leaves three lines. What is out of the ordinary is left to Twisted.
"""

from __future__ import annotations

import sys
from typing import Any, Mapping

from twisted.logger import FileLogObserver, LogEvent, formatEventAsClassicLogText, formatTime


class Lines:
    """Makes the line of an event. What was made of the time is kept for the rest of its second."""

    __slots__ = ("_second", "_stamp")

    def __init__(self) -> None:
        self._second = -1
        self._stamp = ""

    def __call__(self, event: LogEvent) -> str | None:
        """:return: the line with its end, or ``None`` for an event without a text."""
        template, when = event.get("log_format"), event.get("log_time")
        if template.__class__ is not str or when is None or "log_failure" in event or "log_system" in event:
            return formatEventAsClassicLogText(event)
        try:
            text = template.format_map(event)
        except Exception:  # a call in the template, or a value that is not there: Twisted knows what to write
            return formatEventAsClassicLogText(event)
        if not text or "\n" in text:
            return formatEventAsClassicLogText(event)
        if int(when) != self._second:
            self._second, self._stamp = int(when), formatTime(when)
        level = event.get("log_level")
        return f"{self._stamp} [{event.get('log_namespace', '-')}#{'-' if level is None else level.name}] {text}\n"


def to_stdout() -> FileLogObserver:
    """An observer that writes lines to standard output."""
    return FileLogObserver(sys.stdout, Lines())


#: How ``twistd`` is told of it, as by ``--logger``.
TO_STDOUT = f"{to_stdout.__module__}.{to_stdout.__qualname__}"


def is_stdout(options: Mapping[str, Any]) -> bool:
    """
    :param options: those of ``twistd``.
    :return: whether its log goes to standard output, and no other observer was asked for.
    """
    if options.get("logger") or options.get("syslog") or not options.get("nodaemon"):
        return False
    return options.get("logfile") in (None, "", "-")
