"""Tests of `ngrok_twisted.transports.agent.frames`."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent import frames
from ngrok_twisted.transports.agent.frames import MAX_TEXT, MAX_UNKNOWN, ErrorCode, FrameReader, MuxError
from tests.transports.agent import wire
from tests.transports.agent.wire import FIN, SYN, cut, data, frame, goaway, places, rst, wndinc

U32 = st.integers(0, 0xFFFFFFFF)
IDS = st.integers(0, 0x7FFFFFFF)


class Stream:
    """A `Receiver`."""

    def __init__(self) -> None:
        self.batch: list[memoryview] = []
        self.gone = False


class Sink:
    """
    Writes down what it is told. Bodies of one frame are joined.

    :ivar unwanted: bodies for these ids are thrown away.
    """

    def __init__(self, unwanted: tuple[int, ...] = ()) -> None:
        self.events: list[Any] = []
        self.unwanted = unwanted
        self.streams: dict[int, Stream] = {}
        self.reader = FrameReader(self)

    def data_begins(self, id: int, flags: int, length: int) -> Any:
        self.events.append(["data", id, flags, length, b""])
        return None if id in self.unwanted else self.streams.setdefault(id, Stream())

    def data_ends(self, receiver: Any) -> None:
        self.take()
        self.events.append(["end", next(id for id, stream in self.streams.items() if stream is receiver)])

    def reset(self, id: int, code: int) -> None:
        self.take()
        self.events.append(["reset", id, code])

    def window_grows(self, id: int, increment: int) -> None:
        self.take()
        self.events.append(["window", id, increment])

    def gone_away(self, code: int, text: str) -> None:
        self.take()
        self.events.append(["gone", code, text])

    def feed(self, piece: bytes) -> None:
        """As the mux does it: with a buffer that is overwritten afterwards."""
        buffer = bytearray(piece)
        try:
            self.reader.feed(memoryview(buffer))
        except MuxError as error:
            self.take()
            self.events.append(["error", error.code])
            raise
        self.take()
        buffer[:] = bytes(len(buffer))

    def take(self) -> None:
        """Put what has come for streams where their frames are."""
        for stream in self.reader.touched:
            id = next(id for id, other in self.streams.items() if other is stream)
            body = b"".join(stream.batch)
            stream.batch = []
            while body:
                event = next(e for e in self.events if e[0] == "data" and e[1] == id and len(e[4]) < e[3])
                size = event[3] - len(event[4])
                event[4] += body[:size]
                body = body[size:]
        self.reader.touched.clear()


def heard(pieces: list[bytes], unwanted: tuple[int, ...] = ()) -> list[Any]:
    """What a sink hears of these bytes."""
    sink = Sink(unwanted)
    try:
        for piece in pieces:
            sink.feed(piece)
    except MuxError:
        pass
    return sink.events


FRAMES = st.one_of(
    st.builds(data, IDS, st.binary(max_size=60), st.integers(0, 15)),
    st.builds(rst, st.integers(1, 0x7FFFFFFF), U32),
    st.builds(wndinc, st.integers(1, 0x7FFFFFFF), U32),
    st.builds(frame, st.integers(4, 15), U32, st.binary(max_size=40), st.integers(0, 15)),
)


class SendingTests(SynchronousTestCase):
    """The frames that we send."""

    def test_rst(self) -> None:
        """RST has a code of four bytes."""
        self.assertEqual(frames.rst(7, ErrorCode.STREAM_CLOSED), bytes.fromhex("00000400 00000007 00000004"))

    def test_wndinc(self) -> None:
        """WNDINC has an increment of four bytes."""
        self.assertEqual(frames.wndinc(8, 65536), bytes.fromhex("00000420 00000008 00010000"))

    def test_data(self) -> None:
        """The header of DATA has length, type, flags and id."""
        packed = frames.pack_header(5 << 8 | frames.DATA | frames.SYN | frames.FIN, 2)
        self.assertEqual(packed, bytes.fromhex("00000513 00000002"))

    def test_goaway(self) -> None:
        """GOAWAY is for the session; its text is cut."""
        self.assertEqual(
            frames.goaway(9, ErrorCode.PROTOCOL_ERROR, "no"),
            bytes.fromhex("00000a30 00000000 00000009 00000001") + b"no",
        )
        self.assertEqual(len(frames.goaway(9, 1, "x" * 1000)), 16 + MAX_TEXT)

    @given(IDS, st.integers(0, 0xFFFFFF), st.sampled_from((0, FIN, SYN, FIN | SYN)))
    def test_read_back(self, id: int, length: int, flags: int) -> None:
        """A header says to the reader what it was made of."""
        (event,) = heard([frames.pack_header(length << 8 | frames.DATA | flags, id)])[:1]
        self.assertEqual(event[1:4], [id, flags, length])


class ReadingTests(SynchronousTestCase):
    """`FrameReader`."""

    def test_kinds(self) -> None:
        """Each kind of frame reaches the sink; a body with FIN is followed by its end."""
        pieces = data(3, b"hello", SYN) + data(3, b"bye", FIN) + rst(5, 6) + wndinc(7, 10) + goaway(1, b"text")
        self.assertEqual(
            heard([pieces]),
            [
                ["data", 3, SYN, 5, b"hello"],
                ["data", 3, FIN, 3, b"bye"],
                ["end", 3],
                ["reset", 5, 6],
                ["window", 7, 10],
                ["gone", 1, "text"],
            ],
        )

    def test_empty(self) -> None:
        """A frame without a body may carry flags."""
        self.assertEqual(heard([data(3, b"", SYN | FIN)]), [["data", 3, SYN | FIN, 0, b""], ["end", 3]])

    def test_reserved_bits(self) -> None:
        """The top bits of ids and increments do not count."""
        self.assertEqual(
            heard([data(0x80000003, b"x") + wndinc(0x80000005, 0x80000001)]),
            [["data", 3, 0, 1, b"x"], ["window", 5, 1]],
        )

    @given(st.lists(FRAMES, max_size=8), places())
    def test_any_split(self, sent: list[bytes], at: list[int]) -> None:
        """However the bytes are split, the same is heard."""
        whole = b"".join(sent)
        self.assertEqual(heard(cut(whole, at)), heard([whole]))

    @given(st.binary(max_size=300), places())
    def test_fuzz(self, noise: bytes, at: list[int]) -> None:
        """Any bytes are frames, or a `MuxError`; the split changes neither."""
        self.assertEqual(heard(cut(noise, at)), heard([noise]))

    @given(st.lists(FRAMES, min_size=1, max_size=6), st.integers(0, 200), st.integers(1, 255), places())
    def test_fuzz_nearly_right(self, sent: list[bytes], where: int, change: int, at: list[int]) -> None:
        """The same with frames of which one byte is wrong."""
        whole = bytearray(b"".join(sent))
        whole[where % len(whole)] ^= change
        self.assertEqual(heard(cut(bytes(whole), at)), heard([bytes(whole)]))

    def test_no_copies(self) -> None:
        """Bodies are views of what was fed."""
        sink = Sink()
        buffer = bytearray(data(3, b"one") + data(5, b"two") + data(3, b"three")[:-2])
        sink.reader.feed(buffer)
        self.assertEqual(sink.reader.touched, [sink.streams[3], sink.streams[5]])
        self.assertEqual([bytes(view) for view in sink.streams[3].batch], [b"one", b"thr"])
        self.assertTrue(all(view.obj is buffer for stream in sink.streams.values() for view in stream.batch))

    def test_unwanted(self) -> None:
        """A body that nobody wants is passed over, and its end is not told."""
        sent = data(3, b"unwanted" * 9, FIN) + data(5, b"wanted")
        for at in ([], [10], [10, 20, 85]):
            self.assertEqual(
                heard(cut(sent, at), unwanted=(3,)), [["data", 3, FIN, 72, b""], ["data", 5, 0, 6, b"wanted"]]
            )

    def test_gone_within(self) -> None:
        """A receiver that is gone in the middle of a body gets no more of it."""
        sink = Sink()
        sink.feed(frame(1, 3, b"first", FIN, length=11))
        sink.streams[3].gone = True
        sink.feed(b"second" + data(5, b"x"))
        self.assertEqual(sink.events, [["data", 3, FIN, 11, b"first"], ["data", 5, 0, 1, b"x"]])

    def test_huge(self) -> None:
        """A frame of 16 MiB is handed on as it comes; nothing of it is kept."""
        sink = Sink()
        size = 0xFFFFFF
        sink.reader.feed(frame(1, 3, length=size))
        piece = bytes(65536)
        left = size
        while left:
            sink.reader.feed(piece[: min(left, 65536)])
            left -= sum(map(len, sink.streams[3].batch))
            self.assertEqual((len(sink.streams[3].batch), len(sink.reader.touched)), (1, 1))
            sink.streams[3].batch = []
            sink.reader.touched.clear()
        sink.reader.feed(rst(3))
        self.assertEqual(sink.events[-1], ["reset", 3, 6])


class FaultTests(SynchronousTestCase):
    """Frames that may not be."""

    def refused(self, sent: bytes) -> ErrorCode:
        """Why."""
        with self.assertRaises(MuxError) as caught:
            Sink().reader.feed(sent)
        return caught.exception.code

    def test_lengths(self) -> None:
        """RST and WNDINC have four bytes; one that announces others is refused by its header alone."""
        for kind in (0, 2):
            for length in (0, 3, 5, 0xFFFFFF):
                self.assertEqual(self.refused(frame(kind, 3, length=length)), ErrorCode.FRAME_SIZE_ERROR)

    def test_for_no_stream(self) -> None:
        """RST and WNDINC are for streams, and 0 is none."""
        for kind in (0, 2):
            self.assertEqual(self.refused(frame(kind, 0x80000000, bytes(4))), ErrorCode.PROTOCOL_ERROR)

    def test_unknown(self) -> None:
        """Frames of unknown types are passed over, bodies and all, but not for ever."""
        sent = frame(9, 3, b"what is this", 15)
        self.assertEqual(heard([sent * MAX_UNKNOWN + rst(3)]), [["reset", 3, 6]])
        self.assertEqual(self.refused(sent * (MAX_UNKNOWN + 1)), ErrorCode.PROTOCOL_ERROR)

    def test_unknown_is_not_kept(self) -> None:
        """Of a large frame of an unknown type nothing is kept."""
        sink = Sink()
        sink.feed(frame(9, 3, length=100_000))
        for _ in range(10):
            sink.feed(bytes(10_000))
        sink.feed(rst(3))
        self.assertEqual(sink.events, [["reset", 3, 6]])


class FarewellTests(SynchronousTestCase):
    """GOAWAY."""

    def test_end_of_input(self) -> None:
        """Nothing is read behind it."""
        sink = Sink()
        sink.feed(goaway(11, b"bye") + data(3, b"x") + frame(0, 0, bytes(9)))
        sink.feed(b"and so on")
        sink.feed(data(3, b"x") + wndinc(3, 5))
        self.assertEqual((sink.events, sink.reader.ended), ([["gone", 11, "bye"]], True))

    def test_wrong_length(self) -> None:
        """Agents that announce 8 bytes too few are understood as far as that goes."""
        for text in (b"", b"short", b"invalid frame"):
            body = struct.pack(">II", 3, 1) + text
            (event,) = heard([frame(3, 0, body, length=len(text))])
            self.assertEqual(event[:2], ["gone", 1])
            self.assertTrue(text.decode().startswith(event[2]))

    def test_long_text(self) -> None:
        """Of a long text only the beginning is waited for."""
        sink = Sink()
        sink.feed(frame(3, 0, struct.pack(">II", 0, 2) + b"x" * MAX_TEXT, length=0xFFFFFF))
        self.assertEqual(sink.events, [["gone", 2, "x" * MAX_TEXT]])

    def test_text_is_not_utf8(self) -> None:
        """A text may be anything."""
        self.assertEqual(heard([goaway(0, b"\xff")]), [["gone", 0, "\ufffd"]])


class WireTests(SynchronousTestCase):
    """The tests' own frames."""

    def test_codes(self) -> None:
        """They are made without the code that they test, and agree with it."""
        self.assertEqual(wire.rst(5, 4), frames.rst(5, 4))
        self.assertEqual(wire.wndinc(5, 4), frames.wndinc(5, 4))
        self.assertEqual(wire.goaway(4, b"x", 5), frames.goaway(5, 4, "x"))
