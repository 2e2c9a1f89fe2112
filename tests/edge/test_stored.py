"""
Tests for `ngrok_twisted.edge.stored`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.stored import PIECE, StoredBody


class Reader:
    """Whoever wants a body."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.trailers: Any = None

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        self.pieces.append(bytes(data))

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        assert self.trailers is None
        self.trailers = trailers


class Request:
    """What a stored body knows of its request."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.channel = self
        self.receiver: Any = Reader()

    def clock(self) -> Request:
        """IRequestChannel."""
        return self

    def callLater(self, delay: float, call: Any) -> Any:
        """IReactorTime."""
        assert delay == 0
        self.calls.append(call)
        return call

    def turn(self) -> None:
        """One turn of the reactor: what is asked for meanwhile comes with the next."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class StoredBodyTests(SynchronousTestCase):
    """A body on its way out of memory."""

    def setUp(self) -> None:
        self.request = Request()
        self.reader = self.request.receiver

    def stored(self, data: bytes, *trailers: tuple[bytes, bytes]) -> StoredBody:
        """On its way."""
        body = StoredBody(self.request, data, trailers)
        body.deliver()
        return body

    def test_short(self) -> None:
        """A short body is there at once, with what came after it, and then nobody waits for it."""
        self.stored(b"abc", (b"X-End", b"yes"))
        self.assertEqual((self.reader.pieces, self.reader.trailers), ([b"abc"], [(b"X-End", b"yes")]))
        self.assertIsNone(self.request.receiver)
        self.assertEqual(self.request.calls, [])

    def test_empty(self) -> None:
        """Of one without bytes only the end is heard."""
        self.stored(b"")
        self.assertEqual((self.reader.pieces, self.reader.trailers), ([], []))

    def test_long(self) -> None:
        """A long one comes piece by piece, one in each turn of the reactor."""
        data = bytes(range(256)) * (PIECE // 64)
        self.stored(data)
        for number in range(1, 4):
            self.assertEqual(b"".join(self.reader.pieces), data[: PIECE * number])
            self.assertIsNone(self.reader.trailers)
            self.request.turn()
        self.assertEqual((b"".join(self.reader.pieces), self.reader.trailers), (data, []))

    def test_paused(self) -> None:
        """It waits for a receiver that can take no more."""
        body = self.stored(b"x" * PIECE * 3)
        body.pause()
        self.request.turn()
        self.assertEqual(len(self.reader.pieces), 1)
        body.resume()
        body.resume()
        self.request.turn()
        self.assertEqual(len(self.reader.pieces), 2)
        self.request.turn()
        self.assertEqual((len(self.reader.pieces), self.reader.trailers), (3, []))

    def test_again(self) -> None:
        """Whoever asks next gets it from the start; the one before gets no more."""
        body = self.stored(b"x" * PIECE * 2)
        other = self.request.receiver = Reader()
        body.deliver()
        for _ in range(4):
            self.request.turn()
        self.assertEqual((len(self.reader.pieces), self.reader.trailers), (1, None))
        self.assertEqual((b"".join(other.pieces), other.trailers), (b"x" * PIECE * 2, []))

    def test_nobody_left(self) -> None:
        """When the receiver is gone nothing more happens."""
        body = self.stored(b"x" * PIECE * 2)
        self.request.receiver = None
        self.request.turn()
        body.resume()
        self.assertEqual((len(self.reader.pieces), self.request.calls), (1, []))

    def test_gone_meanwhile(self) -> None:
        """A receiver that hangs up while it is given the last piece is not told of the end."""

        class Leaving(Reader):
            def bodyReceived(reader, data: Any) -> None:
                super().bodyReceived(data)
                self.request.receiver = None

        self.request.receiver = reader = Leaving()
        self.stored(b"abc")
        self.assertEqual((reader.pieces, reader.trailers), ([b"abc"], None))
