"""
Tests for `ngrok_twisted.server`.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.visitors import Visitors
from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.net.listening import CannotListen
from ngrok_twisted.records.base import Problem
from ngrok_twisted.server import DRAIN_TIMEOUT, Server


class Reactor(MemoryReactorClock):
    """Runs what waits for its start when it starts."""

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.waiting: list[Any] = []
        self.stopped = 0

    def callWhenRunning(self, f: Any, *args: Any, **kwargs: Any) -> None:
        if self.running:
            f(*args, **kwargs)
        else:
            self.waiting.append((f, args, kwargs))

    def begin(self) -> None:
        """It runs from now on."""
        self.running = True
        for f, args, kwargs in self.waiting:
            f(*args, **kwargs)

    def stop(self) -> None:
        assert self.running
        self.stopped += 1


class Part(Service):
    """A service that notes its life."""

    def __init__(self, name: str, events: list[str], stopping: Any = None) -> None:
        self.called = name
        self.events = events
        self.stopping = stopping

    def startService(self) -> None:
        super().startService()
        self.events.append(f"start {self.called}")

    def drain(self) -> None:
        self.events.append(f"drain {self.called}")

    def stopService(self) -> Any:
        super().stopService()
        self.events.append(f"stop {self.called}")
        return self.stopping


class Plane(Part):
    """With visitors."""

    def __init__(self, events: list[str]) -> None:
        super().__init__("plane", events)
        self.visitors = Visitors()


class Control:
    """A control whose store opens when the test says so."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.opened: Deferred[None] = Deferred()

    async def open(self) -> None:
        self.events.append("open")
        await self.opened

    async def close(self) -> None:
        self.events.append("close")


class State:
    """A state directory."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def open(self) -> None:
        self.events.append("lock")

    def close(self) -> None:
        self.events.append("unlock")


class Listening:
    """A listener."""

    def __init__(self, events: list[str], trouble: str = "") -> None:
        self.events = events
        self.trouble = trouble

    def bind(self) -> None:
        if self.trouble:
            raise CannotListen(self.trouble)
        self.events.append("bind")

    def accept(self) -> None:
        self.events.append("accept")

    def close(self) -> Any:
        self.events.append("unbind")
        return succeed(None)


class ServerCase(SynchronousTestCase):
    """A server made of parts that note what is done with them."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.reactor = Reactor()
        self.control = Control(self.events)
        self.plane = Plane(self.events)
        self.transport = Part("ssh", self.events)
        self.listener = Listening(self.events)
        self.server = Server(
            self.reactor,
            state=State(self.events),
            control=self.control,
            plane=self.plane,
            transports=[self.transport],
            parts=[Part("log", self.events)],
            listeners=[self.listener],
            ready=lambda: self.events.append("ready"),
        )
        self.error = io.StringIO()
        self.patch(sys, "stderr", self.error)

    def start(self) -> None:
        """As twistd does it: privileged, then not, then the reactor."""
        self.server.privilegedStartService()
        self.server.startService()
        self.reactor.begin()

    def run_up(self) -> None:
        """All the way up."""
        self.start()
        self.control.opened.callback(None)
        self.events.clear()


class StartTests(ServerCase):
    """The way up."""

    def test_order(self) -> None:
        """Addresses are taken first; nobody is let in before the store is open; then it says that it is ready."""
        self.start()
        self.assertEqual(self.events, ["lock", "bind", "start log", "start plane", "start ssh", "open"])
        self.control.opened.callback(None)
        self.assertEqual(self.events[6:], ["accept", "ready"])
        self.assertEqual(self.reactor.stopped, 0)

    def test_cannot_bind(self) -> None:
        """An address that cannot be had is one sentence and the exit status 1, before anything else starts."""
        self.listener.trouble = "listen.https (tcp:443): Permission denied"
        error = self.assertRaises(SystemExit, self.server.privilegedStartService)
        self.assertEqual(error.code, 1)
        self.assertEqual(
            self.error.getvalue(), "ngrok_twisted cannot start: listen.https (tcp:443): Permission denied\n"
        )
        self.assertEqual(self.events, ["lock"])

    def assertGivenUp(self, sentence: str) -> None:
        """It has said why, stops, and the process will end with the status 1."""
        self.assertEqual(self.error.getvalue(), sentence)
        self.assertEqual(self.reactor.stopped, 1)
        self.assertNotIn("accept", self.events)
        self.assertNotIn("ready", self.events)
        codes: list[int] = []
        self.patch(os, "_exit", codes.append)
        self.successResultOf(self.server.stopService())
        for trigger, args, kwargs in self.reactor.triggers["after"]["shutdown"]:
            trigger(*args, **kwargs)
        self.assertEqual(codes, [1])

    def test_store(self) -> None:
        """So is a store that cannot be used, though the reactor runs by then."""
        self.start()
        self.control.opened.errback(StoreUnusable("the database is a newer one"))
        self.assertGivenUp("ngrok_twisted cannot start: the database is a newer one\n")

    def test_before_the_reactor(self) -> None:
        """Or does not run yet: then it stops as soon as it does."""
        self.control.opened = fail(InvalidConfig([Problem("edges.tcp[0]", "port 20000 cannot be opened")]))
        self.start()
        self.assertGivenUp("ngrok_twisted cannot start: edges.tcp[0]: port 20000 cannot be opened\n")

    def test_bug(self) -> None:
        """A bug is logged with its traceback, and ends the process as well."""
        self.start()
        self.control.opened.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertGivenUp("")

    def test_stopped_meanwhile(self) -> None:
        """A server that is stopped before its store is open lets nobody in, and does not call that a failure."""
        for result in (None, StoreUnusable("closed")):
            self.setUp()
            self.start()
            self.successResultOf(self.server.stopService())
            self.control.opened.callback(result) if result is None else self.control.opened.errback(result)
            self.assertNotIn("accept", self.events)
            self.assertNotIn("ready", self.events)
            self.assertEqual((self.error.getvalue(), self.reactor.stopped), ("", 0))


class Visiting:
    """A visitor."""

    def __init__(self, visitors: Visitors) -> None:
        self.visitors = visitors
        self.events: list[str] = []
        visitors.arrived(self, lambda: self.events.append("drain"))

    def abort(self) -> None:
        self.events.append("abort")
        self.visitors.left(self)


class StopTests(ServerCase):
    """The way down."""

    def setUp(self) -> None:
        super().setUp()
        self.run_up()

    def test_order(self) -> None:
        """Nobody new, agents are told, visitors finish, parts stop from the outside in, the store is shut last."""
        self.assertIsNone(self.successResultOf(self.server.stopService()))
        self.assertEqual(self.events, ["unbind", "drain ssh", "stop ssh", "stop plane", "stop log", "close", "unlock"])
        self.assertFalse(self.server.running)

    def test_exit_status(self) -> None:
        """A signal that was obeyed is not what the process ends with: the exit status is to be 0."""
        self.reactor._exitSignal = 15  # type: ignore[attr-defined]
        self.successResultOf(self.server.stopService())
        self.assertIsNone(self.reactor._exitSignal)  # type: ignore[attr-defined]

    def test_drain(self) -> None:
        """Visitors are asked to finish; when the last one has gone, the rest goes on at once."""
        visitor = Visiting(self.plane.visitors)
        done = self.server.stopService()
        self.reactor.advance(1)
        self.assertEqual((visitor.events, self.events), (["drain"], ["unbind", "drain ssh"]))
        self.assertNoResult(done)
        self.plane.visitors.left(visitor)
        self.reactor.advance(0.1)
        self.successResultOf(done)
        self.assertEqual(visitor.events, ["drain"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_drain_timeout(self) -> None:
        """Visitors who do not finish are waited for half a minute, and then sent away."""
        visitor = Visiting(self.plane.visitors)
        done = self.server.stopService()
        self.reactor.pump([0.5] * (2 * DRAIN_TIMEOUT - 1))
        self.assertNoResult(done)
        self.reactor.pump([0.5] * 2)
        self.successResultOf(done)
        self.assertEqual(visitor.events, ["drain", "abort"])

    def test_twice(self) -> None:
        """A second stop waits for the first one, and does nothing twice."""
        visitor = Visiting(self.plane.visitors)
        first, second = self.server.stopService(), self.server.stopService()
        self.assertNoResult(second)
        self.plane.visitors.left(visitor)
        self.reactor.advance(0.1)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.server.stopService())
        self.assertEqual(len(self.events), len(set(self.events)))

    def test_slow_part(self) -> None:
        """The store is shut when the last part has stopped, not before."""
        self.transport.stopping = waiting = Deferred()
        done = self.server.stopService()
        self.assertNotIn("close", self.events)
        waiting.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.events[-2:], ["close", "unlock"])

    def test_broken_part(self) -> None:
        """A part that fails to stop is logged, and the others stop all the same."""

        def broken() -> None:
            raise ZeroDivisionError()

        self.transport.drain = broken  # type: ignore[method-assign]
        self.successResultOf(self.server.stopService())
        self.assertEqual(self.events[-2:], ["close", "unlock"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
