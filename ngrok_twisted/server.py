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
from twisted.internet.defer import Deferred, maybeDeferred
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
        self._stopping: list[Deferred[None]] | None = None
        self._is_shut = False
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
        # Not before the reactor runs: until then Ctrl-C is Python's, and would break in anywhere.
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        await self._control.open()
        if self._stopping is not None:
            return
        for listener in self._listeners:
            listener.accept()
        self._log.info("ready")
        self._ready()

    def _failed(self, failure: Any) -> None:
        if self._stopping is not None:
            self._log.debug("the start was given up: {reason}", reason=failure.getErrorMessage())
            return
        if failure.check(StoreUnusable, InvalidConfig):
            print(f"ngrok_twisted cannot start: {failure.value}", file=sys.stderr, flush=True)
        else:
            self._log.failure("ngrok_twisted cannot start", failure)
        self._reactor.addSystemEventTrigger("after", "shutdown", _exit_with_error)
        self._reactor.callWhenRunning(self._reactor.stop)

    def stopService(self) -> Deferred[None]:
        """
        Drain, then stop. A second call waits for the first.

        :return: a Deferred that fires with ``None`` when everything is shut.
        """
        done: Deferred[None] = Deferred()
        if self._is_shut:
            done.callback(None)
        elif self._stopping is not None:
            self._stopping.append(done)
        else:
            self._stopping = [done]
            Deferred.fromCoroutine(self._stop())
        return done

    async def _stop(self) -> None:
        self._log.info("stopping: {count} visitors are still here", count=len(self._plane.visitors))
        for listener in self._listeners:
            await self._step(listener.close)
        for transport in self._transports:
            await self._step(transport.drain)
        await self._step(self._drain)
        await self._step(super().stopService)
        await self._step(self._control.close)
        await self._step(self._state.close)
        self._log.info("everything is shut")
        # twistd would end itself with the signal that stopped it; whoever supervises it is to see that all went well.
        self._reactor._exitSignal = None
        self._is_shut = True
        for waiting in self._stopping or ():
            waiting.callback(None)

    async def _step(self, work: Callable[[], Any]) -> None:
        """One step on the way down: where it fails, the others are still taken."""
        try:
            await maybeDeferred(work)
        except Exception:
            self._log.failure("a part did not stop as it should")

    async def _drain(self) -> None:
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
