"""
`Reloader`: the configuration is read again, on SIGHUP or because a key was added.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.load import load, read_keys
from ngrok_twisted.control.seed import declared
from ngrok_twisted.errors import InvalidConfig

#: What a running server keeps: listeners are open, the state is locked, the parts were made with these values.
_FIXED = (
    "access_log",
    "domain",
    "limits",
    "listen",
    "public_port",
    "ssh",
    "state",
    "store",
    "tcp",
    "timeouts",
    "tls",
)


class Reloader(Service):
    """
    Replaces the declared records while the server runs. Either all of a new configuration comes into force, or nothing.
    """

    _log = Logger()

    def __init__(self, config: Config, path: str | None, control: Any, reactor: Any) -> None:
        """
        :param config: the one in force.
        :param path: its file, or ``None``.
        :param control: the `ngrok_twisted.control.service.Control`.
        """
        self._started_with = config
        self._config = config
        self._path = path
        self._control = control
        self._reactor = reactor
        self._before: Any = None

    def startService(self) -> None:
        """Listen for SIGHUP."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._hang_up)

    def stopService(self) -> None:
        """Leave the signal to whoever had it."""
        super().stopService()
        signal.signal(signal.SIGHUP, self._before or signal.SIG_DFL)

    def reload(self) -> bool:
        """
        Read everything again.

        :return: whether it is in force now. If not, the log has every problem, and the old state stays.
        """
        try:
            config = load(self._path, os.environ, Path.home())
            self._control.declare(declared(config))
        except InvalidConfig as error:
            for problem in error.problems:
                self._log.error("not reloaded: {problem}", problem=problem)
            return False
        for name in _FIXED:
            if _fixed(self._started_with, name) != _fixed(config, name):
                self._log.warn("{name} was changed; that takes effect at the next start", name=name)
        for warning in config.warnings:
            self._log.warn("{note}", note=warning)
        self._config = config
        self._log.info("configuration reloaded from {path}", path=self._path or "the built-in defaults")
        return True

    def fresh_keys(self) -> None:
        """
        Look for new keys in the ``authorized_keys`` files, so that a key which was just added may connect.

        Keys that are not in them any more stay until `reload`: a stranger's offer is no occasion to end anyone's session,
        and a file may be just about to be written.
        """
        known = {key.public_key for key in self._config.keys}
        found = read_keys(self._config, self._path, os.environ, Path.home())
        fresh = tuple(key for key in found if key.public_key not in known)
        if not fresh:
            return
        config = replace(self._config, keys=self._config.keys + fresh)
        try:
            self._control.declare(declared(config))
        except InvalidConfig as error:
            self._log.error("new keys are not used: {error}", error=str(error))
        else:
            self._config = config
            for key in fresh:
                self._log.info("a new key may connect: {source}", source=key.source)

    def _hang_up(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self.reload)


def _fixed(config: Config, name: str) -> Any:
    """The value of a key, without the part of it that does not wait for the next start."""
    return replace(config.ssh, authorized_keys=()) if name == "ssh" else getattr(config, name)
