"""
Streams that an agent has no place for: tests of `ngrok_twisted.transports.agent.proxied`, of the mux below and of the legs above.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from ngrok_twisted.errors import Overloaded
from ngrok_twisted.transports.agent.frames import WINDOW
from ngrok_twisted.transports.agent.legs import Leg, Legs
from ngrok_twisted.transports.agent.proxied import SILENCE_BEFORE_FIN, LateFinStream, ProxyStream
from tests.net.substreams import HalfService, Service, Source
from tests.transports.agent.test_proxied import DATA, HEADER, RST, ProxyTestCase
from tests.transports.agent.wire import FIN, SYN, Frame, data, rst, wndinc

FULL = 9


class RefusedTests(ProxyTestCase):
    """One stream."""

    def refused(self, id: int = 2) -> list[Frame]:
        """The agent has no place: what is said at once."""
        self.say(rst(id, FULL))
        return self.wire.take()

    def later(self, tries: int = 1) -> None:
        """Wait until it is opened again."""
        self.wire.clock.advance(2 * self.mux.limits.refused_pause * 2 ** (tries - 1))

    def test_again(self) -> None:
        """It is opened again after a pause, under another id, with all that was sent; its protocol hears nothing of it."""
        protocol = self.proxied()
        protocol.transport.write(b"GET ")
        protocol.transport.write(b"/")
        self.wire.take()
        self.assertEqual([(one.kind, one.id, one.value) for one in self.refused()], [(RST, 2, 6)])
        self.wire.turn()
        self.assertEqual(self.wire.take(), [])
        self.later()
        self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER + b"GET /")])
        self.say(wndinc(4, 4), data(4, b"answer"))
        self.assertEqual(protocol.events, [b"answer"])
        protocol.transport.write(b"more")
        self.assertEqual(self.sent(), [(DATA, 0, b"more")])

    def test_written_meanwhile(self) -> None:
        """What is written during the pause waits in its place, and the producer with it."""
        protocol = self.proxied()
        source = Source()
        protocol.transport.registerProducer(source, True)
        protocol.transport.write(b"one")
        self.wire.take()
        self.refused()
        protocol.transport.writeBatch([b"two", b"three"])
        self.wire.turn()
        self.assertEqual((self.wire.take(), source.events), ([], ["pause"]))
        self.later()
        self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER + b"onetwothree")])
        self.assertEqual(source.events, ["pause", "resume"])

    def test_window(self) -> None:
        """The new stream has a window of its own."""
        self.proxied()
        self.stream.write(bytes(1000))
        self.refused()
        self.stream.write(bytes(WINDOW))
        self.later()
        self.assertEqual(sum(len(one.body) for one in self.wire.take()), WINDOW)

    def test_on_a_full_connection(self) -> None:
        """It waits for its turn where the connection is full when the pause is over."""
        self.proxied()
        self.refused()
        self.mux.block()
        self.later()
        self.assertEqual(self.wire.take(), [])
        self.mux.unblock()
        self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER)])

    def test_pauses(self) -> None:
        """Each pause is about twice as long as the one before; after so many tries the protocol hears of a lost connection."""
        self.build(refused_tries=3)
        protocol = self.proxied()
        for tries in (1, 2, 3):
            self.refused(2 * tries)
            pause = self.mux.limits.refused_pause * 2 ** (tries - 1)
            self.wire.clock.advance(pause)
            self.assertEqual(self.wire.take(), [])
            self.wire.clock.advance(pause)
            self.assertEqual([one.flags for one in self.wire.take()], [SYN])
        self.assertEqual(protocol.events, [])
        self.refused(8)
        self.assertEqual((protocol.events, self.mux.streams), ([ConnectionLost], {}))
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_one_after_another(self) -> None:
        """Those that were refused together do not come again together."""
        for _ in range(8):
            self.proxied()
        self.say(*(rst(id, FULL) for id in range(2, 18, 2)))
        self.wire.take()
        came = []
        for _ in range(100):
            self.wire.clock.advance(self.mux.limits.refused_pause / 50)
            came.append(len(self.wire.take()))
        self.assertEqual((sum(came), max(came)), (8, 1))

    def test_too_much(self) -> None:
        """One that was sent more than is kept is lost."""
        self.build(max_kept=len(HEADER) + 10)
        for size, lost in ((10, False), (11, True)):
            protocol = self.proxied()
            self.stream.write(bytes(size))
            self.refused(self.stream.id)
            self.assertEqual(protocol.events, [ConnectionLost] if lost else [])

    def test_nothing_is_kept(self) -> None:
        """What the agent has come to is not kept any longer."""
        self.proxied()
        self.stream.write(b"question")
        self.assertEqual(self.stream.kept, HEADER + b"question")
        self.say(wndinc(2, 4))
        self.assertIsNone(self.stream.kept)
        self.stream.write(b"more")
        self.assertIsNone(self.stream.kept)

    def test_answered(self) -> None:
        """One that the agent has come to is lost by a refusal, since its service may have heard of it."""
        protocol = self.proxied()
        self.say(wndinc(2, 4))
        self.refused()
        self.assertEqual(protocol.events, [ConnectionLost])

    def test_other_codes(self) -> None:
        """Every other reset is an end."""
        for code in (0, 2, 4, 5, 6, 7, 10, 11, 99):
            protocol = self.proxied()
            self.say(rst(self.stream.id, code))
            self.assertEqual(protocol.events, [ConnectionLost])

    def test_visitor_leaves(self) -> None:
        """A visitor who leaves during the pause leaves nothing behind, and the agent hears of nobody."""
        for leave in ("abortConnection", "stopProducing"):
            self.build(patience=1)
            protocol = self.proxied()
            self.refused()
            getattr(self.stream, leave)()
            self.wire.turn()
            if leave == "abortConnection":
                self.assertEqual((self.wire.take(), protocol.events), ([], [ConnectionAborted]))
            else:  # a close comes behind what was written
                self.later()
                self.assertEqual(self.sent(), [(DATA, SYN, HEADER), (DATA, FIN, b"")])
                self.assertEqual(protocol.events, [ConnectionDone])
                self.say(data(4, b"", FIN))
            self.assertEqual((self.mux.streams, self.wire.clock.getDelayedCalls()), ({}, []))

    def test_connection_lost(self) -> None:
        """With the agent's connection it is lost."""
        protocol = self.proxied()
        self.refused()
        self.mux.lost(Failure(ConnectionLost()))
        self.assertEqual((protocol.events, self.wire.clock.getDelayedCalls()), ([ConnectionLost], []))

    def test_agent_leaves(self) -> None:
        """On a connection that is ending it is not opened again."""
        protocol = self.proxied()
        self.refused()
        self.mux.go_away(0, "")
        self.wire.take()
        self.later()
        self.assertEqual((protocol.events, self.mux.streams, self.wire.take()), ([ConnectionLost], {}, []))

    def test_id(self) -> None:
        """It gets its id when it is opened again: behind those who came meanwhile, whose answers say nothing of it."""
        self.build(max_unanswered=9)
        refused = self.proxied()
        self.refused()
        self.proxied()
        self.say(wndinc(4, 4))
        self.assertEqual((self.stream.id, refused.transport.id, self.mux.room), (4, 2, 7))
        self.later()
        self.assertEqual([(one.id, one.flags) for one in self.wire.take()], [(6, SYN)])
        self.assertEqual((refused.transport.id, list(self.mux.streams), self.mux.room), (6, [4, 6], 7))
        self.say(wndinc(6, 4))
        self.assertEqual(self.mux.room, 8)

    def test_said_meanwhile(self) -> None:
        """What the agent says of it during the pause, or before it was told of it, is not heard."""
        said = (rst(2, FULL), rst(2, 6), wndinc(2, 4), data(2, b"?"), data(2, b"", FIN), rst(4, FULL), wndinc(4, 1))
        for words in said:
            self.build()
            protocol = self.proxied()
            self.refused()
            self.say(words)
            self.assertEqual(len(self.wire.clock.getDelayedCalls()), 1)
            self.mux.block()
            self.later()
            self.say(rst(4, FULL), rst(4, 6), wndinc(4, 4))
            self.assertEqual(self.wire.clock.getDelayedCalls(), [])
            self.wire.take()
            self.mux.unblock()
            self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER)])
            self.stream.write(bytes(WINDOW))
            self.assertEqual(sum(len(one.body) for one in self.wire.take()), WINDOW - len(HEADER))
            self.assertEqual(protocol.events, [])
            self.stream.abortConnection()
            self.wire.turn()
            self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_half_closed(self) -> None:
        """A visitor who says all during the pause has that said for him."""
        self.proxied(HalfService)
        self.refused()
        self.stream.write(b"all")
        self.stream.loseWriteConnection()
        self.later()
        self.assertEqual(self.sent(), [(DATA, SYN, HEADER + b"all"), (DATA, FIN, b"")])

    def test_ended(self) -> None:
        """One whose end was told is lost."""
        protocol = self.proxied(HalfService)
        self.stream.loseWriteConnection()
        self.refused()
        self.assertEqual(protocol.events, ["write lost", ConnectionLost])

    def test_place(self) -> None:
        """Its place is not given away meanwhile."""
        self.build(max_streams=1)
        self.proxied()
        self.refused()
        self.assertEqual(self.mux.room, 0)
        self.assertRaises(Overloaded, self.proxied)


class LateFinTests(RefusedTests):
    """The same with `LateFinStream`, as agents of the Go family get it."""

    stream_class = LateFinStream

    def test_half_closed(self) -> None:
        """A visitor who said all before it was refused has that said for him, and the end told when all fell silent."""
        self.proxied(HalfService)
        self.stream.write(b"all")
        self.stream.loseWriteConnection()
        self.wire.take()
        self.wire.clock.advance(SILENCE_BEFORE_FIN - 1)
        self.refused()
        self.later()
        self.wire.clock.advance(SILENCE_BEFORE_FIN - 1)
        self.assertEqual(self.sent(), [(DATA, SYN, HEADER + b"all")])
        self.wire.clock.pump([1] * 3)
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])

    def test_silent_on_a_full_connection(self) -> None:
        """The end is not told before what it comes after, however long the connection is full."""
        self.proxied(HalfService)
        self.stream.write(b"all")
        self.stream.loseWriteConnection()
        self.refused()
        self.mux.block()
        self.wire.clock.pump([1] * 20)
        self.wire.take()
        self.mux.unblock()
        self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER + b"all")])
        self.wire.clock.pump([1] * 10)
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])

    def test_ended(self) -> None:
        """One whose end the agent has not been told of goes on."""
        protocol = self.proxied(HalfService)
        self.stream.loseWriteConnection()
        self.refused()
        self.later()
        self.assertEqual(protocol.events, ["write lost"])
        self.assertEqual(self.sent(), [(DATA, SYN, HEADER)])


class Queueing:
    """
    An agent of the Go family, as far as it lets streams in: it reads what was sent, queues streams in as many places as it
    has, refuses what comes beyond, and comes to some of them at a time.

    :ivar refused: how many it had no place for.
    :ivar served: the bodies that came on the streams that it has come to.
    """

    def __init__(self, case: ProxyTestCase, places: int) -> None:
        self._case = case
        self._places = places
        self._queue: deque[int] = deque()
        self._bodies: dict[int, bytes] = {}
        self.refused = 0
        self.served: list[bytes] = []

    def read(self) -> None:
        """All that was sent."""
        answers = []
        for one in self._case.wire.take():
            if one.kind == RST:
                self._bodies.pop(one.id, None)
            elif one.kind == DATA and one.flags & SYN:
                self._bodies[one.id] = one.body
                if len(self._queue) < self._places:
                    self._queue.append(one.id)
                else:
                    self.refused += 1
                    answers.append(rst(one.id, FULL))
            elif one.kind == DATA and one.id in self._bodies:
                self._bodies[one.id] += one.body
        self._case.say(*answers)

    def come_to(self, count: int) -> None:
        """So many streams, at most, in their order."""
        for _ in range(min(count, len(self._queue))):
            id = self._queue.popleft()
            if id in self._bodies:
                self.served.append(self._bodies.pop(id))
            self._case.say(wndinc(id, 4))

    @property
    def kept(self) -> int:
        """How many streams it has something of."""
        return len(self._bodies)


class Connection:
    """An `AgentConnection` that is no more than its mux."""

    def __init__(self, case: CrowdTests) -> None:
        self._case = case

    @property
    def room(self) -> int:
        """See `AgentConnection.room`."""
        return self._case.mux.room

    @property
    def full(self) -> bool:
        """See `AgentConnection.full`."""
        return self._case.mux.full

    def ease(self) -> None:
        """See `AgentConnection.ease`."""
        if self._case.mux.pace.ease():
            self._case.legs.room_made()

    def open_proxied(self, header: bytes, factory: Any) -> Any:
        """See `AgentConnection.open_proxied`."""
        return ProxyStream.open(self._case.mux, header, factory)


class CrowdTests(ProxyTestCase):
    """Many visitors of one agent."""

    legs: Legs

    def crowd(self, size: int, **limits: Any) -> list[Any]:
        """Visitors who come at the same moment, each with a word of its own; what becomes of them."""
        self.build(**limits)
        self.legs = Legs(self.wire.clock, size, 5.0)
        leg = Leg(Connection(self), 0)
        self.legs.add(leg)
        self.wire.room_made = self.legs.room_made  # type: ignore[method-assign]
        tunnel = SimpleNamespace(ready=(leg,), bound={leg})
        return [self.legs.open(tunnel, HEADER, self.speaker(number)) for number in range(size)]

    def speaker(self, number: int) -> Any:
        """Whose protocol says its number."""

        class Speaker(Service):
            def connectionMade(self) -> None:
                self.transport.write(b" %d" % number)

        return self.factory(Speaker)

    def test_none_is_refused(self) -> None:
        """A crowd meets an agent with 128 places: it refuses nobody, however slow it is, and each is served, once."""
        crowd = self.crowd(400)
        agent = Queueing(self, 128)
        while len(agent.served) < 400:
            agent.read()
            agent.come_to(7)
        for opened in crowd:
            self.successResultOf(opened)
        self.assertEqual(agent.refused, 0)
        self.assertEqual(sorted(agent.served), sorted(HEADER + b" %d" % number for number in range(400)))

    @given(st.integers(4, 200), st.integers(4, 50), st.integers(1, 300))
    @settings(max_examples=30, deadline=None)
    def test_fewer_places(self, places: int, speed: int, size: int) -> None:
        """
        Whatever number of places it has: each is served once, in the end, and the agent keeps nothing of whom it refused.
        """
        crowd = self.crowd(size, refused_tries=50)
        agent = Queueing(self, places)
        for _ in range(1000):  # five seconds
            agent.read()
            agent.come_to(speed)
            self.wire.clock.advance(0.005)
        agent.read()
        for opened in crowd:
            self.successResultOf(opened)
        self.assertEqual(sorted(agent.served), sorted(HEADER + b" %d" % number for number in range(size)))
        self.assertEqual(agent.kept, 0)

    def test_visitors_left(self) -> None:
        """Streams that are refused when their visitors have left make room for those who wait."""
        crowd = self.crowd(9, max_unanswered=8)
        self.wire.turn()
        for opened in crowd[:8]:
            self.successResultOf(opened).transport.abortConnection()
        self.wire.turn()
        self.assertNoResult(crowd[8])
        self.say(*(rst(id, FULL) for id in range(2, 18, 2)))
        self.successResultOf(crowd[8])

    def test_nobody_overtakes(self) -> None:
        """Who waits does not take the room of those who were refused."""
        crowd = self.crowd(9, max_unanswered=8)
        self.wire.turn()
        self.say(*(rst(id, FULL) for id in range(4, 18, 2)))
        self.assertNoResult(crowd[8])
        self.say(wndinc(2, 4))
        self.successResultOf(crowd[8])
        self.assertEqual(self.mux.room, 0)

    def test_says_nothing(self) -> None:
        """An agent that does not say when it comes to streams gets more of them, a crowd a second or two."""
        crowd = self.crowd(150, max_unanswered=50)
        sent = 0
        for _ in range(4):
            sent += len(self.wire.take(DATA))
            self.wire.clock.pump([1.0])
        self.assertEqual(sent, 150)
        for opened in crowd:
            self.successResultOf(opened)
