"""
`Server`: the order in which the parts start and stop.

Listeners are bound first, while the process may still open privileged ports, but accept nobody until the store is open
and every part knows the records. On the way down nobody new is accepted, agents are told, and what is in flight may
finish. A restart in place goes the same way down, but leaves the sockets of the listeners to the program that follows.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ngrok_twisted.draining import DRAIN_POLL, DRAIN_TIMEOUT, RESTART_DRAIN, RESTART_POLL, Draining
from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.handover import Handover
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.net.listening import CannotListen, Listener
from ngrok_twisted.restart import Successor

SECONDS = 1

# Agents come back at once, or within a few seconds if a script has to start them again.
RESTART_RETURN = 5 * SECONDS

# Then agents that do not go, and events that nobody takes, are given up.
PARTING = 2 * SECONDS


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
        inherited: InheritedSockets | None = None,
        crew: Any = None,
        successor: Successor | None = None,
        restart_drain: float = RESTART_DRAIN,
        restart_return: float = RESTART_RETURN,
        since: float = 0.0,
    ) -> None:
        """
        :param state: the `ngrok_twisted.control.state.StateDirectory`, open.
        :param control: the `ngrok_twisted.control.service.Control`.
        :param plane: the `ngrok_twisted.edge.plane.EdgePlane`.
        :param transports: the services that let agents in, each with ``drain()``.
        :param parts: other services.
        :param listeners: where visitors and agents arrive.
        :param ready: called once everything accepts.
        :param inherited: sockets that are open already.
        :param crew: the `ngrok_twisted.crew.crew.Crew`, or ``None`` where there are no workers.
        :param successor: the `ngrok_twisted.restart.Successor`; without it there is no restart in place.
        :param restart_drain: seconds for what is in flight when the server is restarted in place.
        :param restart_return: seconds for agents to come back when it was.
        :param since: when nobody was accepted any more, in seconds since the epoch, if it was.
        """
        super().__init__()
        self._reactor = reactor
        self._state = state
        self._control = control
        self._plane = plane
        self._transports = transports
        self._listeners = listeners
        self._ready = ready
        self._inherited = inherited or InheritedSockets()
        self._crew = crew
        self._draining = Draining(reactor, plane)
        self._successor = successor
        self._restart_drain = restart_drain
        self._restart_return = restart_return
        self._since = since
        self._stopping: list[Deferred[None]] | None = None
        self._is_bound = self._is_shut = False
        self._accepts = self._restart_wanted = self._trying = False
        for part in (*parts, plane, *transports):
            part.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Bind every listener.

        :raises SystemExit: one cannot be bound; a sentence says which and why.
        """
        self._state.open()  # a daemon has another process id than the one that took the lock
        for listener in self._listeners:
            listener.adopt(self._inherited)
        self._inherited.close_configured()  # they may be in the way of others
        try:
            for listener in self._listeners:
                listener.bind()
        except CannotListen as error:
            _give_up(str(error))
        super().privilegedStartService()
        self._is_bound = True

    def startService(self) -> None:
        """
        Open the store, then accept.

        :raises SystemExit: as `privilegedStartService`, which ``python -m twisted`` leaves out.
        """
        if not self._is_bound:
            self.privilegedStartService()
        super().startService()
        # Not before the reactor runs: until then Ctrl-C is Python's, and would break in anywhere.
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        if self._crew is not None:
            self._crew.start()
        await self._control.open()
        if self._crew is not None:
            await self._crew.started()
        if self._stopping is not None:
            return
        for listener in self._listeners:
            listener.accept()
        self._plane.await_agents(self._restart_return)
        self._log.info("ready")
        if self._since:
            waited = max(0.0, self._reactor.seconds() - self._since)
            self._log.info("restarted in place: whoever connected meanwhile has waited {s:.3f} s at most", s=waited)
        self._ready()
        self._accepts = True
        if self._restart_wanted:
            self.restart()

    def _failed(self, failure: Any) -> None:
        if self._stopping is not None:
            self._log.debug("the start was given up: {reason}", reason=failure.getErrorMessage())
            return
        if failure.check(StoreUnusable, InvalidConfig):
            print(f"ngrok_twisted cannot start: {failure.value}", file=sys.stderr, flush=True)
        else:
            self._log.failure("ngrok_twisted cannot start", failure)
        self._end_with_error()

    def _end_with_error(self) -> None:
        self._reactor.addSystemEventTrigger("after", "shutdown", _exit_with_error)
        self._reactor.callWhenRunning(self._reactor.stop)

    # -- the way down

    def stopService(self) -> Deferred[None]:
        """
        Drain, then stop. A second call waits for the first, and a restart becomes a stop.

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
        await self._step(self._draining.greet)
        workers = self._drain_workers(DRAIN_TIMEOUT)
        for transport in self._transports:
            await self._step(transport.drain)
        visitors = self._plane.visitors
        await self._step(lambda: self._draining.drain(lambda: not visitors, DRAIN_TIMEOUT, DRAIN_POLL))
        await self._step(lambda: self._part_workers(workers))
        await self._stop_transports()  # agents go first: the others have something to do when they do
        await self._step(super().stopService)
        await self._step(self._control.close)
        await self._step(self._state.close)
        self._shut()

    def _shut(self) -> None:
        self._log.info("everything is shut")
        # twistd would end itself with the signal that stopped it; whoever supervises it is to see that all went well.
        self._reactor._exitSignal = None
        self._is_shut = True
        for waiting in self._stopping or ():
            waiting.callback(None)

    async def _stop_transports(self) -> None:
        """Who is disowned is stopped."""
        stopping = [Deferred.fromCoroutine(self._step(transport.disownServiceParent)) for transport in self._transports]
        for stopped in stopping:
            await stopped

    def _drain_workers(self, seconds: float) -> Any:
        """Have the workers let their visitors go while this process does so, too. Those who were dealt to them come first."""
        return None if self._crew is None else self._crew.drain(seconds)

    async def _part_workers(self, drained: Any) -> None:
        """Nobody has visitors any more: no agent is needed."""
        if self._crew is not None:
            await drained
            await self._crew.part()

    async def _step(self, work: Callable[[], Any]) -> None:
        """One step on the way down: where it fails, the others are still taken."""
        try:
            await maybeDeferred(work)
        except Exception:
            self._log.failure("a part did not stop as it should")

    # -- in place

    def restart(self) -> None:
        """
        Replace this program by what its command line starts now, without closing the sockets of listeners: whoever connects
        meanwhile waits in the kernel. Nothing happens but for a line in the log if it would not start.
        """
        self._restart_wanted = True
        if self._accepts and not self._trying and self._stopping is None and self._successor is not None:
            self._trying = True
            Deferred.fromCoroutine(self._restart(self._successor)).addErrback(self._not_replaced)

    async def _restart(self, successor: Successor) -> None:
        while self._restart_wanted and self._stopping is None:
            self._restart_wanted = False
            objection = await successor.objection(self._sockets())
            if self._stopping is None and not objection:
                return await self._replace(successor)
            if objection:
                self._log.error("not restarted, since it would not start again: {objection}", objection=objection)
        self._trying = False

    async def _replace(self, successor: Successor) -> None:
        waiting: list[Deferred[None]] = []
        self._stopping = waiting
        began = self._reactor.seconds()
        self._log.info("restarting in place: {count} visitors are still here", count=len(self._plane.visitors))
        for listener in self._listeners:
            listener.rest()
        online = self._plane.online()
        sockets = (*self._sockets(), *(("", descriptor) for descriptor in self._plane.hand_over()))
        await self._step(self._draining.greet)
        workers = self._drain_workers(self._restart_drain)
        visitors, seconds = self._plane.visitors, self._restart_drain
        await self._step(lambda: self._draining.drain(lambda: not visitors.busy, seconds, RESTART_POLL))
        for transport in self._transports:
            await self._step(transport.drain)
        await self._step(lambda: self._part_workers(workers))
        await self._step(self._part)
        for listener in self._listeners:
            if waiting or listener.hand_over() is None:
                await self._step(listener.close)
        await self._step(self._control.close)
        await self._step(self._state.close)
        successor.hold_signals()
        await deferLater(self._reactor, 0)  # whoever wanted a stop until now has said so when this is over
        self._is_shut = not waiting
        if waiting:
            self._shut()
            return
        self._log.info("everything but the sockets was shut in {s:.3f} s", s=self._reactor.seconds() - began)
        successor.take_over(Handover(sockets=sockets, since=began, online=online))

    def _not_replaced(self, failure: Any) -> None:
        """What is half shut serves nobody: end, so that whoever supervises the process starts it again."""
        self._trying = False
        if not failure.check(OSError):
            self._log.failure("the restart failed", failure)
        if self._stopping is not None:
            print(f"ngrok_twisted cannot be started again: {failure.value}", file=sys.stderr, flush=True)
            self._shut()
            self._end_with_error()

    def _sockets(self) -> tuple[tuple[str, int], ...]:
        found = [(listener.description, listener.hand_over()) for listener in self._listeners]
        return tuple((description, descriptor) for description, descriptor in found if descriptor is not None)

    async def _part(self) -> None:
        """
        Stop the services, without waiting for long: for agents no longer than some of them go. The others are stopped in any
        case, since they write down what happened.
        """
        gone = Deferred.fromCoroutine(self._stop_transports())
        left = -1
        while not gone.called and left != (left := sum(map(len, self._transports))):
            await self._draining.until(lambda: bool(gone.called), PARTING, RESTART_POLL)
        stopped = Deferred.fromCoroutine(self._step(super().stopService))
        await self._draining.until(lambda: bool(stopped.called), PARTING, RESTART_POLL)
        if not (gone.called and stopped.called):
            self._log.warn("not everything has stopped in time; it is left behind")


def _give_up(sentence: str) -> None:
    print(f"ngrok_twisted cannot start: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def _exit_with_error() -> None:
    # twistd takes a stopped reactor for a success, so that the status must be set past it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
