"""
Tests of what `ngrok_twisted.net.eager` and `ngrok_twisted.net.reactor` have in common: small writes of a turn leave at its end.
"""

from __future__ import annotations

from socket import create_connection
from time import monotonic
from typing import Any, Callable

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ngrok_twisted.net.eager import SMALL
from ngrok_twisted.net.reactor import BURST, LATELY, slack_after
from tests.net.loop import LoopCase, Recorder
from tests.net.test_eager import EagerCase

# Seconds of `slack`: for all turns of a test the reactor has no time to spare.
BUSY = -100.0


class BurstTests(EagerCase):
    """In a turn, that is while the reactor has a ``burst``."""

    def setUp(self) -> None:
        """A turn is under way."""
        super().setUp()
        self.burst: dict[Any, bytes] = {}
        self.reactor.burst = self.burst
        self.reactor.slack = BUSY
        self.sent: list[bytes] = []
        send = self.transport.send_now

        def noting(data: bytes) -> None:
            self.sent.append(data)
            send(data)

        self.transport.send_now = noting

    def test_small(self) -> None:
        """Small writes wait, as one."""
        self.transport.write(b"one ")
        self.transport.write(b"two")
        self.assertEqual((self.sent, self.burst), ([], {self.transport: b"one two"}))

    def test_large(self) -> None:
        """What is more than a little leaves at once, behind what waits."""
        self.transport.write(b"one")
        self.transport.write(b"x" * SMALL)
        self.assertEqual((self.sent, self.burst), ([b"one" + b"x" * SMALL], {}))

    def test_order(self) -> None:
        """Several buffers, the end of writing, and whoever asks what is unsent have it leave first."""
        follows: tuple[Callable[[], Any], ...] = (
            lambda: self.transport.writeBatch([b"two"]),
            lambda: self.assertEqual(self.transport.unsent, 0),
            lambda: self.transport._closeWriteConnection(),
        )
        for follow in follows:
            self.transport.write(b"one")
            follow()
            self.assertEqual((self.sent, self.burst), ([b"one"], {}))
            self.sent.clear()

    def test_lost(self) -> None:
        """A connection that ends in the same turn has sent it."""

        def end() -> None:
            self.transport.write(b"last words")
            self.transport.connectionLost(Failure(ConnectionDone()))
            self.assertEqual((self.sent, self.reactor.burst), ([b"last words"], {}))

        self.reactor.soon(end)
        self.reactor.doPoll(0)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.read_all(10), b"last words")

    def refused(self, end: str) -> None:
        """Write a little that the kernel has no room for, and ask for an end in the same turn: the peer gets it all the same."""

        def write_and_end(_: bytes) -> None:
            self.transport.send_now = self.transport._keep
            self.transport.write(b"last words")
            self.assertEqual(self.reactor.burst, {self.transport: b"last words"})
            getattr(self.transport, end)()

        self.server.dataReceived = write_and_end
        self.peer.send(b"?")
        self.assertEqual(self.read_all(10), b"last words")
        self.until(lambda: self.transport._writeDisconnected or not self.transport.connected)
        self.assertEqual(self.peer.recv(10), b"")

    def test_lost_while_full(self) -> None:
        """What the kernel refuses leaves before the connection ends."""
        self.refused("loseConnection")

    def test_half_closed_while_full(self) -> None:
        """What the kernel refuses leaves before writing ends."""
        self.refused("loseWriteConnection")

    def test_aborted(self) -> None:
        """The beginning of an answer that breaks off has left, as if it had been sent at once; nothing follows."""
        self.transport.write(b"one")
        self.transport.abortConnection()
        self.transport.write(b"two")
        self.assertEqual((self.sent, self.burst), ([b"one"], {}))


class TurnTests(LoopCase):
    """What `LeanEPollReactor` does with it."""

    def setUp(self) -> None:
        """It has been busy."""
        super().setUp()
        self.reactor.slack = BUSY

    def test_end_of_turn(self) -> None:
        """Between turns there is none; what was written in one has left at its end, and a sender that fails is logged."""
        sent: list[bytes] = []

        class Sender:
            def send_now(self, data: bytes) -> None:
                sent.append(data)
                if data == b"bad":
                    raise ValueError("broken")

        def write() -> None:
            self.reactor.burst.update({Sender(): b"bad", Sender(): b"good"})

        self.assertIsNone(self.reactor.burst)
        self.reactor.soon(write)
        self.reactor.doPoll(0)
        self.assertEqual(sent, [b"bad", b"good"])
        self.assertIsNone(self.reactor.burst)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_paused_meanwhile(self) -> None:
        """What a source writes elsewhere when it is stopped, since its sink is full, neither is lost nor comes out of order."""
        sent: list[tuple[str, bytes]] = []
        burst = self.reactor

        class Sender:
            def __init__(self, name: str, others: list[Any]) -> None:
                self.name, self.others = name, others

            def send_now(self, data: bytes) -> None:
                sent.append((self.name, data))
                for other in self.others:
                    burst.burst[other] = burst.burst.pop(other, b"") + b" more"  # type: ignore[union-attr]
                self.others = []

        later, unseen = Sender("later", []), Sender("unseen", [])
        first = Sender("first", [later, unseen])
        self.reactor.soon(lambda: burst.burst.update({first: b"1", later: b"2"}))  # type: ignore[union-attr]
        self.reactor.doPoll(0)
        self.assertEqual(sent, [("first", b"1"), ("later", b"2 more"), ("unseen", b" more")])

    def test_many(self) -> None:
        """Where many wait, they do not wait for the turn's end."""
        answered: list[int] = []

        class Answering(Recorder):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"answer")  # type: ignore[union-attr]
                answered.append(len(self.transport.reactor.burst))  # type: ignore[union-attr]

        port, built = self.listen(Answering)
        visitors = [self.connected_to(port) for _ in range(BURST + 2)]
        self.until(lambda: len(built) == len(visitors))
        for visitor in visitors:
            visitor.send(b"question")
        self.until(lambda: len(answered) == len(visitors))
        self.turn()
        self.assertLessEqual(max(answered), BURST)
        self.assertEqual([visitor.recv(100) for visitor in visitors], [b"answer"] * len(visitors))
        port.stopListening()

    def test_time_to_spare(self) -> None:
        """A reactor that has rested lately collects nothing: what is written leaves inside the turn."""
        seen: list[Any] = []
        self.reactor.slack = -BUSY
        self.reactor.stalls.woken = monotonic()
        self.reactor.soon(lambda: seen.append(self.reactor.burst))
        self.reactor.doPoll(0)
        self.assertEqual(seen, [None])

    def connected_to(self, port: Any) -> Any:
        """A visitor's socket."""
        made = create_connection(("127.0.0.1", port.getHost().port), timeout=5)
        self.addCleanup(made.close)
        self.turn()
        return made


class SlackTests(TestCase):
    """`slack_after`."""

    def after(self, slack: float, turns: int, spent: float, waited: float) -> float:
        """What it is after some turns that are all alike."""
        for _ in range(turns):
            slack = slack_after(slack, spent, waited)
        return slack

    def test_kinds(self) -> None:
        """Who rests for half of its time has time to spare, who rests for a fifth has not."""
        self.assertGreater(self.after(-0.0001, 5 * LATELY, 0.0001, 0.0001), 0)
        self.assertLess(self.after(0.0001, 5 * LATELY, 0.0004, 0.0001), 0)

    def test_rush(self) -> None:
        """After a night of silence some turns without a rest are enough to be busy."""
        self.assertLess(self.after(slack_after(0.0, 0.0, 30000.0), 3 * LATELY, 0.001, 0.0), 0)
