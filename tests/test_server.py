"""
Tests for `ngrok_twisted.server`.
"""

from __future__ import annotations

import gc
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
from ngrok_twisted.handover import Handover
from ngrok_twisted.net.listening import CannotListen
from ngrok_twisted.records.base import Problem

from ngrok_twisted.draining import DRAIN_TIMEOUT, GREETING
from ngrok_twisted.server import PARTING, Server


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

    def __len__(self) -> int:
        return 0  # agents that are here

    def drain(self) -> None:
        self.events.append(f"drain {self.called}")

    def stopService(self) -> Any:
        super().stopService()
        self.events.append(f"stop {self.called}")
        return self.stopping


class Plane(Part):
    """With visitors, and a public port."""

    def __init__(self, events: list[str]) -> None:
        super().__init__("plane", events)
        self.visitors = Visitors()

    def await_agents(self, seconds: float) -> None:
        self.events.append(f"await agents for {seconds:g} s")

    def online(self) -> dict[str, Any]:
        return {"urls": ["app.example.com"]}

    def hand_over(self) -> list[int]:
        self.events.append("hand over ports")
        return [9]


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

    description = "tcp:443"
    descriptor: int | None = 8

    def __init__(self, events: list[str], trouble: str = "") -> None:
        self.events = events
        self.trouble = trouble

    def adopt(self, inherited: Any) -> None:
        self.events.append("adopt")

    def rest(self) -> None:
        self.events.append("rest")

    def hand_over(self) -> int | None:
        return self.descriptor

    def bind(self) -> None:
        if self.trouble:
            raise CannotListen(self.trouble)
        self.events.append("bind")

    def accept(self) -> None:
        self.events.append("accept")

    def close(self) -> Any:
        self.events.append("unbind")
        return succeed(None)


class Inherited:
    """Sockets from before."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def close_configured(self) -> None:
        self.events.append("close what is left")


class Next:
    """What is started instead."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.asked: list[Any] = []
        self.trouble: Exception | None = None
        self.handovers: list[Handover] = []

    def objection(self, sockets: Any) -> Deferred[str]:
        answer: Deferred[str] = Deferred()
        self.asked.append((sockets, answer))
        return answer

    def answer(self, objection: str = "") -> None:
        """Say whether it would start."""
        self.asked[-1][1].callback(objection)

    def hold_signals(self) -> None:
        self.events.append("hold signals")

    def take_over(self, handover: Handover) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.events.append("replaced")
        self.handovers.append(handover)


class ServerCase(SynchronousTestCase):
    """A server made of parts that note what is done with them."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.reactor = Reactor()
        self.control = Control(self.events)
        self.plane = Plane(self.events)
        self.transport = Part("ssh", self.events)
        self.listener = Listening(self.events)
        self.next = Next(self.events)
        self.server = Server(
            self.reactor,
            state=State(self.events),
            control=self.control,
            plane=self.plane,
            transports=[self.transport],
            parts=[Part("log", self.events)],
            listeners=[self.listener],
            ready=lambda: self.events.append("ready"),
            inherited=Inherited(self.events),  # type: ignore[arg-type]
            successor=self.next,  # type: ignore[arg-type]
            restart_drain=3,
            restart_return=5,
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
        first = ["lock", "adopt", "close what is left", "bind", "start log", "start plane", "start ssh", "open"]
        self.assertEqual(self.events, first)
        self.control.opened.callback(None)
        self.assertEqual(self.events[len(first) :], ["accept", "await agents for 5 s", "ready"])
        self.assertEqual(self.reactor.stopped, 0)

    def test_without_privileges(self) -> None:
        """Where nobody calls the privileged start, addresses are taken by the other one; and never twice."""
        self.server.startService()
        self.assertEqual(self.events[:4], ["lock", "adopt", "close what is left", "bind"])
        self.assertEqual(self.events.count("bind"), 1)

    def test_cannot_bind(self) -> None:
        """An address that cannot be had is one sentence and the exit status 1, before anything else starts."""
        self.listener.trouble = "listen.https (tcp:443): Permission denied"
        error = self.assertRaises(SystemExit, self.server.privilegedStartService)
        self.assertEqual(error.code, 1)
        self.assertEqual(
            self.error.getvalue(), "ngrok_twisted cannot start: listen.https (tcp:443): Permission denied\n"
        )
        self.assertEqual(self.events, ["lock", "adopt", "close what is left"])

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
        visitors.arrived(self)

    def shut_down(self) -> None:
        self.events.append("drain")

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

    def test_just_let_in(self) -> None:
        """Who was let in and has not said what it wants gets a moment to say it."""
        newcomer = Arriving()
        self.reactor.addReader(Reader(newcomer))  # type: ignore[arg-type]
        done = self.server.stopService()
        self.reactor.advance(0.5)
        self.assertEqual(self.events, ["unbind"])
        newcomer.arriving = False
        self.reactor.advance(0.1)
        self.successResultOf(done)

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


class Reader:
    """A connection, as the reactor knows it."""

    def __init__(self, protocol: Any = None) -> None:
        if protocol is not None:
            self.protocol = protocol


class Arriving:
    """A protocol that does not know yet whose visitor it has."""

    arriving = True
    told = False

    def shut_down(self) -> None:
        self.told = True


class Workers:
    """Workers."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.ready: Deferred[None] = Deferred()
        self.drained: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def start(self) -> None:
        self.events.append("start workers")

    def started(self) -> Deferred[None]:
        return self.ready

    def drain(self, seconds: float) -> Deferred[None]:
        self.events.append(f"drain workers {seconds:g}")
        return self.drained

    def part(self) -> Deferred[None]:
        self.events.append("end workers")
        return self.ended


class WorkersTests(ServerCase):
    """A server with workers."""

    def setUp(self) -> None:
        super().setUp()
        self.server._crew = self.workers = Workers(self.events)

    def test_up(self) -> None:
        """They are started while the store is opened, and nobody is let in before they are there."""
        self.start()
        self.assertEqual(self.events[-2:], ["start workers", "open"])
        self.control.opened.callback(None)
        self.assertNotIn("accept", self.events)
        self.workers.ready.callback(None)
        self.assertEqual(self.events[-1], "ready")

    def test_stopped_meanwhile(self) -> None:
        """A server that is stopped while it waits for them lets nobody in."""
        self.start()
        self.control.opened.callback(None)
        self.server.stopService()
        self.workers.ready.callback(None)
        self.assertNotIn("accept", self.events)

    def test_down(self) -> None:
        """Visitors are let go everywhere, then agents in the workers, then what they may need of this process."""
        self.workers.ready.callback(None)
        self.run_up()
        done = self.server.stopService()
        self.assertEqual(self.events, ["unbind", "drain workers 30", "drain ssh"])
        self.workers.drained.callback(None)
        self.assertEqual(self.events[3:], ["end workers"])
        self.assertNoResult(done)
        self.workers.ended.callback(None)
        self.assertEqual(self.events[4:], ["stop ssh", "stop plane", "stop log", "close", "unlock"])
        self.successResultOf(done)

    def test_replaced(self) -> None:
        """So it is in a restart in place, in the time that such a restart has."""
        self.workers.ready.callback(None)
        self.run_up()
        self.server.restart()
        self.next.answer()
        self.assertIn("drain workers 3", self.events)
        self.assertNotIn("stop ssh", self.events)
        self.workers.drained.callback(None)
        self.workers.ended.callback(None)
        self.assertIn("stop ssh", self.events)
        self.assertLess(self.events.index("end workers"), self.events.index("stop ssh"))


class RestartTests(ServerCase):
    """Another program in the same process."""

    def setUp(self) -> None:
        super().setUp()
        self.readers: list[Any] = [Reader(), Reader(object())]
        self.reactor.getReaders = lambda: self.readers  # type: ignore[method-assign]
        self.run_up()

    def settle(self) -> None:
        """A few turns of the reactor, without waiting."""
        self.reactor.pump([0] * 10)

    def test_order(self) -> None:
        """First it is tried; then nobody new, visitors finish, agents are told, all is shut but for the sockets."""
        self.server.restart()
        self.assertEqual((self.events, self.next.asked[0][0]), ([], (("tcp:443", 8),)))
        self.reactor.advance(100)
        self.assertEqual(self.events, [])
        began = self.reactor.seconds()
        self.next.answer()
        self.settle()
        down = ["rest", "hand over ports", "drain ssh", "stop ssh", "stop plane", "stop log", "close", "unlock"]
        self.assertEqual(self.events, [*down, "hold signals", "replaced"])
        online = {"urls": ["app.example.com"]}
        handover = Handover(sockets=(("tcp:443", 8), ("", 9)), since=began, online=online)
        self.assertEqual(self.next.handovers, [handover])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """What would not start is not started: one line says why, nothing else happens, and it can be tried again."""
        self.server.restart()
        said: list[Any] = []
        self.patch(self.server, "_log", Log(said))
        self.next.answer("config.yaml:1: domian: is not a known key")
        self.assertEqual(
            said, ["not restarted, since it would not start again: config.yaml:1: domian: is not a known key"]
        )
        self.assertEqual((self.events, self.server._stopping), ([], None))
        self.server.restart()
        self.next.answer()
        self.settle()
        self.assertIn("replaced", self.events)

    def test_twice(self) -> None:
        """Whoever wants one while the first is tried gets another try if that fails, and nothing more if it does not."""
        for _ in range(3):
            self.server.restart()
        self.assertEqual(len(self.next.asked), 1)
        self.next.answer("no")
        self.assertEqual(len(self.next.asked), 2)
        self.server.restart()
        self.next.answer()
        self.server.restart()
        self.settle()
        self.assertEqual((len(self.next.asked), self.events.count("replaced")), (2, 1))

    def test_too_early(self) -> None:
        """Before it is ready it cannot be restarted; it is as soon as it is ready."""
        super().setUp()
        self.start()
        self.server.restart()
        self.assertEqual(self.next.asked, [])
        self.control.opened.callback(None)
        self.assertEqual(len(self.next.asked), 1)

    def test_no_successor(self) -> None:
        """Where it is not known how the process was started, nothing happens."""
        self.server._successor = None
        self.server.restart()
        self.assertEqual(self.events, [])

    def test_visitors(self) -> None:
        """Visitors may finish, agents being there as long; then it goes on at once."""
        visitor = Visiting(self.plane.visitors)
        self.server.restart()
        self.next.answer()
        self.reactor.advance(1)
        self.assertEqual((visitor.events, self.events), (["drain"], ["rest", "hand over ports"]))
        self.plane.visitors.left(visitor)
        self.reactor.advance(0.1)
        self.settle()
        self.assertIn("replaced", self.events)

    def test_slow_visitors(self) -> None:
        """Those who do not finish in time are sent away."""
        visitor = Visiting(self.plane.visitors)
        self.server.restart()
        self.next.answer()
        self.reactor.pump([0.5] * 5)
        self.assertNotIn("drain ssh", self.events)
        self.reactor.pump([0.5] * 2)
        self.assertEqual((visitor.events[-1], self.events[-1]), ("abort", "replaced"))

    def test_just_let_in(self) -> None:
        """Who was let in and has not said what it wants gets a moment to say it, not more."""
        for known in (False, True):
            self.setUp()
            newcomer = Arriving()
            if known:
                self.plane.visitors.arrived(newcomer)
            else:
                self.readers.append(Reader(newcomer))
            self.server.restart()
            self.next.answer()
            self.reactor.advance(0.5)
            self.assertNotIn("drain ssh", self.events)
            self.assertFalse(newcomer.told)
            self.plane.visitors.left(newcomer)
            self.readers.clear()
            self.reactor.advance(0.1)
            self.settle()
            self.assertIn("replaced", self.events)
        self.setUp()
        self.readers.append(Reader(Arriving()))
        self.server.restart()
        self.next.answer()
        self.reactor.pump([0.02] * round(GREETING / 0.02 + 5))
        self.assertIn("replaced", self.events)

    def test_slow_part(self) -> None:
        """A part that does not stop is left behind after a while; the store is shut in any case."""
        self.transport.stopping = Deferred()
        self.server.restart()
        self.next.answer()
        self.reactor.pump([0.1] * round(PARTING / 0.1 - 1))
        self.assertNotIn("close", self.events)
        self.reactor.pump([0.1] * 3)
        self.assertEqual(self.events[-4:], ["close", "unlock", "hold signals", "replaced"])

    def test_slow_agents(self) -> None:
        """Agents who do not go keep nobody else from being told to stop."""
        self.transport.stopping = Deferred()
        self.server.restart()
        self.next.answer()
        self.reactor.pump([0.1] * round(PARTING / 0.1 + 3))
        self.assertEqual([event for event in self.events if event.startswith("stop ")][-2:], ["stop plane", "stop log"])

    def test_broken_part(self) -> None:
        """A part that fails to stop is logged, and the others stop all the same."""
        self.transport.stopping = fail(ZeroDivisionError())
        self.server.restart()
        self.next.answer()
        self.settle()
        self.assertEqual(self.events[-1], "replaced")
        del self.transport.stopping
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_other_listeners(self) -> None:
        """A listener whose socket cannot be handed over is closed, so that it can be opened anew."""
        self.listener.descriptor = None
        self.server.restart()
        self.next.answer()
        self.settle()
        self.assertIn("unbind", self.events)
        self.assertEqual(self.next.handovers[0].sockets, (("", 9),))

    def test_stopped_meanwhile(self) -> None:
        """Who is told to stop meanwhile stops, at whatever moment; nothing is started again."""
        for moment in ("trying", "visitors", "parts", "signals"):
            self.setUp()
            visitor = Visiting(self.plane.visitors)
            self.server.restart()
            if moment == "trying":
                done = self.server.stopService()
                self.plane.visitors.left(visitor)
                self.next.answer()
            elif moment == "visitors":
                self.next.answer()
                done = self.server.stopService()
                self.plane.visitors.left(visitor)
            elif moment == "parts":
                self.plane.visitors.left(visitor)
                self.transport.stopping = stopping = Deferred()
                self.next.answer()
                done = self.server.stopService()
                self.assertNoResult(done)
                stopping.callback(None)
            else:
                self.plane.visitors.left(visitor)
                stops: list[Any] = []
                self.patch(self.next, "hold_signals", lambda: stops.append(self.server.stopService()))
                self.next.answer()
                self.reactor.advance(0.1)
                self.settle()
                (done,) = stops
            self.reactor.advance(0.1)
            self.settle()
            self.successResultOf(done)
            self.assertNotIn("replaced", self.events, moment)
            self.assertEqual(self.events.count("unlock"), 1)

    def assertEnded(self, sentence: str) -> None:
        """It has said why, and the process ends with the status 1."""
        self.assertEqual(self.error.getvalue(), sentence)
        self.assertEqual(self.reactor.stopped, 1)
        self.successResultOf(self.server.stopService())
        codes: list[int] = []
        self.patch(os, "_exit", codes.append)
        for trigger, args, kwargs in self.reactor.triggers["after"]["shutdown"]:
            trigger(*args, **kwargs)
        self.assertEqual(codes, [1])

    def test_cannot_be_replaced(self) -> None:
        """Where the other program cannot be run after all, the process ends with an error that says so."""
        self.next.trouble = FileNotFoundError(2, "No such file or directory", "/opt/python")
        self.server.restart()
        self.next.answer()
        self.settle()
        self.assertEnded("ngrok_twisted cannot be started again: [Errno 2] No such file or directory: '/opt/python'\n")

    def test_defect(self) -> None:
        """So it does after a defect, whose traceback is logged."""

        def broken() -> None:
            raise ZeroDivisionError("oh")

        self.plane.hand_over = broken  # type: ignore[method-assign, assignment]
        self.server.restart()
        self.next.answer()
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEnded("ngrok_twisted cannot be started again: oh\n")

    def test_defect_before(self) -> None:
        """A defect before anything was stopped is logged, and it goes on."""
        self.server.restart()
        self.next.asked[-1][1].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.error.getvalue(), self.reactor.stopped), ("", 0))
        self.server.restart()
        self.assertEqual(len(self.next.asked), 2)

    def test_how_long(self) -> None:
        """The program that follows says how long visitors had to wait."""
        said: list[str] = []
        self.reactor.advance(10)
        self.server._since = 8.75
        self.patch(self.server, "_log", Log(said))
        Deferred.fromCoroutine(self.server._start())
        self.assertIn("restarted in place: whoever connected meanwhile has waited 1.250 s at most", said)


class Log:
    """Keeps what is logged, as text."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def info(self, text: str, **fields: Any) -> None:
        self.said.append(text.format(**fields))

    error = warn = info
