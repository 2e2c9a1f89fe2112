"""
Tests for `ngrok_twisted.edge.visitors`.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.visitors import VisitorChannel, Visitors
from tests.edge.doubles import get
from tests.edge.wire import RecordingSite, Render, Wire, statuses


class Protocol:
    """Can be sent away."""

    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


class Asked(Protocol):
    """Can be asked to leave when it is convenient."""

    def __init__(self, shut_down: Callable[[], object]) -> None:
        super().__init__()
        self.shut_down = shut_down


class VisitorsTests(SynchronousTestCase):
    """Who is here."""

    def setUp(self) -> None:
        self.visitors = Visitors()

    def test_count(self) -> None:
        """Visitors come and go; whoever is not here cannot go."""
        one, two = Protocol(), Protocol()
        self.assertFalse(self.visitors)
        self.visitors.arrived(one)
        self.visitors.arrived(two)
        self.visitors.left(one)
        self.visitors.left(one)
        self.assertEqual(len(self.visitors), 1)

    def test_protocols(self) -> None:
        """They are counted by what they speak, and each leaves once."""
        one, two = Protocol(), Protocol()
        self.visitors.arrived(one, proto="tls")
        self.visitors.arrived(two, proto="tcp")
        self.assertEqual(self.visitors.by_proto, {"tls": 1, "tcp": 1})
        self.visitors.left(one)
        self.visitors.left(one)
        self.assertEqual(self.visitors.by_proto, {"tls": 0, "tcp": 1})

    def test_drain(self) -> None:
        """Each is asked in its own way to leave, even if that changes who is here."""
        asked: list[int] = []
        visitors: list[Asked] = []
        for number in range(3):

            def leave(number: int = number) -> None:
                asked.append(number)
                self.visitors.left(visitors[number])

            visitors.append(Asked(leave))
            self.visitors.arrived(visitors[-1])
        self.visitors.drain()
        self.assertEqual((asked, len(self.visitors)), ([0, 1, 2], 0))

    def test_drain_takes_along(self) -> None:
        """A visitor who left because another one did is not asked any more."""
        asked: list[str] = []
        other = Asked(lambda: asked.append("other"))
        self.visitors.arrived(Asked(lambda: self.visitors.left(other)))
        self.visitors.arrived(other)
        self.visitors.drain()
        self.assertEqual((asked, len(self.visitors)), ([], 1))

    def test_drain_twice(self) -> None:
        """Nobody is asked twice, and whoever cannot be asked stays."""
        asked: list[bool] = []
        self.visitors.arrived(Asked(lambda: asked.append(True)))
        self.visitors.arrived(Protocol())
        self.visitors.drain()
        self.visitors.drain()
        self.assertEqual((asked, len(self.visitors)), ([True], 2))

    def test_late(self) -> None:
        """Who arrives after that, from a handshake that was under way, is asked at once."""
        asked: list[bool] = []
        self.visitors.arrived(Asked(lambda: asked.append(True)))
        self.assertEqual(asked, [])
        self.visitors.drain()
        self.visitors.arrived(Asked(lambda: asked.append(True)))
        self.assertEqual(asked, [True, True])

    def test_abort(self) -> None:
        """Everyone who is still here is sent away."""
        here, gone = Protocol(), Protocol()
        for visitor in (here, gone):
            self.visitors.arrived(visitor)
        self.visitors.left(gone)
        self.visitors.abort()
        self.assertEqual((here.aborted, gone.aborted), (1, 0))


class Arriving(Protocol):
    """Has not said yet what it wants, or is only waited for."""

    def __init__(self, *, arriving: bool = False, lingering: bool = False, transport: Any = None) -> None:
        super().__init__()
        self.arriving, self.lingering, self.transport = arriving, lingering, transport


class Transport:
    """Has bytes that the kernel did not take, perhaps over another one."""

    def __init__(self, unsent: int | None = None, transport: Any = None) -> None:
        if unsent is not None:
            self.unsent = unsent
        if transport is not None:
            self.transport = transport


class PatienceTests(SynchronousTestCase):
    """Who is left alone for a moment, and who is not waited for."""

    def setUp(self) -> None:
        self.visitors = Visitors()
        self.asked: list[str] = []

    def test_patient(self) -> None:
        """Whoever has not said yet what it wants is not asked to leave at first, and like the others in the end."""
        here: Any = Arriving(arriving=True)
        here.shut_down = lambda: self.asked.append("here")
        self.visitors.arrived(here)
        self.visitors.arrived(Asked(lambda: self.asked.append("busy")))
        self.assertTrue(self.visitors.arriving)
        self.visitors.drain(patient=True)
        self.visitors.arrived(Asked(lambda: self.asked.append("late")))
        self.assertEqual(self.asked, ["busy"])
        here.arriving = False
        self.assertFalse(self.visitors.arriving)
        self.visitors.drain()
        self.assertEqual(self.asked, ["busy", "here", "late"])
        self.visitors.arrived(Asked(lambda: self.asked.append("later")))
        self.assertEqual(self.asked[-1], "later")

    def test_busy(self) -> None:
        """Whoever has got everything and does not hang up is nobody to wait for, and is not cut off."""
        self.assertFalse(self.visitors.busy)
        read = Arriving(lingering=True, transport=Transport(None, Transport(0)))
        self.visitors.arrived(read)
        self.assertFalse(self.visitors.busy)
        for slow in (
            Protocol(),
            Arriving(lingering=True, transport=Transport(5)),
            Arriving(lingering=True, transport=Transport(None, Transport(5))),
        ):
            self.visitors.arrived(slow)
            self.assertTrue(self.visitors.busy)
            self.visitors.abort()
            self.assertEqual((slow.aborted, read.aborted), (1, 0))
            self.visitors.left(slow)


class VisitorChannelTests(SynchronousTestCase):
    """HTTP visitors."""

    def setUp(self) -> None:
        self.visitors = Visitors()
        self.requests: list[Any] = []

    def connect(self) -> tuple[VisitorChannel, Wire]:
        """A visitor whose requests wait for the test to answer them."""
        site = RecordingSite(Render(self.render), Clock(), proto="http")
        channel, wire = VisitorChannel(site, self.visitors), Wire()
        channel.makeConnection(wire)
        return channel, wire

    def render(self, request: Any) -> int:
        self.requests.append(request)
        return NOT_DONE_YET

    def test_idle(self) -> None:
        """A drain closes a connection that rests."""
        _, wire = self.connect()
        self.visitors.drain()
        self.assertTrue(wire.ended)

    def test_busy(self) -> None:
        """A drain lets the response in flight finish, says that it is the last one, and closes then."""
        channel, wire = self.connect()
        channel.dataReceived(get("a.example") + get("a.example"))
        self.visitors.drain()
        self.assertFalse(wire.ended)
        self.requests[0].write(b"the answer")
        self.requests[0].finish()
        self.assertEqual(statuses(wire.value()), [200])
        self.assertIn(b"connection: close\r\n", wire.value().lower())
        self.assertTrue(wire.ended)
        self.assertEqual(len(self.requests), 1)
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.visitors), 0)

    def test_arriving(self) -> None:
        """A connection is arriving until its first request is whole."""
        channel, _ = self.connect()
        self.assertEqual((channel.arriving, channel.lingering), (True, False))
        channel.dataReceived(get("a.example")[:10])
        self.assertTrue(channel.arriving)
        channel.dataReceived(get("a.example")[10:])
        self.visitors.drain()
        self.assertEqual((channel.arriving, channel.lingering), (False, False))
        self.requests[0].finish()
        self.assertFalse(channel.arriving)

    def test_lingering(self) -> None:
        """A connection that is closed gently lingers, unless the visitor goes on sending."""
        channel, wire = self.connect()
        self.visitors.drain()
        self.assertTrue(channel.lingering)
        self.assertFalse(self.visitors.busy)
        channel.dataReceived(b"GET / HTTP/1.1")
        self.assertFalse(channel.lingering)

    def test_late(self) -> None:
        """A connection that comes during a drain is closed."""
        self.visitors.drain()
        channel, wire = self.connect()
        self.assertTrue(wire.ended)
        channel.dataReceived(get("a.example"))
        self.assertEqual((self.requests, wire.value()), ([], b""))

    def test_unfinished(self) -> None:
        """A response that cannot be finished breaks the connection, which shows that it is not whole."""
        channel, wire = self.connect()
        channel.dataReceived(get("a.example"))
        self.requests[0].write(b"the first half")
        self.requests[0].abort()
        self.assertTrue(wire.aborted)

    def test_abort(self) -> None:
        """An abort breaks it."""
        channel, wire = self.connect()
        channel.dataReceived(get("a.example"))
        self.visitors.abort()
        self.assertTrue(wire.aborted)
