"""
`Reloader`: the configuration is read again, on SIGHUP or because a key was added.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.load import load, read_keys
from ngrok_twisted.control.origins import Declared
from ngrok_twisted.control.seed import with_keys
from ngrok_twisted.errors import InvalidConfig

T = TypeVar("T")

#: What a running server keeps: listeners are open, the state is locked, the parts were made with these values.
_FIXED = (
    "access_log",
    "agent",
    "domain",
    "limits",
    "listen",
    "proxy_protocol",
    "public_port",
    "ssh",
    "state",
    "store",
    "tcp",
    "timeouts",
    "tls",
    "workers",
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
        # The records are in force elsewhere; where they came from is much to remember, and of no more use.
        self._started_with = replace(config, declared=Declared())
        self._config = replace(config, declared=config.declared.without_lines())
        self._path = None if path is None else os.path.abspath(path)  # twistd may go elsewhere
        self._control = control
        self._reactor = reactor
        self._before: Any = None
        self._reloading = DeferredLock()

    def startService(self) -> None:
        """Listen for SIGHUP."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._hang_up)

    def stopService(self) -> None:
        """Leave the signal to whoever had it. By default it would end the process in the midst of its stop."""
        super().stopService()
        before = self._before or signal.SIG_DFL
        signal.signal(signal.SIGHUP, signal.SIG_IGN if before == signal.SIG_DFL else before)

    def reload(self) -> Deferred[bool]:
        """
        Read everything again. A large file takes seconds, which are spent in a thread while the server goes on.

        :return: a Deferred that fires with whether it is in force now; it never fails. If it is not, the log has every
            problem, and the old state stays. A second call waits for the first.
        """
        return self._reloading.run(lambda: Deferred.fromCoroutine(self._reload()))

    async def _reload(self) -> bool:
        try:
            config = await self._in_thread(load, self._path, dict(os.environ), Path.home())
            await self._control.redeclare(config.declared.records, config.declared.origins, self._in_thread)
        except InvalidConfig as error:
            for problem in error.problems:
                self._log.error("not reloaded: {problem}", problem=problem)
            return False
        except Exception:
            self._log.failure("not reloaded")
            return False
        for name in _FIXED:
            if _fixed(self._started_with, name) != _fixed(config, name):
                self._log.warn("{name} was changed; that takes effect at the next start", name=name)
        for warning in config.warnings:
            self._log.warn("{note}", note=warning)
        self._config = replace(config, declared=config.declared.without_lines())
        self._log.info("configuration reloaded from {path}", path=self._path or "the built-in defaults")
        return True

    def _in_thread(self, work: Callable[..., T], *arguments: Any) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *arguments)

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
        try:
            config = with_keys(self._config, fresh)
            more = config.declared.records[len(self._config.declared.records) :]
            self._control.declare_also(more, config.declared.origins)
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
