"""Tests of `ngrok_twisted.transports.agent.typed`."""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.transports.agent.frames import SYN, WINDOW, ErrorCode
from ngrok_twisted.transports.agent.typed import (
    REQUESTS,
    ControlStream,
    Conversation,
    StreamReset,
    StreamType,
    TypeWord,
)
from tests.transports.agent.client import Meeting


class Noting(Conversation):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[object] = []

    def received(self, stream: ControlStream, data: bytes) -> None:
        self.notes.append(data)

    def sent(self, stream: ControlStream) -> None:
        self.notes.append("sent")

    def finished(self, stream: ControlStream) -> None:
        self.notes.append("finished")

    def lost(self, stream: ControlStream, error: Exception) -> None:
        self.notes.append(error)


class StreamTypeTests(SynchronousTestCase):
    """The types."""

    def test_words(self) -> None:
        """A type is a word, most significant byte first."""
        self.assertEqual(StreamType.BIND.word, b"\0\0\0\1")
        self.assertEqual(StreamType.HEARTBEAT.word, b"\xff\xff\xff\xff")

    def test_requests(self) -> None:
        """What agents ask for are the six kinds of requests."""
        self.assertEqual(sorted(REQUESTS), [0, 1, 2, 7, 8, 10])


class ControlStreamTests(SynchronousTestCase):
    """A stream of ours, and one of the agent's."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        self.agent = self.meeting.agent
        self.notes = Noting()

    def ours(self) -> ControlStream:
        """A stream that the server opens."""
        stream = ControlStream(self.meeting.connection.mux, self.meeting.clock, self.notes)
        self.meeting.connection.mux.open(stream)
        return stream

    def test_conversation(self) -> None:
        """Each side's bytes and ends come to the other, in order."""
        stream = self.ours()
        stream.send((b"one",))
        stream.send((b"two",), fin=True)
        seen = self.agent.last()
        self.assertEqual((seen.data, seen.fin), (b"onetwo", True))
        self.agent.frame(2, b"three")
        self.agent.fin(2)
        self.assertEqual(self.notes.notes, ["sent", b"three", "finished"])
        self.assertTrue(stream.gone)

    def test_window(self) -> None:
        """What the agent has no room for waits, and its last byte is told when it leaves."""
        stream = self.ours()
        stream.send((b"x" * (WINDOW + 10),), fin=True)
        self.assertEqual((len(self.agent.last().data), stream.unread, self.notes.notes), (WINDOW, 10, []))
        self.agent.grow(2, 100)
        seen = self.agent.last()
        self.assertEqual((len(seen.data), seen.fin, stream.unread), (WINDOW + 10, True, 0))
        self.assertEqual(self.notes.notes, ["sent"])

    def test_reset(self) -> None:
        """A reset of the agent ends the conversation, with its code."""
        self.ours().send((b"x",))
        self.agent.drop(2, 7)
        [error] = self.notes.notes
        assert isinstance(error, StreamReset)
        self.assertEqual(error.code, 7)

    def test_connection_lost(self) -> None:
        """So does the loss of the connection."""
        self.ours().send((b"x",))
        self.agent.lose()
        self.assertIsInstance(self.notes.notes[0], TunnelLost)

    def test_give_up(self) -> None:
        """A stream that is given up is reset, the conversation told so, and nothing more of it is heard."""
        stream = self.ours()
        stream.send((b"x",))
        stream.wait(5, ControlStream.give_up)
        self.agent.turn(5)
        self.assertEqual(self.agent.seen[2].reset, ErrorCode.STREAM_CANCELLED)
        [error] = self.notes.notes
        self.assertIsInstance(error, StreamReset)
        self.agent.frame(2, b"late")
        self.agent.lose()
        self.assertEqual(self.notes.notes, [error])

    def both_end(self, stream: ControlStream) -> None:
        """Both sides say that they are done."""
        stream.send((), fin=True)
        self.agent.fin(stream.id)

    def test_waiting(self) -> None:
        """A wait replaces the one before, and ends with the stream, however that ends."""
        done: list[str] = []
        for end in (
            lambda stream: stream.relax(),
            lambda stream: self.agent.drop(stream.id),
            lambda stream: stream.give_up(),
            self.both_end,
        ):
            stream = self.ours()
            stream.send((b"x",))
            stream.wait(1, lambda _: done.append("first"))
            stream.wait(2, lambda _: done.append("second"))
            end(stream)
            self.agent.turn(3)
        self.assertEqual(done, [])
        self.ours().wait(2, lambda _: done.append("third"))
        self.agent.turn(2)
        self.assertEqual(done, ["third"])


class TypeWordTests(SynchronousTestCase):
    """The word in front."""

    def begin(self, *pieces: bytes, fin: bool = False) -> tuple[list[int], Noting, FakeStream]:
        """Give a stream its first bytes; the types that were found, and what came behind."""
        kinds: list[int] = []
        notes = Noting()

        def chosen(stream: ControlStream, kind: int) -> Conversation:
            kinds.append(kind)
            return notes

        stream = FakeStream(TypeWord(chosen))
        for piece in pieces:
            stream.conversation.received(stream, piece)  # type: ignore[arg-type]
        if fin:
            stream.conversation.finished(stream)  # type: ignore[arg-type]
        return kinds, notes, stream

    def test_any_split(self) -> None:
        """However it is cut, the conversation gets what follows the word, and nothing of it."""
        text = struct.pack(">I", 0xFFFFFFFF) + b"abcd"
        for first in range(1, 8):
            for second in range(first, 8):
                pieces = [piece for piece in (text[:first], text[first:second], text[second:]) if piece]
                kinds, notes, _ = self.begin(*pieces)
                self.assertEqual(kinds, [0xFFFFFFFF])
                self.assertEqual(b"".join(notes.notes), b"abcd")  # type: ignore[arg-type]

    def test_word_alone(self) -> None:
        """The word alone begins the conversation, with no bytes."""
        self.assertEqual(self.begin(b"\0\0\0\2")[1].notes, [])
        self.assertEqual(self.begin(b"\0\0\0\2")[0], [2])

    def test_end_before(self) -> None:
        """A stream that ends before it says what it is, is ended too."""
        kinds, _, stream = self.begin(b"\0\0", fin=True)
        self.assertEqual((kinds, stream.ended, stream.waits), ([], True, False))

    def test_never(self) -> None:
        """One that does not say so for long is given up."""
        meeting = Meeting(patience=30.0)
        meeting.agent.frame(3, b"\0", SYN)
        meeting.agent.turn(29)
        self.assertNotIn(3, meeting.agent.seen)
        meeting.agent.turn(1)
        self.assertEqual(meeting.agent.seen[3].reset, ErrorCode.STREAM_CANCELLED)
        self.assertEqual(meeting.connection.mux.streams, {})


class FakeStream:
    """As little of a stream as the word needs."""

    gone = False

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.ended = False
        self.waits = True

    def relax(self) -> None:
        self.waits = False

    def send(self, buffers: tuple[bytes, ...], fin: bool = False) -> None:
        self.ended = fin
