"""
The program of a worker: an edge with transports whose control plane is in the main process, which has started it.

The wire to the main process is an inherited descriptor, and all that a worker knows comes over it, but for the keys in the
state directory. When the wire ends, so does the worker.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.main import installReactor
from twisted.logger import Logger, globalLogBeginner
from twisted.python.filepath import FilePath
from twisted.web.resource import Resource

from ngrok_twisted.memory import settle  # before the others, for their sake

from ngrok_twisted.crew.abroad import AbroadOfWorker
from ngrok_twisted.crew.arrivals import Arrivals
from ngrok_twisted.crew.boot import BOOT, DRAIN, LEAVE, PART, PING, READY, WIRE_DESCRIPTOR, Boot
from ngrok_twisted.crew.records import Followed
from ngrok_twisted.crew.reports import NUMBERS, USED, ToldEvents, keys_asked, numbers, told_log
from ngrok_twisted.crew.reservations import RemoteReservations
from ngrok_twisted.crew.sessions import ToldSessions
from ngrok_twisted.crew.wire import Wire
from ngrok_twisted.draining import RESTART_POLL, Draining
from ngrok_twisted.errors import Misdirected
from ngrok_twisted.flow import number_flows
from ngrok_twisted.net.reactor import LeanEPollReactor
from ngrok_twisted.observability.scraping import Elsewhere
from ngrok_twisted.pages import gather_pages
from ngrok_twisted.places import api_host
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.serving import Serving, make_runtime
from ngrok_twisted.tunnels import Tunnels

_log = Logger()

SECONDS = 1

#: For what was said last to reach the main process, whose answer ends this one.
LAST_WORDS = 2 * SECONDS


class Worker:
    """
    One worker, from its `Boot` on.
    """

    _log = Logger()

    def __init__(self, boot: Boot, wire: Wire, reactor: Any) -> None:
        """
        :param wire: to the main process.
        """
        config = boot.config
        self._wire = wire
        self._reactor = reactor
        events = ToldEvents(wire)
        runtime = make_runtime(reactor, FilePath(config.state))
        self._serving = serving = Serving(config, runtime, Tunnels(), events, tickets=boot.tickets)
        self._plane = plane = serving.plane
        plane.front_ports = lambda: {*boot.ports, *plane.router.ports}
        self._place = boot.place
        self._draining = Draining(reactor, plane)
        followed, sessions = Followed(), ToldSessions(wire)
        reservations = RemoteReservations(wire, sessions)
        plane.host(api_host(config), _InMain())
        ssh, agents, agent_front = serving.let_agents_in(
            lambda: followed.records,
            reservations,
            sessions,
            lambda id, seconds: wire.send(USED, (id, seconds)),
            keys_asked(wire),
        )
        self._transports = (ssh, agents)
        self._abroad = AbroadOfWorker(boot.place, serving.tunnels, reactor, wire)
        self._abroad.share(serving)
        for handlers in (
            followed.handlers(),
            sessions.handlers(),
            reservations.handlers(),
            self._abroad.handlers(),
            Arrivals(plane, ssh.factory, agent_front, reactor).handlers(),
            {DRAIN: self._drain, PART: self._part, NUMBERS: self._numbers},
        ):
            wire.handlers.update(handlers)
        followed.subscribe(plane.apply)
        followed.subscribe(sessions.update)
        followed.subscribe(events.update)
        followed.subscribe(self._ready)
        self._is_ready = self._is_ended = False
        wire.when_lost(self._abandoned)
        for service in (*serving.parts, plane, *self._transports):
            service.startService()

    def leave(self) -> None:
        """Somebody wants this worker to be replaced: the main process says when."""
        self._wire.send(LEAVE)

    def _ready(self, records: Snapshot) -> None:
        """The records are here for the first time."""
        if not self._is_ready:
            self._is_ready = True
            settle()
            gather_pages(self._reactor)
            self._wire.send(READY)

    def _numbers(self, value: Any, _: int) -> Elsewhere:
        serving = self._serving
        visitors, turns = self._plane.visitors.by_proto, self._reactor.stalls
        return numbers(self._place, serving.flow_metrics, visitors, serving.context.kept, turns)

    # -- the way down --------------------------------------------------------------------------------------------------

    def _drain(self, seconds: float, _: int) -> Deferred[None]:
        """Let visitors go; agents stay, for those of the other processes."""
        return Deferred.fromCoroutine(self._let_go(seconds))

    async def _let_go(self, seconds: float) -> None:
        await self._draining.greet()
        for transport in self._transports:
            transport.drain()
        visitors = self._plane.visitors
        await self._draining.drain(lambda: not visitors.busy, seconds, RESTART_POLL)

    def _part(self, seconds: float, _: int) -> Deferred[None]:
        """Let agents go, and be done."""
        return Deferred.fromCoroutine(self._end(seconds))

    def _abandoned(self) -> None:
        """The main process is gone, and this one ends now; but what was logged is written."""
        if not self._is_ended:
            for part in self._serving.parts:
                part.stopService()

    async def _end(self, seconds: float) -> None:
        await self._draining.until(lambda: not len(self._abroad.relays), seconds, RESTART_POLL)
        for service in (*self._transports, self._plane, *self._serving.parts):
            try:
                await maybeDeferred(service.stopService)
            except Exception:
                self._log.failure("a part of a worker did not stop as it should")
        self._is_ended = True
        self._reactor.callLater(LAST_WORDS, self._reactor.stop)


class _InMain(Resource):
    """The server's own names are answered by the main process: who has come here on a connection for another asks again."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        """IResource."""
        raise Misdirected()


def main() -> None:
    """Run a worker until the main process is done with it."""
    os.umask(0o077)
    reactor = LeanEPollReactor()
    installReactor(reactor)
    workers: list[Worker] = []
    end = socket.socket(fileno=WIRE_DESCRIPTOR)
    end.set_inheritable(False)
    wire = Wire(reactor, end, "the main process", {PING: lambda value, _: None})

    def begin(boot: Boot, _: int) -> None:
        number_flows(boot.place)
        try:
            workers.append(Worker(boot, wire, reactor))
        except Exception:
            _log.failure("a worker could not begin")
            wire.close()

    wire.handlers[BOOT] = begin
    wire.when_lost(lambda: reactor.callWhenRunning(reactor.stop))
    globalLogBeginner.beginLoggingTo([told_log(wire)], redirectStandardIO=False)
    reactor.callWhenRunning(wire.start)

    def leave() -> None:
        for worker in workers:
            worker.leave()

    signal.signal(signal.SIGTERM, lambda number, frame: reactor.callFromThread(leave))
    reactor.run(installSignalHandlers=False)
    sys.stdout.flush()
