"""
Tests of `ngrok_twisted.transports.agent.legs`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.transports.agent.legs import EASE_INTERVAL, FOR_THE_AGENT, Leg, Legs
from tests.transports.agent.world import FakeConnection, visit

WAIT = 5.0


class LegsTests(SynchronousTestCase):
    """`Legs`."""

    def setUp(self) -> None:
        """A session with two legs, and a tunnel that is ready on both."""
        self.clock = Clock()
        self.legs = Legs(self.clock, 2, WAIT)
        self.one, self.other = Leg(FakeConnection(), 0), Leg(FakeConnection(), 1)
        for leg in (self.one, self.other):
            self.legs.add(leg)
        self.tunnel = SimpleNamespace(ready=(self.one, self.other), bound={self.one, self.other})

    def open(self, header: bytes = b"h", tunnel: Any = None) -> Deferred[Any]:
        """Somebody wants a stream."""
        return self.legs.open(tunnel or self.tunnel, header, visit())

    def rooms(self, one: int, other: int, full: bool = True) -> None:
        """Say how much room each leg has, and whether one without any is full."""
        self.one.connection.room, self.other.connection.room = one, other
        self.one.connection.full, self.other.connection.full = full and not one, full and not other

    def opened(self) -> tuple[list[bytes], list[bytes]]:
        """The streams of each leg."""
        return self.one.connection.opened, self.other.connection.opened

    def test_members(self) -> None:
        """A leg is found by the agent's number for it; one that was replaced is not taken out in its stead."""
        self.assertIs(self.legs.find(1), self.other)
        newer = Leg(FakeConnection(), 1)
        self.legs.add(newer)
        self.legs.remove(self.other)
        self.assertEqual(list(self.legs), [self.one, newer])
        self.legs.remove(newer)
        self.assertEqual((len(self.legs), self.legs.find(1)), (1, None))

    def test_least_busy(self) -> None:
        """A stream goes where there is most room, and is there at once."""
        self.rooms(3, 5)
        self.assertIsNotNone(self.successResultOf(self.open()))
        self.rooms(5, 3)
        self.successResultOf(self.open(b"i"))
        self.assertEqual(self.opened(), ([b"i"], [b"h"]))

    def test_only_where_ready(self) -> None:
        """A leg that the agent has not bound the tunnel on yet is passed over."""
        self.rooms(1, 99)
        self.tunnel.ready = (self.one,)
        self.successResultOf(self.open())
        self.assertEqual(self.opened(), ([b"h"], []))

    def test_nowhere(self) -> None:
        """Without any leg there is no way."""
        self.tunnel.ready, self.tunnel.bound = (), set()
        self.failureResultOf(self.open(), TunnelLost)

    def test_not_ready_yet(self) -> None:
        """Whoever comes before the agent expects anybody waits until it does; nobody gives up a stream for that."""
        self.tunnel.ready = ()
        self.legs.when_full = lambda: self.fail("it is not full")
        opened = self.open()
        self.assertNoResult(opened)
        self.tunnel.ready = (self.other,)
        self.legs.room_made()
        self.successResultOf(opened)
        self.assertEqual(self.opened(), ([], [b"h"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full(self) -> None:
        """Who waits for another's end has idle streams given up, and none kept; who waits for the agent has not."""
        given_up: list[int] = []
        self.legs.when_full = lambda: given_up.append(1)
        self.rooms(0, 0, full=False)
        self.open()
        self.assertEqual((given_up, self.legs.crowded), ([], False))
        self.rooms(0, 0)
        self.assertTrue(self.legs.crowded)
        self.open()
        self.assertEqual(given_up, [1])

    def test_full_later(self) -> None:
        """Who waited for the agent when the streams became too many has an idle one given up as well, once."""
        given_up: list[int] = []
        self.legs.when_full = lambda: given_up.append(1)
        self.rooms(0, 0, full=False)
        for name in (b"1", b"2", b"3"):
            self.open(name)
        self.legs.room_made()
        self.assertEqual(given_up, [])
        self.rooms(1, 0, full=False)
        self.one.connection.full = True  # as soon as the next one is opened
        self.legs.room_made()
        self.legs.room_made()
        self.assertEqual((self.opened(), given_up), (([b"1"], []), [1, 1]))

    def test_full_for_others(self) -> None:
        """Who waits for a leg with fewer streams than it may have gives up nobody's, until that is full."""
        given_up: list[int] = []
        self.legs.when_full = lambda: given_up.append(1)
        self.rooms(0, 0, full=False)
        gone = self.open(b"1")
        self.open(b"2", SimpleNamespace(ready=(self.one,), bound={self.one}))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.other.connection.full = True
        self.legs.room_made()
        self.assertEqual(given_up, [])
        self.one.connection.full = True
        self.clock.advance(EASE_INTERVAL)
        self.assertEqual(given_up, [1])

    def test_given_up_at_once(self) -> None:
        """Each that is given up lets one in, at once, however many wait."""
        legs = Legs(self.clock, 2000, WAIT)
        legs.add(self.one)
        connection, tunnel = self.one.connection, SimpleNamespace(ready=(self.one,), bound={self.one})
        idle = list(range(1999))

        def give_up() -> None:
            if idle:
                idle.pop()
                connection.room += 1
                legs.room_made()

        legs.when_full = give_up
        connection.room = 0
        crowd = [legs.open(tunnel, b"h", visit()) for _ in range(2000)]
        connection.full = True
        legs.room_made()
        for opened in crowd[:-1]:
            self.successResultOf(opened)
        self.assertNoResult(crowd[-1])

    def test_eases(self) -> None:
        """While anybody waits the agent is given the benefit of the doubt once in a while."""
        self.rooms(0, 0, full=False)
        waiting = self.open()
        self.clock.pump([EASE_INTERVAL] * 2)
        self.assertEqual([leg.connection.eased for leg in self.legs], [2, 2])
        self.rooms(0, 1)  # of which nobody said anything
        self.clock.advance(EASE_INTERVAL)
        self.successResultOf(waiting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_waits(self) -> None:
        """Those for whom there is no room wait, and get it in their order."""
        self.rooms(0, 0)
        first, second = self.open(b"1"), self.open(b"2")
        self.assertNoResult(first)
        self.rooms(0, 1)
        self.legs.room_made()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.rooms(1, 0)
        self.legs.room_made()
        self.successResultOf(second)
        self.assertEqual(self.opened(), ([b"2"], [b"1"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_room_for_another(self) -> None:
        """Who waits for a leg without room does not keep those behind from one that has some."""
        self.rooms(0, 0)
        first = self.open(b"1", SimpleNamespace(ready=(self.one,), bound={self.one}))
        second = self.open(b"2", SimpleNamespace(ready=(self.other,), bound={self.other}))
        self.rooms(0, 1)
        self.legs.room_made()
        self.assertNoResult(first)
        self.successResultOf(second)
        self.rooms(1, 1)
        self.legs.room_made()
        self.successResultOf(first)

    def test_too_long(self) -> None:
        """A wait has an end, and says why."""
        self.rooms(0, 0)
        waiting = self.open()
        self.clock.advance(WAIT - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        error = self.failureResultOf(waiting, Overloaded).value
        self.assertEqual(error.status, 503)
        self.rooms(1, 1)
        self.legs.room_made()
        self.assertEqual(self.opened(), ([], []))

    def test_too_many(self) -> None:
        """Only so many may wait."""
        self.rooms(0, 0)
        for _ in range(2):
            self.assertNoResult(self.open())
        self.failureResultOf(self.open(), Overloaded)

    def test_too_many_at_once(self) -> None:
        """Who only waits for the agent to come to others may be one of twice as many."""
        self.rooms(0, 0, full=False)
        for _ in range(2 * FOR_THE_AGENT):
            self.assertNoResult(self.open())
        self.failureResultOf(self.open(), Overloaded)

    def test_gives_up(self) -> None:
        """A visitor who leaves makes way for the next."""
        self.rooms(0, 0)
        first, second = self.open(b"1"), self.open(b"2")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.rooms(1, 0)
        self.legs.room_made()
        self.successResultOf(second)
        self.assertEqual(self.opened()[0], [b"2"])

    def test_forgotten(self) -> None:
        """The end of a tunnel is that of those who wait for it, and of nobody else."""
        self.rooms(0, 0)
        ended, other = self.open(), self.open(b"2", SimpleNamespace(ready=(self.one,), bound={self.one}))
        self.legs.forget(self.tunnel)
        self.failureResultOf(ended, TunnelLost)
        self.assertNoResult(other)

    def test_connection_refuses(self) -> None:
        """What keeps a connection from opening a stream is the visitor's to hear, at once or after a wait."""

        def ending(header: bytes, factory: Any) -> Any:
            raise TunnelLost()

        self.one.connection.open_proxied = self.other.connection.open_proxied = ending
        self.failureResultOf(self.open(), TunnelLost)
        self.rooms(0, 0)
        waiting = self.open()
        self.rooms(1, 0)
        self.legs.room_made()
        self.failureResultOf(waiting, TunnelLost)

    def test_reentrant(self) -> None:
        """A visitor who gets room may take another one along who waits."""
        self.rooms(0, 0)
        first, second = self.open(b"1"), self.open(b"2")
        first.addCallback(lambda _: second.cancel())
        self.rooms(2, 0)
        self.legs.room_made()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.opened()[0], [b"1"])


class LegTests(SynchronousTestCase):
    """`Leg`."""

    def test_give_up(self) -> None:
        """What is being done for it is cancelled, all of it."""
        leg = Leg(FakeConnection(), 0)
        work: list[Deferred[Any]] = [Deferred(), Deferred()]
        for one in work:
            leg.work.add(one)
            one.addErrback(lambda failure, one=one: leg.work.discard(one))
        leg.give_up()
        self.assertEqual(leg.work, set())
