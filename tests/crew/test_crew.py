"""
Tests of `ngrok_twisted.crew.crew` and `ngrok_twisted.crew.child`: with processes that the test plays.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config
from ngrok_twisted.crew.boot import BOOT, DRAIN, LEAVE, PART, PING, READY, Boot, boot_of
from ngrok_twisted.crew.child import EXIT, PULSE, START_MAX
from ngrok_twisted.crew.crew import FIRST_PAUSE, LONGEST_PAUSE, SLACK, SOON, START_WAIT, Crew
from ngrok_twisted.crew.wire import STUCK, Wire
from tests.crew.wires import FakeReactor


class Process:
    """
    A worker's process.

    :ivar protocol: what is told of it.
    :ivar wire: its end.
    :ivar asked: what it was asked, with the Deferreds of its answers.
    """

    def __init__(self, reactor: Any, protocol: Any, end: socket.socket, environment: Any) -> None:
        self.protocol = protocol
        self.environment = environment
        self.signals: list[str] = []
        self.boots: list[Boot] = []
        self.asked: list[tuple[str, Any, Deferred[Any]]] = []
        self.answers_pings = True
        self.runs = True
        self.wire = Wire(
            reactor,
            end,
            "main",
            {
                BOOT: lambda boot, _: self.boots.append(boot),
                DRAIN: lambda value, _: self.ask(DRAIN, value),
                PART: lambda value, _: self.ask(PART, value),
                PING: lambda value, _: None if self.answers_pings else Deferred(),
            },
        )
        self.wire.start()

    def ask(self, kind: str, value: Any) -> Deferred[Any]:
        """A question, which the test answers."""
        self.asked.append((kind, value, Deferred()))
        return self.asked[-1][2]

    def closeStdin(self) -> None:
        """IProcessTransport."""

    def signalProcess(self, name: str) -> None:
        """IProcessTransport."""
        if not self.runs:
            raise ProcessExitedAlready()
        self.signals.append(name)

    def end(self, reason: Any = None) -> None:
        """It is gone."""
        self.runs = False
        self.wire.close()
        self.protocol.processEnded(Failure(reason or ProcessDone(0)))


class Reactor(FakeReactor):
    """Starts processes that the test plays."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []
        self.fails = 0

    def spawnProcess(self, protocol: Any, program: str, line: Any, environment: Any, childFDs: Any) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("no process left")
        assert sorted(childFDs) == [0, 1, 2, 3]
        process = Process(self, protocol, socket.socket(fileno=os.dup(childFDs[3])), environment)
        protocol.transport = process
        protocol.connectionMade()
        self.processes.append(process)

    def turns(self, number: int = 6) -> None:
        """Let what is said arrive."""
        for _ in range(number):
            self.turn()


class CrewTests(SynchronousTestCase):
    """`Crew`."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.reactor.advance(1_000_000)
        self.followed: list[Wire] = []
        self.told: list[Any] = []
        self.crew = Crew(
            self.reactor,
            2,
            lambda place: boot_of(place, Config(), (443,), b"secret"),
            self.followed.append,
            lambda place: self.told.append(("expect", place)),
            3.0,
        )
        self.crew.subscribe(
            lambda place, wire: self.told.append(("ready", place)), lambda place: self.told.append(("gone", place))
        )
        self.heard: list[Any] = []
        self.crew.handlers_for.append(
            lambda place, wire: {"say": lambda value, descriptor: self.heard.append((place, value))}
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        """Nothing stays behind."""
        for process in self.reactor.processes:
            if process.runs:
                process.end()

    def begin(self, ready: bool = True) -> list[Process]:
        """The workers are started."""
        self.crew.start()
        self.reactor.turns()
        if ready:
            for process in self.reactor.processes:
                process.wire.send(READY)
            self.reactor.turns()
        return self.reactor.processes

    def test_started(self) -> None:
        """Each worker is told its place and the configuration, follows the records, and counts when it is ready."""
        first, second = self.begin(ready=False)
        self.assertEqual([process.boots[0].place for process in (first, second)], [1, 2])
        self.assertEqual((first.boots[0].ports, first.boots[0].tickets), ((443,), b"secret"))
        self.assertNotIn("secret", repr(first.boots[0]))
        self.assertEqual(len(self.followed), 2)
        started = Deferred.fromCoroutine(self.crew.started())
        first.wire.send(READY)
        self.reactor.turns()
        self.assertNoResult(started)
        second.wire.send(READY)
        second.wire.send("say", "hello")
        self.reactor.turns()
        self.assertIsNone(self.successResultOf(started))
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.crew.started())))
        self.assertEqual((self.told, self.heard), ([("ready", 1), ("ready", 2)], [(2, "hello")]))
        self.assertEqual([*self.crew.wires], [1, 2])

    def test_slow_start(self) -> None:
        """A start does not wait for ever; a worker that never becomes ready is killed in the end, and another is started."""
        first, second = self.begin(ready=False)
        started = Deferred.fromCoroutine(self.crew.started())
        first.wire.send(READY)
        self.reactor.turns()
        self.reactor.advance(START_WAIT)
        self.assertIsNone(self.successResultOf(started))
        self.reactor.advance(START_MAX - START_WAIT)
        self.assertEqual(second.signals, ["KILL"])

    def test_dies(self) -> None:
        """A worker that dies is gone at once, and another takes its place, under another number."""
        first, second = self.begin()
        first.wire.close()
        self.reactor.turns()
        self.assertEqual((self.told[2:], [*self.crew.wires]), ([("gone", 1)], [2]))
        self.assertEqual(first.signals, ["KILL"])
        first.end(ProcessTerminated(signal=9))
        self.reactor.advance(FIRST_PAUSE)
        self.reactor.turns()
        third = self.reactor.processes[2]
        third.wire.send(READY)
        self.reactor.turns()
        self.assertEqual((third.boots[0].place, [*self.crew.wires]), (3, [2, 3]))

    def test_pauses(self) -> None:
        """One that dies again and again is started less and less often, and at once again after it has lived for a while."""
        self.begin()
        pauses = []
        for lives in (0.0,) * 10 + (SOON + 1, 0.0):
            self.reactor.advance(lives)
            started = len(self.reactor.processes)
            self.reactor.processes[-1].end()
            waited = 0.0
            while len(self.reactor.processes) == started:
                self.reactor.advance(FIRST_PAUSE)
                waited += FIRST_PAUSE
            pauses.append(round(waited, 1))
        wanted = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, *[LONGEST_PAUSE] * 3, 0.1, 0.2]
        for found, pause in zip(pauses, wanted, strict=True):
            self.assertApproximates(found, pause, 0.15)

    def test_no_process(self) -> None:
        """Where none can be started now, it is tried again later."""
        self.reactor.fails = 1
        self.begin()
        self.assertEqual(len(self.reactor.processes), 1)
        self.reactor.advance(FIRST_PAUSE)
        self.assertEqual(len(self.reactor.processes), 2)

    def test_no_descriptor(self) -> None:
        """The same where there is no descriptor left for the wire."""

        def none() -> Any:
            raise OSError("too many open files")

        self.patch(socket, "socketpair", none)
        self.crew.start()
        self.assertEqual(self.reactor.processes, [])
        self.reactor.advance(FIRST_PAUSE)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 2)

    def test_hangs(self) -> None:
        """A worker that gives no sign of life is killed; one that does is asked again."""
        first, second = self.begin()
        for _ in range(3):
            self.reactor.advance(PULSE)
            self.reactor.turns()
        self.assertEqual([*self.crew.wires], [1, 2])
        first.answers_pings = False
        self.reactor.advance(PULSE)
        self.reactor.turns()
        self.reactor.advance(STUCK - PULSE)
        self.reactor.turns()
        self.reactor.advance(PULSE)
        self.reactor.turns()
        self.assertEqual((first.signals, second.signals, [*self.crew.wires]), (["KILL"], [], [2]))

    def test_replaced(self) -> None:
        """A worker that is to be replaced goes on until another is ready; then its visitors go, and then its agents."""
        first, _ = self.begin()
        first.wire.send(LEAVE)
        first.wire.send(LEAVE)
        self.reactor.turns()
        self.assertEqual((len(self.reactor.processes), [*self.crew.wires]), (3, [1, 2]))
        self.reactor.processes[2].wire.send(READY)
        self.reactor.turns()
        self.assertEqual(self.told[2:], [("ready", 3), ("expect", 1)])
        self.assertEqual([*self.crew.wires], [2, 3])
        self.assertEqual([(kind, value) for kind, value, _ in first.asked], [(DRAIN, 3.0)])
        first.asked[0][2].callback(None)
        self.reactor.turns()
        self.assertEqual(self.told[4:], [("gone", 1)])
        self.assertEqual([kind for kind, _, _ in first.asked], [DRAIN, PART])
        first.asked[1][2].callback(None)
        self.reactor.turns()
        self.assertTrue(first.wire.is_lost)
        self.assertEqual(first.signals, [])
        first.end()
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual((len(self.reactor.processes), self.told[5:]), (3, []))

    def test_stop(self) -> None:
        """At the end all let their visitors go, and then their agents; none is started any more, and all are waited for."""
        first, second = self.begin()
        drained = self.crew.drain(30.0)
        self.reactor.turns()
        for process in (first, second):
            self.assertEqual([(kind, value) for kind, value, _ in process.asked], [(DRAIN, 30.0)])
            self.assertNoResult(drained)
            process.asked[0][2].callback(None)
            self.reactor.turns()
        self.successResultOf(drained)
        ended = self.crew.part()
        self.reactor.turns()
        for process in (first, second):
            process.asked[1][2].callback(None)
        self.reactor.turns()
        first.end()
        self.assertNoResult(ended)
        second.end()
        self.successResultOf(ended)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual((len(self.reactor.processes), self.reactor.getDelayedCalls()), (2, []))

    def test_stop_in_the_middle(self) -> None:
        """Whatever workers are doing when the end comes, it comes: one dies, one is being replaced, one is not ready yet."""
        first, second = self.begin()
        second.end()
        first.wire.send(LEAVE)
        self.reactor.turns()
        third = self.reactor.processes[2]
        drained = self.crew.drain(30.0)
        self.reactor.turns()
        third.wire.send(READY)
        self.reactor.advance(30.0 + SLACK)
        self.reactor.turns()
        self.successResultOf(drained)
        ended = self.crew.part()
        self.reactor.turns()
        self.reactor.advance(3.0 + SLACK)
        self.reactor.turns()
        self.reactor.advance(EXIT)
        self.assertEqual((first.signals, third.signals), (["KILL"], ["KILL"]))
        first.end()
        third.end()
        self.successResultOf(ended)
        self.assertNotIn(("ready", 3), self.told)
        self.reactor.advance(LONGEST_PAUSE + START_WAIT)
        self.assertEqual((len(self.reactor.processes), self.reactor.getDelayedCalls()), (3, []))

    def test_cannot_be_killed(self) -> None:
        """A process that not even a kill ends is not waited for for ever."""
        first, second = self.begin()
        second.end()
        self.crew.drain(1.0)
        self.reactor.turns()
        ended = self.crew.part()
        self.reactor.turns()
        first.asked[-1][2].callback(None)
        self.reactor.turns()
        self.reactor.advance(EXIT)
        self.assertEqual(first.signals, ["KILL"])
        self.assertNoResult(ended)
        self.reactor.advance(SLACK)
        self.successResultOf(ended)
        first.end()

    def test_answers(self) -> None:
        """All can be asked at once; one that does not answer in time is left out."""
        first, second = self.begin()
        first.wire.handlers["number"] = lambda value, _: 7
        second.wire.handlers["number"] = lambda value, _: Deferred()
        asked = self.crew.ask_all("number", 2.0)
        self.reactor.turns()
        self.assertNoResult(asked)
        self.reactor.advance(2.0)
        self.assertEqual(self.successResultOf(asked), [7])

    def test_failing_part(self) -> None:
        """A part that cannot deal with a worker does not keep the others from it."""
        self.crew._listeners.insert(0, (lambda place, wire: 1 / 0, lambda place: None))
        self.begin()
        self.assertEqual(self.told, [("ready", 1), ("ready", 2)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_printed(self) -> None:
        """What a worker prints, since it could not say it otherwise, is in the log."""
        lines: list[str] = []
        first, _ = self.begin()
        self.patch(type(first.protocol), "_log", Warnings(lines))
        first.protocol.childDataReceived(2, b"Trace")
        first.protocol.childDataReceived(2, b"back\nValueError: x")
        first.end()
        self.assertEqual(lines, ["Traceback", "ValueError: x"])


class Warnings:
    """A log that keeps its warnings."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def warn(self, format: str, **fields: Any) -> None:
        self.lines.append(fields["line"])

    def info(self, format: str, **fields: Any) -> None:
        pass
