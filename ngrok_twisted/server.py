"""
`Server`: the order in which the parts start and stop.

Listeners are bound first, while the process may still open privileged ports, but accept nobody until the store is open
and every part knows the records. On the way down nobody new is accepted, agents are told, and what is in flight may
finish.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.net.listening import CannotListen, Listener

SECONDS = 1

# Kubernetes and systemd give a process 30 and 90 seconds to end; the shorter is kept.
DRAIN_TIMEOUT = 30 * SECONDS

# How often a drain looks whether the last visitor has gone.
_DRAIN_POLL = 0.05 * SECONDS


class Server(MultiService):
    """
    Everything that runs, with one way up and one way down.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        state: Any,
        control: Any,
        plane: Any,
        transports: list[Any],
        parts: list[Any],
        listeners: list[Listener],
        ready: Callable[[], None],
    ) -> None:
        """
        :param state: the `ngrok_twisted.control.state.StateDirectory`, open.
        :param control: the `ngrok_twisted.control.service.Control`.
        :param plane: the `ngrok_twisted.edge.plane.EdgePlane`.
        :param transports: the services that let agents in, each with ``drain()``.
        :param parts: other services.
        :param listeners: where visitors and agents arrive.
        :param ready: called once everything accepts.
        """
        super().__init__()
        self._reactor = reactor
        self._state = state
        self._control = control
        self._plane = plane
        self._transports = transports
        self._listeners = listeners
        self._ready = ready
        for part in (*parts, plane, *transports):
            part.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Bind every listener.

        :raises SystemExit: one cannot be bound; a sentence says which and why.
        """
        self._state.open()  # a daemon has another process id than the one that took the lock
        try:
            for listener in self._listeners:
                listener.bind()
        except CannotListen as error:
            _give_up(str(error))
        super().privilegedStartService()

    def startService(self) -> None:
        """Open the store, then accept."""
        super().startService()
        Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        await self._control.open()
        for listener in self._listeners:
            listener.accept()
        self._ready()

    def _failed(self, failure: Any) -> None:
        if failure.check(StoreUnusable, InvalidConfig):
            print(f"ngrok_twisted cannot start: {failure.value}", file=sys.stderr, flush=True)
        else:
            self._log.failure("ngrok_twisted cannot start", failure)
        self._reactor.addSystemEventTrigger("after", "shutdown", _exit_with_error)
        if self._reactor.running:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """
        Drain, then stop.

        :return: a Deferred that fires with ``None`` when everything is shut.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._log.info("draining: {count} visitors are still here", count=len(self._plane.visitors))
        for listener in self._listeners:
            await listener.close()
        for transport in self._transports:
            transport.drain()
        await self._drained()
        stopped = super().stopService()
        if stopped is not None:
            await stopped
        await self._control.close()
        self._state.close()
        self._log.info("everything is shut")

    async def _drained(self) -> None:
        deadline = self._reactor.seconds() + DRAIN_TIMEOUT
        self._plane.visitors.drain()
        while self._plane.visitors and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, _DRAIN_POLL)
        self._plane.visitors.abort()


def _give_up(sentence: str) -> None:
    print(f"ngrok_twisted cannot start: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def _exit_with_error() -> None:
    # twistd takes a stopped reactor for a success, so that the status must be set past it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
