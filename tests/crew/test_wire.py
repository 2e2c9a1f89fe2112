"""
Tests of `ngrok_twisted.crew.wire`.
"""

from __future__ import annotations

import os
from socket import SO_SNDBUF, SOL_SOCKET, socketpair
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.crew import wire as module
from ngrok_twisted.crew.wire import RETRY, STUCK, Wire, WireLost
from ngrok_twisted.errors import EndpointOffline, Refused
from tests.crew.wires import FakeReactor


class WireTests(SynchronousTestCase):
    """Two ends in one process."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        first, second = socketpair()
        self.said: list[Any] = []
        self.here = Wire(self.reactor, first, "there", {})
        self.there = Wire(self.reactor, second, "here", {"note": self.note, "echo": lambda value, _: value})
        self.addCleanup(self.here.close)
        self.addCleanup(self.there.close)
        for end in (self.here, self.there):
            end.start()

    def note(self, value: Any, descriptor: int) -> None:
        self.said.append(value if descriptor == -1 else (value, descriptor))

    def test_in_order(self) -> None:
        """Messages arrive in the order in which they were sent, with their values."""
        for number in range(1000):
            self.here.send("note", {"number": number, "text": b"x" * number})
        for _ in range(40):
            self.reactor.turn()
        self.assertEqual([value["number"] for value in self.said], list(range(1000)))
        self.assertEqual([len(value["text"]) for value in self.said], list(range(1000)))

    def test_hear(self) -> None:
        """What has come can be read at once, but by nobody who is told of some of it: what follows is read behind that."""

        def note(value: int, _: int) -> None:
            self.said.append(value)
            self.here.send("note", value + 1)
            self.here.flush()
            self.there.hear()

        self.there.handlers["note"] = note
        self.here.send("note", 1)
        self.here.flush()
        for _ in range(3):
            self.there.hear()
        self.assertEqual(self.said, [1, 2, 3])

    def test_answer(self) -> None:
        """A question is answered with what the handler returns."""
        done = self.here.ask("echo", "hello")
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.successResultOf(done), "hello")

    def test_later_answer(self) -> None:
        """A handler may return a Deferred; questions are answered when they can be, in any order."""
        waiting: list[Deferred[str]] = []
        self.there.handlers["wait"] = lambda value, _: waiting.append(Deferred()) or waiting[-1]
        first, second = self.here.ask("wait"), self.here.ask("wait")
        self.reactor.turn()
        waiting[1].callback("second")
        self.reactor.turn()
        self.reactor.turn()
        self.assertNoResult(first)
        self.assertEqual(self.successResultOf(second), "second")
        waiting[0].callback("first")
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.successResultOf(first), "first")

    def test_known_errors(self) -> None:
        """The errors of the vocabulary arrive as they were raised."""
        raised = [Refused(334, "It is taken."), EndpointOffline.named("a.example"), EndpointOffline(status=410)]

        def fail(value: int, _: int) -> None:
            raise raised[value]

        self.there.handlers["fail"] = fail
        for number, error in enumerate(raised):
            done = self.here.ask("fail", number)
            self.reactor.turn()
            self.reactor.turn()
            found = self.failureResultOf(done, type(error)).value
            told = [getattr(error, name, None) for name in ("args", "sentence", "status", "code", "message")]
            self.assertEqual(
                [getattr(found, name, None) for name in ("args", "sentence", "status", "code", "message")], told
            )

    def test_other_errors(self) -> None:
        """Any other error is logged where it happened; whoever asked learns only that there is no answer."""
        self.there.handlers["fail"] = lambda value, _: 1 / 0
        done = self.here.ask("fail")
        self.reactor.turn()
        self.reactor.turn()
        self.failureResultOf(done, WireLost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unpicklable_answer(self) -> None:
        """Whoever asked is told even where the answer cannot be sent."""
        self.there.handlers["odd"] = lambda value, _: lambda: None
        done = self.here.ask("odd")
        self.reactor.turn()
        self.reactor.turn()
        self.failureResultOf(done, WireLost)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_cancelled(self) -> None:
        """Whoever gives up waiting ends the work on the other side."""
        cancelled: list[Any] = []
        self.there.handlers["wait"] = lambda value, _: Deferred(cancelled.append)
        done = self.here.ask("wait")
        self.reactor.turn()
        done.cancel()
        self.failureResultOf(done)
        self.reactor.turn()
        self.assertEqual(len(cancelled), 1)

    def test_late_answer(self) -> None:
        """Whoever gave up waiting may still be told what was answered meanwhile."""
        answered: list[Any] = []
        done = self.here.ask("echo", 1, late=answered.append)
        self.reactor.advance(0)
        done.cancel()
        self.failureResultOf(done)
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(answered, [1])
        self.assertEqual(self.here._asked, {})

    def test_failing_handler(self) -> None:
        """A handler that fails is logged, and what comes after it is heard."""
        self.there.handlers["fail"] = lambda value, _: 1 / 0
        self.here.send("fail")
        self.here.send("unheard of")
        self.here.send("note", 1)
        self.reactor.turn()
        self.assertEqual(self.said, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_descriptors(self) -> None:
        """Each descriptor arrives with the message it was sent with, and is closed where it came from."""
        pipes = [os.pipe() for _ in range(10)]
        for number, (reading, writing) in enumerate(pipes):
            os.write(writing, b"%d" % number)
            os.close(writing)
            self.here.send("note", "plain")
            self.here.send("note", number, reading)
        for _ in range(20):
            self.reactor.turn()
        handed = [value for value in self.said if value != "plain"]
        self.assertEqual(len(self.said), 20)
        for number, descriptor in handed:
            self.addCleanup(os.close, descriptor)
            self.assertEqual(os.read(descriptor, 10), b"%d" % number)
            self.assertFalse(os.get_inheritable(descriptor))
        for reading, _ in pipes:
            if reading not in [descriptor for _, descriptor in handed]:
                self.assertRaises(OSError, os.fstat, reading)

    def test_full(self) -> None:
        """What the kernel does not take waits, with its descriptors, and nothing is lost or out of order."""
        self.here._socket.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
        for number in range(50):
            reading, writing = os.pipe()
            os.write(writing, b"%d" % number)
            os.close(writing)
            self.here.send("note", (number, b"x" * 3000), reading)
        self.reactor.removeReader(self.there)
        self.reactor.turn()
        self.assertIn(self.here, self.reactor.writers)
        self.reactor.addReader(self.there)
        for _ in range(200):
            self.reactor.turn()
        self.assertEqual([number for (number, _), _ in self.said], list(range(50)))
        for (number, _), descriptor in self.said:
            self.assertEqual(os.read(descriptor, 10), b"%d" % number)
            os.close(descriptor)
        self.assertNotIn(self.here, self.reactor.writers)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """Whoever sends sees that much is waiting."""
        self.assertFalse(self.here.is_busy)
        self.here.send("note", b"x" * (module.BUSY_BYTES + 1))
        self.assertTrue(self.here.is_busy)
        for _ in range(100):
            self.reactor.turn()
        self.assertFalse(self.here.is_busy)

    def test_stuck(self) -> None:
        """Whoever reads nothing for too long is given up; reading a little is enough to stay."""
        self.reactor.removeReader(self.there)
        self.here.send("note", b"x" * 2_000_000)
        self.reactor.turn()
        for _ in range(3):
            self.reactor.advance(STUCK - 1)
            self.there.doRead()
            self.there.doRead()
            self.there.doRead()
            self.there.doRead()
            self.here.doWrite()
        self.assertFalse(self.here.is_lost)
        self.reactor.advance(STUCK)
        self.assertTrue(self.here.is_lost)

    def test_too_much(self) -> None:
        """Whoever has too much waiting for it is given up."""
        self.patch(module, "UNSENT_MAX", 1_000_000)
        self.here.send("note", b"x" * 999_000)
        self.assertFalse(self.here.is_lost)
        self.here.send("note", b"x" * 1000)
        self.assertTrue(self.here.is_lost)

    def test_kernel_is_short(self) -> None:
        """Where the kernel has no room for more descriptors on their way, it is tried again."""

        class Short:
            def __init__(self, inner: Any) -> None:
                self.inner, self.fails = inner, 3

            def sendmsg(self, *arguments: Any) -> int:
                self.fails -= 1
                if self.fails >= 0:
                    raise OSError(module.ETOOMANYREFS, "too many references")
                return self.inner.sendmsg(*arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(self.inner, name)

        self.here._socket = Short(self.here._socket)  # type: ignore[assignment]
        self.here.send("note", 1)
        self.reactor.turn()
        self.assertEqual(self.said, [])
        for _ in range(3):
            self.reactor.advance(RETRY)
        self.reactor.turn()
        self.assertEqual(self.said, [1])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """When one side is gone, the other is told once, and whoever waits for an answer fails."""
        told: list[str] = []
        self.there.handlers["wait"] = lambda value, _: Deferred()
        done = self.here.ask("wait")
        self.here.when_lost(lambda: told.append("lost"))
        self.reactor.turn()
        self.there.close()
        self.reactor.turn()
        self.failureResultOf(done, WireLost)
        self.assertEqual(told, ["lost"])
        self.here.when_lost(lambda: told.append("again"))
        self.assertEqual(told, ["lost", "again"])

    def test_after_the_end(self) -> None:
        """On a lost wire nothing is sent, descriptors are closed, and questions fail."""
        self.here.close()
        reading, writing = os.pipe()
        os.close(writing)
        self.here.send("note", 1, reading)
        self.assertRaises(OSError, os.fstat, reading)
        self.failureResultOf(self.here.ask("echo", 1), WireLost)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_last_words(self) -> None:
        """What was said before the close is heard."""
        self.here.send("note", "farewell")
        self.here.close()
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.said, ["farewell"])
        self.assertTrue(self.there.is_lost)

    def test_nonsense(self) -> None:
        """Bytes that are no message end the wire."""
        self.here._socket.send(b"\xff\xff\xff\xff\x00nonsense")
        self.reactor.turn()
        self.assertTrue(self.there.is_lost)

    def test_unreadable(self) -> None:
        """A value that cannot be made on the other side is told before the wire ends."""
        self.here.send("note", Unreadable("whole"))
        self.reactor.turn()
        self.assertTrue(self.there.is_lost)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class Unreadable(Exception):
    """Can be pickled, and not be made again."""

    def __init__(self, first: str, second: str = "") -> None:
        super().__init__(first)

    def __reduce__(self) -> Any:
        return Unreadable, ()
