"""
Tests for ``ngrok_twisted.edge.http2``: how much is done in one turn of the reactor.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2 import TURN
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, Bare
from tests.edge.wire import Render


class TurnTests(SynchronousTestCase):
    """A read that brings much work is worked off in several turns."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.visitor = Bare(Render(self.render), clock=self.clock)
        self.connection, self.wire = self.visitor.connection, self.visitor.wire

    def render(self, request: Any) -> int:
        self.clock.rightNow += TURN / 2
        return NOT_DONE_YET

    def read(self, *frames: bytes) -> None:
        """One read, and its first turn."""
        self.connection.dataReceived(b"".join(frames))

    def heads(self, *numbers: int) -> list[bytes]:
        return [self.visitor.headers(number, GET) for number in numbers]

    @property
    def begun(self) -> int:
        return len(self.visitor.site.requests)

    def test_turns(self) -> None:
        """After a while others are looked after; nothing is read meanwhile, and what comes all the same waits its turn."""
        self.read(*self.heads(1, 3, 5, 7, 9))
        self.assertEqual((self.begun, self.wire.paused), (2, True))
        self.read(*self.heads(11), h2.ping(b"12345678"))
        self.assertEqual((self.begun, self.visitor.kinds()), (2, []))
        self.clock.advance(0)
        self.assertEqual((self.begun, self.wire.paused), (6, False))
        self.assertEqual(self.visitor.kinds(), [h2.PING])

    def test_resets(self) -> None:
        """Requests that are cancelled count as well, and not only at the end of a read."""
        self.read(*[part for head in zip(self.heads(1, 3, 5), map(_cancelled, (1, 3, 5))) for part in head])
        self.assertEqual((self.begun, len(self.connection.streams)), (2, 1))
        self.clock.advance(0)
        self.assertEqual((self.begun, self.connection.streams), (3, {}))

    def test_lost(self) -> None:
        """A connection that is lost meanwhile begins nothing more."""
        self.read(*self.heads(1, 3, 5, 7))
        self.visitor.leave()
        self.assertEqual((self.begun, self.clock.getDelayedCalls()), (2, []))

    def test_goodbye(self) -> None:
        """Nor does one that is told to go; it is listened to again, for its end."""
        self.read(*self.heads(1, 3, 5, 7))
        self.connection._no_settings()
        self.assertEqual((self.begun, self.wire.paused), (2, False))
        self.assertTrue(self.wire.half_closed)
        self.clock.advance(0)
        self.assertEqual(self.begun, 2)

    def test_half_close(self) -> None:
        """What came before the visitor's end of the connection is begun, and answered."""
        self.read(*self.heads(1, 3, 5, 7))
        self.connection.readConnectionLost()
        self.assertEqual((self.begun, self.wire.ended), (4, False))
        for request in self.visitor.site.requests:
            request.respond(ResponseHead(204, b"", [], None), last=True)
        self.assertTrue(self.wire.ended)

    def test_leaving(self) -> None:
        """A connection that is about to end, since nothing is open on it, first begins what has come."""
        self.connection.shut_down()
        (ping,) = [payload for kind, _, _, payload in self.visitor.frames() if kind == h2.PING]
        self.read(*self.heads(1, 3), h2.ping(ping, ack=True), *self.heads(5))
        for request in self.visitor.site.requests:
            request.respond(ResponseHead(204, b"", [], None), last=True)
        self.assertFalse(self.wire.ended)
        self.clock.advance(0)
        self.assertEqual((self.begun, self.wire.ended), (2, True))

    def test_unread(self) -> None:
        """A visitor that takes nothing is not listened to because its turn has come."""
        self.visitor.send(h2.ping(b"12345678"))
        self.connection.pauseProducing()
        self.connection.output.overdue = 10**6
        self.read(*self.heads(1, 3, 5))
        self.clock.advance(0)
        self.assertEqual((self.begun, self.wire.paused), (3, True))
        self.connection.resumeProducing()
        self.assertFalse(self.wire.paused)


def _cancelled(number: int) -> bytes:
    return h2.reset(number, h2.CANCEL)
