"""Tests of the lean reactor."""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionFdescWentAway, ReactorNotRunning, UnsupportedAddressFamily
from twisted.internet.interfaces import IReactorSocket, IReactorTCP
from zope.interface.verify import verifyObject

from ngrok_twisted.net.accepting import EagerPort
from ngrok_twisted.net.reactor import CANCELLED, LONGEST, TURN
from tests.net.loop import LoopCase, Recorder


class Reading(FileDescriptor):
    """The read end of a pipe, whose `doRead` does as the test says."""

    def __init__(self, reactor: Any, behaviour: Any) -> None:
        super().__init__(reactor)
        self.fd, self.other = os.pipe()
        self.fileno = lambda: self.fd  # type: ignore[method-assign]
        self.behaviour = behaviour
        self.lost: Any = None
        self.read_lost: Any = None
        self.connected = 1

    def doRead(self) -> Any:
        return self.behaviour()

    def doWrite(self) -> Any:
        return self.behaviour()

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        self.lost = reason

    def readConnectionLost(self, reason: Any) -> None:
        self.read_lost = reason

    def logPrefix(self) -> str:
        return "the pipe"


class LeanEPollReactorTests(LoopCase):
    """`LeanEPollReactor`."""

    def reading(self, behaviour: Any) -> Reading:
        selectable = Reading(self.reactor, behaviour)
        self.addCleanup(os.close, selectable.other)
        self.addCleanup(os.close, selectable.fd)
        self.reactor.addReader(selectable)
        os.write(selectable.other, b"x")
        return selectable

    def test_interfaces(self) -> None:
        """It is a reactor with TCP and adopted sockets."""
        verifyObject(IReactorTCP, self.reactor)
        verifyObject(IReactorSocket, self.reactor)

    def test_turns_are_counted_without_the_wait(self) -> None:
        """A turn that keeps everybody waiting is noted with its length; waiting for events is no part of it."""
        stalls = self.reactor.stalls
        self.reactor.iterate(0.05)
        stalls.take_longest()
        turns, seconds = stalls.turns, stalls.seconds
        busy = self.reading(lambda: time.sleep(0.01))
        self.turn()
        self.reactor.removeReader(busy)
        self.turn()
        self.assertGreaterEqual(stalls.turns, turns + 2)
        self.assertGreaterEqual(stalls.seconds - seconds, 0.01)
        self.assertGreaterEqual(stalls.take_longest(), 0.01)
        stalls.woken = time.monotonic()
        before = stalls.seconds
        self.reactor.doPoll(0.05)
        self.reactor.doPoll(0)
        self.assertLess(stalls.seconds - before, 0.05)

    def test_long_turn_is_cut(self) -> None:
        """What has not had its turn in time is served in the next one, before anybody who has just been; nobody is left out."""
        served: list[int] = []

        def serve(number: int) -> None:
            served.append(number)
            time.sleep(0.6 * TURN)

        for number in range(5):
            self.reading(lambda number=number: serve(number))
        while len(served) < 5:
            before = len(served)
            self.reactor.doPoll(0)
            self.assertLessEqual(len(served) - before, 2)
        self.assertEqual(sorted(served), [0, 1, 2, 3, 4])
        self.reactor.removeAll()

    def test_cut_turn_and_changes(self) -> None:
        """Who has gone meanwhile, or wants to read no more, is not served."""
        served: list[int] = []
        everybody: list[Reading] = []

        def serve(number: int) -> None:
            served.append(number)
            time.sleep(1.2 * TURN)

        everybody += [self.reading(lambda number=number: serve(number)) for number in range(3)]
        self.reactor.doPoll(0)
        for number in {0, 1, 2} - {*served}:
            self.reactor.removeReader(everybody[number])
        self.reactor.doPoll(0)
        self.assertEqual(len(served), 1)
        self.reactor.removeAll()

    def test_exception_is_logged_with_its_context(self) -> None:
        """An exception in doRead is logged under the descriptor's prefix, and ends the connection with it."""

        def fail() -> None:
            raise ValueError("no")

        events: list[Any] = []
        from twisted.python import log

        log.addObserver(events.append)
        self.addCleanup(log.removeObserver, events.append)
        selectable = self.reading(fail)
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual([event["system"] for event in events if event.get("isError")], ["the pipe"])
        selectable.lost.trap(ValueError)
        self.assertEqual(self.reactor.getReaders(), list(self.reactor._internalReaders))

    def test_exception_at_the_end_is_logged(self) -> None:
        """An exception in connectionLost is logged and the reactor goes on."""
        selectable = self.reading(lambda: ConnectionDone())

        def fail(reason: Any) -> None:
            raise ValueError("no")

        selectable.readConnectionLost = fail  # type: ignore[method-assign]
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_clean_end_of_reading_is_a_half_close(self) -> None:
        """ConnectionDone out of doRead is told as the end of reading only."""
        selectable = self.reading(lambda: ConnectionDone())
        self.turn()
        self.assertIsNotNone(selectable.read_lost)
        self.assertIsNone(selectable.lost)

    def test_end_of_writing_is_the_end(self) -> None:
        """ConnectionDone out of doWrite ends the connection."""
        selectable = Reading(self.reactor, lambda: ConnectionDone())
        self.addCleanup(os.close, selectable.other)
        self.addCleanup(os.close, selectable.fd)
        selectable.fileno = lambda: selectable.other  # type: ignore[method-assign]
        self.reactor.addWriter(selectable)
        self.turn()
        self.assertIsNone(selectable.read_lost)
        selectable.lost.trap(ConnectionDone)

    def test_lost_descriptor(self) -> None:
        """A descriptor that answers -1 is disconnected."""
        selectable = self.reading(lambda: None)
        selectable.fileno = lambda: -1  # type: ignore[method-assign]
        self.turn()
        selectable.lost.trap(ConnectionFdescWentAway)

    def test_removed_meanwhile(self) -> None:
        """A descriptor that an earlier event of the same round removed is not served."""
        served: list[str] = []

        def serve(name: str, other: list[Any]) -> None:
            served.append(name)
            self.reactor.removeReader(other[0])

        pair: list[Any] = []
        first = self.reading(lambda: serve("first", pair[1:]))
        second = self.reading(lambda: serve("second", pair[:1]))
        pair.extend([first, second])
        self.reactor.doIteration(0)
        self.assertEqual(len(served), 1)
        self.reactor.removeReader(first)
        self.reactor.removeReader(second)

    def test_ports_are_eager(self) -> None:
        """listenTCP makes eager ports."""
        port, _ = self.listen(Recorder)
        self.assertIsInstance(port, EagerPort)

    def test_unknown_family(self) -> None:
        """Adopting a socket of another family is refused as ever."""
        self.assertRaises(UnsupportedAddressFamily, self.reactor.adoptStreamPort, 0, 99, None)
        self.assertRaises(UnsupportedAddressFamily, self.reactor.adoptStreamConnection, 0, 99, None)

    def test_unix_sockets_stay_stock(self) -> None:
        """UNIX sockets can be adopted too."""
        import socket

        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        from twisted.internet.protocol import Factory

        protocol = Recorder()
        factory = Factory()
        factory.buildProtocol = lambda addr: protocol  # type: ignore
        ours.setblocking(False)
        self.reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        ours.close()
        theirs.sendall(b"hello")
        self.until(lambda: protocol.received == b"hello")


class SoonTests(LoopCase):
    """What is called at the end of a turn."""

    def test_end_of_the_turn(self) -> None:
        """It is called when the events of the turn are served, in order, and without a wait; what it asks for comes a turn later."""
        done: list[str] = []
        self.reactor.soon(lambda: done.append("one"))
        self.reactor.soon(lambda: self.reactor.soon(lambda: done.append("three")))
        self.reactor.soon(lambda: done.append("two"))
        self.assertEqual((done, self.reactor.timeout()), ([], 0))
        self.turn(1)
        self.assertEqual((done, self.reactor.timeout()), (["one", "two"], 0))
        self.turn(1)
        self.assertEqual((done, self.reactor.timeout()), (["one", "two", "three"], None))

    def test_failure(self) -> None:
        """One that fails is logged, and the others are called."""
        done: list[int] = []
        self.reactor.soon(lambda: 1 // 0)
        self.reactor.soon(lambda: done.append(1))
        self.turn(1)
        self.assertEqual(done, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TimedTests(LoopCase):
    """Timed calls, which most turns have none of."""

    def test_wait(self) -> None:
        """The wait ends with the first of them, and is never longer than a day."""
        for delay, least, most in ((1e7, LONGEST, LONGEST), (5, 4, 5), (-0.0, 0, 0)):
            self.reactor.callLater(delay, lambda: None)
            self.reactor.timeout()  # files it
            self.assertTrue(least <= (self.reactor.timeout() or 0) <= most)

    def test_due(self) -> None:
        """One that is due is made, and one that was called off is not; others wait."""
        done: list[str] = []
        self.reactor.callLater(0, done.append, "due")
        self.reactor.callLater(0, done.append, "off").cancel()
        self.reactor.callLater(60, done.append, "later")
        self.turn(2)
        self.assertEqual(done, ["due"])

    def test_called_off(self) -> None:
        """Many that were called off are cleared away, though none is due."""
        for _ in range(CANCELLED + 10):
            self.reactor.callLater(60, lambda: None).cancel()
            self.turn(1)
        self.assertLessEqual(len(self.reactor._pendingTimedCalls), CANCELLED)

    def test_failure(self) -> None:
        """An error in the loop itself is logged, and it goes on."""
        calls: list[int] = []

        def poll(timeout: float | None) -> None:
            calls.append(1)
            if len(calls) == 1:
                raise ZeroDivisionError
            self.reactor._started = False

        self.patch(self.reactor, "doIteration", poll)
        self.reactor._started = True
        self.reactor.mainLoop()
        self.assertEqual((len(calls), len(self.flushLoggedErrors(ZeroDivisionError))), (2, 1))


class ForgetTests(LoopCase):
    """`LeanEPollReactor.forget`."""

    def test_both(self) -> None:
        """Neither reading nor writing is waited for any more, and to forget again does nothing."""
        pipe = Reading(self.reactor, lambda: None)
        self.addCleanup(os.close, pipe.other)
        self.addCleanup(os.close, pipe.fd)
        self.reactor.addReader(pipe)
        self.reactor.forget(pipe)
        self.reactor.forget(pipe)
        self.assertNotIn(pipe, self.reactor.getReaders())
        self.reactor.addReader(pipe)  # the kernel has forgotten it, too: else this would fail
        self.reactor.forget(pipe)

    def test_file(self) -> None:
        """Nor for a file, which is polled."""
        file = Reading(self.reactor, lambda: None)
        for descriptor in (file.other, file.fd):
            os.close(descriptor)
        file.fd = os.open(__file__, os.O_RDONLY)
        self.addCleanup(os.close, file.fd)
        self.reactor.addReader(file)
        self.assertIn(file, self.reactor.getReaders())
        self.reactor.forget(file)
        self.assertNotIn(file, self.reactor.getReaders())


class StopTests(LoopCase):
    """Ending."""

    def test_twice(self) -> None:
        """Another stop while the first is under way is no error; before the start it still is one."""
        self.assertRaises(ReactorNotRunning, self.reactor.stop)
        self.reactor._started, self.reactor._stopped = True, False
        self.reactor.stop()
        self.reactor.stop()
        self.assertTrue(self.reactor._stopped)
