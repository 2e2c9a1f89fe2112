"""Tests of `ngrok_twisted.log_lines`."""

from __future__ import annotations

import sys
from io import StringIO
from typing import Any

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEventAsClassicLogText
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.log_lines import TO_STDOUT, Lines, is_stdout, to_stdout


class Thing:
    """Something with an attribute."""

    name = "thing"

    def said(self) -> str:
        """What a template may call."""
        return "said"


def event(template: Any, **more: Any) -> LogEvent:
    """An event, as a logger makes it."""
    return {
        "log_format": template,
        "log_time": 1_700_000_000.25,
        "log_level": LogLevel.info,
        "log_namespace": "a.b",
        **more,
    }


class LinesTests(SynchronousTestCase):
    """`Lines`."""

    def test_like_twisted(self) -> None:
        """Each line is what Twisted would have written, be the event ordinary or not."""
        lines = Lines()
        for one in (
            event("hello"),
            event("{a} of {b!r}: {c:.2f}, {d[0]}, {e.name} {{}}", a="x", b="y", c=1.5, d=[1], e=Thing()),
            event("{e.said()} and {f()}", e=Thing(), f=lambda: 1),
            event("{absent}"),
            event("two\nlines {a}", a="x\ny"),
            event(""),
            event(None),
            event(b"bytes"),
            event("legacy", log_system="-"),
            event("no time", log_time=None),
            event("no level", log_level=None),
            event("failed", log_failure=Failure(ValueError("why"))),
            event("a second later", log_time=1_700_000_001.0),
            event("and back", log_time=1_700_000_000.0),
            event("surrogate {a}", a="\udc80"),
        ):
            self.assertEqual(lines(one), formatEventAsClassicLogText(one), one)
        for name in ("log_namespace", "log_time", "log_level"):
            one = event("without {what}", what=name)
            del one[name]
            self.assertEqual(lines(one), formatEventAsClassicLogText(one), one)

    def test_stdout(self) -> None:
        """What is logged stands on standard output."""
        self.patch(sys, "stdout", StringIO())
        observer = to_stdout()
        self.assertTrue(ILogObserver.providedBy(observer))
        Logger("a.b", observer=observer).warn("it is {what}", what="there")
        self.assertIn("[a.b#warn] it is there\n", sys.stdout.getvalue())  # type: ignore[attr-defined]

    def test_name(self) -> None:
        """``twistd`` finds it by its name."""
        self.assertIs(namedAny(TO_STDOUT), to_stdout)


class OptionsTests(SynchronousTestCase):
    """`is_stdout`."""

    def test_stdout(self) -> None:
        """In the foreground, without a file, the log goes to standard output."""
        self.assertTrue(is_stdout({"nodaemon": 1, "logfile": None, "syslog": 0, "logger": None}))
        self.assertTrue(is_stdout({"nodaemon": 1, "logfile": "-"}))

    def test_elsewhere(self) -> None:
        """Daemons, files, syslog and observers of the operator's are left alone."""
        for options in (
            {"nodaemon": 0},
            {"nodaemon": 1, "logfile": "ngrok.log"},
            {"nodaemon": 1, "syslog": 1},
            {"nodaemon": 1, "logger": print},
        ):
            self.assertFalse(is_stdout(options), options)
