"""
Tests for ``ngrok_twisted.edge.http2_life``: how connections begin, rest and end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, HELLO, POST, Bare
from tests.edge.wire import Render


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class LifeCase(SynchronousTestCase):
    """One connection."""

    def visitor(self, render: Any = waiting, **options: Any) -> Bare:
        return Bare(Render(render), **options)

    def wait(self, visitor: Bare, seconds: int) -> None:
        visitor.clock.pump([1] * seconds)


class DrainTests(LifeCase):
    """The server stops, or the endpoint moves: no request is lost."""

    def goaways(self, visitor: Bare) -> list[tuple[int, int]]:
        """Last stream and code of each GOAWAY since the last call."""
        return [h2.read_goaway(payload) for kind, _, _, payload in visitor.frames() if kind == h2.GOAWAY]

    def test_two_steps(self) -> None:
        """First everything is still taken; once the visitor has answered, nothing new is; then the connection ends."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.connection.shut_down()
        frames = visitor.frames()
        (ping,) = [payload for kind, _, _, payload in frames if kind == h2.PING]
        (first,) = [h2.read_goaway(payload) for kind, _, _, payload in frames if kind == h2.GOAWAY]
        self.assertEqual(first, (h2.MAX_STREAM_ID, h2.NO_ERROR))
        visitor.send(visitor.headers(3, GET))
        self.assertEqual(len(visitor.site.requests), 2)
        visitor.send(h2.ping(ping, ack=True))
        self.assertEqual(self.goaways(visitor), [(3, h2.NO_ERROR)])
        visitor.send(visitor.headers(5, GET))
        self.assertEqual((visitor.resets(), len(visitor.site.requests)), ({5: h2.REFUSED_STREAM}, 2))
        for request in visitor.site.requests:
            self.assertFalse(visitor.wire.ended)
            request.respond(_head(), [b"done"], last=True)
        self.assertTrue(visitor.wire.half_closed)
        self.assertEqual([frame[3] for frame in visitor.frames() if frame[0] == h2.DATA], [b"done"] * 2)

    def test_no_answer(self) -> None:
        """A visitor that does not answer the ping has a moment, not more."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.connection.shut_down()
        self.goaways(visitor)
        self.wait(visitor, 6)
        self.assertEqual(self.goaways(visitor), [(1, h2.NO_ERROR)])
        self.assertFalse(visitor.wire.ended)

    def test_at_rest(self) -> None:
        """A connection that rests ends as soon as the visitor knows."""
        visitor = self.visitor()
        visitor.connection.shut_down()
        (ping,) = [payload for kind, _, _, payload in visitor.frames() if kind == h2.PING]
        self.assertFalse(visitor.wire.ended)
        visitor.send(h2.ping(ping, ack=True))
        self.assertTrue(visitor.wire.half_closed)
        self.wait(visitor, 6)
        self.assertTrue(visitor.wire.disconnecting)

    def test_twice(self) -> None:
        """To be asked again changes nothing."""
        visitor = self.visitor()
        visitor.connection.shut_down()
        visitor.connection.shut_down()
        self.assertEqual(len(self.goaways(visitor)), 1)
        visitor.leave()
        visitor.connection.shut_down()
        self.assertEqual(self.goaways(visitor), [])

    def test_visitor_goes(self) -> None:
        """A visitor that says GOAWAY gets its answers, and may open windows for them."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET), h2.goaway(h2.NO_ERROR))
        visitor.request.respond(_head(), [bytes(h2.DEFAULT_WINDOW + 10)], last=True)
        visitor.frames()
        self.assertFalse(visitor.wire.ended)
        visitor.send(h2.window_update(0, 100), h2.window_update(1, 100))
        sizes = [len(payload) for kind, _, _, payload in visitor.frames() if kind == h2.DATA]
        self.assertEqual((sizes, visitor.wire.ended), ([10], True))

    def test_visitor_goes_at_rest(self) -> None:
        """With nothing under way the connection ends at once."""
        visitor = self.visitor()
        visitor.send(h2.goaway(h2.NO_ERROR))
        self.assertTrue(visitor.wire.ended)

    def test_bad_goaway(self) -> None:
        """A GOAWAY that cannot be is none."""
        for frame, code in (
            (h2.frame_head(h2.GOAWAY, 0, 1, 8) + bytes(8), h2.PROTOCOL_ERROR),
            (h2.frame_head(h2.GOAWAY, 0, 0, 7) + bytes(7), h2.FRAME_SIZE_ERROR),
            (h2.frame_head(h2.HEADERS, 0, 1, 1) + b"\x82" + h2.goaway(h2.NO_ERROR), h2.PROTOCOL_ERROR),
        ):
            visitor = self.visitor()
            visitor.send(frame)
            self.assertEqual(visitor.goaway(), code)


class TimeTests(LifeCase):
    """Nobody waits for ever."""

    def test_first_request(self) -> None:
        """A connection without a request is closed after a minute, whatever else comes."""
        visitor = self.visitor(lambda request: b"ok")
        for _ in range(58):
            self.wait(visitor, 1)
            visitor.send(h2.ping(b"12345678"))
        self.assertFalse(visitor.wire.ended)
        self.wait(visitor, 6)
        self.assertTrue(visitor.wire.ended)
        self.assertEqual(visitor.goaway(), h2.NO_ERROR)

    def test_partial_head(self) -> None:
        """Nor does half a head help."""
        visitor = self.visitor()
        frame = visitor.headers(1, GET)
        for byte in frame[:-1]:
            visitor.send(bytes((byte,)))
            self.wait(visitor, 2)
        self.wait(visitor, 60)
        self.assertTrue(visitor.wire.ended)

    def test_idle(self) -> None:
        """Between requests a connection may rest for five minutes; pings do not count."""
        visitor = self.visitor(lambda request: b"ok")
        visitor.send(visitor.headers(1, GET))
        self.wait(visitor, 290)
        visitor.send(visitor.headers(3, GET))
        for _ in range(298):
            self.wait(visitor, 1)
            visitor.send(h2.ping(b"12345678"))
        self.assertFalse(visitor.wire.ended)
        visitor.frames()
        self.wait(visitor, 6)
        self.assertEqual(visitor.goaway(), h2.NO_ERROR)

    def test_asked(self) -> None:
        """While a request is at work the visitor is asked after five minutes whether it is there, and stays if it is."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        for _ in range(3):
            visitor.frames()
            self.wait(visitor, 305)
            (ping,) = [payload for kind, _, _, payload in visitor.frames() if kind == h2.PING]
            visitor.send(h2.ping(ping, ack=True))
        self.assertFalse(visitor.wire.ended)
        self.wait(visitor, 305)
        self.assertIn(h2.PING, visitor.kinds())
        self.wait(visitor, 25)
        self.assertTrue(visitor.wire.aborted)

    def test_no_settings(self) -> None:
        """A visitor that does not acknowledge the settings is told so, and closed."""
        visitor = self.visitor(hello=h2.PREFACE + h2.settings_frame({}))
        visitor.send(visitor.headers(1, GET))
        self.wait(visitor, 34)
        self.assertEqual(visitor.goaway(), h2.SETTINGS_TIMEOUT)
        self.assertTrue(visitor.request.gone)

    def test_does_not_read(self) -> None:
        """A visitor whose transport takes nothing for five minutes is dropped."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.connection.pauseProducing()
        self.wait(visitor, 305)
        self.assertTrue(visitor.wire.aborted)

    def test_lingering(self) -> None:
        """A visitor that is sent away has a moment to read why; one that sends and sends is cut off."""
        visitor = self.visitor()
        visitor.send(b"\xff" * 9)
        self.assertTrue(visitor.wire.half_closed)
        self.assertFalse(visitor.wire.disconnecting)
        visitor.send(b"more")
        self.wait(visitor, 6)
        self.assertTrue(visitor.wire.disconnecting)
        self.wait(visitor, 305)
        self.assertTrue(visitor.wire.aborted)
        flood = self.visitor()
        flood.send(b"\xff" * 9)
        for _ in range(17):
            flood.send(bytes(1024 * 1024))
        self.assertTrue(flood.wire.aborted)

    def test_no_timers_left(self) -> None:
        """A connection that is gone leaves no timer, however it went."""
        for end in (
            lambda visitor: None,
            lambda visitor: visitor.connection.shut_down(),
            lambda v: v.send(b"\xff" * 9),
        ):
            visitor = self.visitor()
            visitor.send(visitor.headers(1, POST, end=False))
            end(visitor)
            visitor.leave()
            self.assertEqual(visitor.clock.getDelayedCalls(), [])


class EndTests(LifeCase):
    """How the visitor's side ends."""

    def test_interface(self) -> None:
        """A connection hears of the end of one side."""
        verifyObject(IHalfCloseableProtocol, self.visitor().connection)

    def test_half_close(self) -> None:
        """A visitor that sends nothing more gets the answers to what it asked for whole."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET), visitor.headers(3, POST, end=False))
        visitor.connection.readConnectionLost()
        whole, half = visitor.site.requests
        self.assertEqual((whole.gone, half.gone, visitor.wire.ended), (False, True, False))
        whole.respond(_head(), [b"ok"], last=True)
        self.assertTrue(visitor.wire.ended)
        self.assertIn(h2.DATA, visitor.kinds())

    def test_half_close_at_rest(self) -> None:
        """With nothing under way the connection is closed."""
        visitor = self.visitor()
        visitor.connection.readConnectionLost()
        self.assertTrue(visitor.wire.disconnecting)
        self.assertIsNone(visitor.wire.producer)

    def test_offence(self) -> None:
        """Whoever breaks the protocol is told the code and the reason; everyone who answers it is let go."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.frames()
        visitor.send(h2.frame_head(h2.SETTINGS, 0, 1, 0))
        ((kind, _, _, payload),) = visitor.frames()
        self.assertEqual((kind, h2.read_goaway(payload)), (h2.GOAWAY, (1, h2.PROTOCOL_ERROR)))
        self.assertTrue(payload[8:])
        self.assertTrue(visitor.request.gone)
        self.assertEqual(len(visitor.flows), 1)
        visitor.send(visitor.headers(3, GET))
        self.assertEqual(len(visitor.site.requests), 1)

    def test_without_half_close(self) -> None:
        """A transport that cannot close one side is closed."""

        visitor = self.visitor()
        visitor.wire.loseWriteConnection = None  # type: ignore[assignment,method-assign]
        visitor.send(b"\xff" * 9)
        self.assertTrue(visitor.wire.disconnecting)

    def test_limits_are_the_sites(self) -> None:
        """An operator's timeouts are kept."""
        visitor = self.visitor(limits=HTTPLimits(first_head=5))
        self.wait(visitor, 9)
        self.assertTrue(visitor.wire.ended)

    def test_arriving(self) -> None:
        """Until its first request a visitor is one that arrives."""
        visitor = Bare(Render(waiting), hello=b"")
        visitor.send(HELLO)
        self.assertTrue(visitor.connection.arriving)
        visitor.send(visitor.headers(1, GET))
        self.assertFalse(visitor.connection.arriving)


def _head() -> Any:
    return ResponseHead(200, b"OK", [], None)
