"""
Tests for `ngrok_twisted.net.websocket`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net import websocket as ws

MASK = b"\x37\xfa\x21\x3d"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = MASK) -> bytes:
    """A frame as a client sends it."""
    head = bytearray(ws.frame_head(opcode, len(payload)))
    head[0] &= 0xFF if fin else 0x7F
    head[1] |= 0x80
    return bytes(head) + mask + ws.masked(payload, mask)


def joined(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The same with neighbouring pieces of data in one."""
    made: list[tuple[int, bytes]] = []
    for kind, data in found:
        if made and kind == ws.DATA == made[-1][0]:
            made[-1] = (kind, made[-1][1] + data)
        else:
            made.append((kind, data))
    return made


class WordsTests(SynchronousTestCase):
    """Single pieces of the protocol."""

    def test_accepted(self) -> None:
        """The example of RFC 6455 section 1.3."""
        self.assertEqual(ws.accepted(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_bad_keys(self) -> None:
        """A key is 16 bytes in Base64 and nothing else."""
        for key in (b"", b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25j", b"*", b" dGhlIHNhbXBsZSBub25jZQ=="):
            self.assertIsNone(ws.accepted(key))

    def test_heads(self) -> None:
        """Lengths are written in the shortest way (section 5.2, and the examples of 5.7)."""
        self.assertEqual(ws.frame_head(ws.TEXT, 5), b"\x81\x05")
        self.assertEqual(ws.frame_head(ws.BINARY, 125), b"\x82\x7d")
        self.assertEqual(ws.frame_head(ws.BINARY, 126), b"\x82\x7e\x00\x7e")
        self.assertEqual(ws.frame_head(ws.BINARY, 256), b"\x82\x7e\x01\x00")
        self.assertEqual(ws.frame_head(ws.BINARY, 65535), b"\x82\x7e\xff\xff")
        self.assertEqual(ws.frame_head(ws.BINARY, 65536), b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00")

    def test_masked(self) -> None:
        """The masked "Hello" of section 5.7."""
        self.assertEqual(ws.masked(b"Hello", MASK), b"\x7f\x9f\x4d\x51\x58")

    @given(st.binary(max_size=1500), st.binary(min_size=4, max_size=4), st.integers(0, 1500))
    def test_mask_in_pieces(self, data: bytes, mask: bytes, cut: int) -> None:
        """A mask undoes itself, and the pieces of a payload are masked as the whole is, long or short."""
        whole = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self.assertEqual(ws.masked(data, mask), whole)
        self.assertEqual(ws.masked(data[:cut], mask) + ws.masked(data[cut:], mask, min(cut, len(data))), whole)

    def test_close_codes(self) -> None:
        """What a Close frame may say (section 7.4), and what it may not."""
        self.assertEqual(ws.close_code(b""), ws.NO_CODE)
        self.assertEqual(ws.close_payload(ws.NO_CODE), b"")
        for code in (1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999):
            self.assertEqual(ws.close_code(ws.close_payload(code) + b"why"), code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
            error = self.assertRaises(ws.WebSocketError, ws.close_code, code.to_bytes(2, "big"))
            self.assertEqual(error.code, ws.PROTOCOL_ERROR)
        self.assertEqual(self.assertRaises(ws.WebSocketError, ws.close_code, b"\x03").code, ws.PROTOCOL_ERROR)
        self.assertEqual(self.assertRaises(ws.WebSocketError, ws.close_code, b"\x03\xe8\xff").code, ws.INVALID_DATA)


class ReaderTests(SynchronousTestCase):
    """Frames from a client."""

    def refused(self, data: bytes, reader: ws.FrameReader | None = None) -> None:
        error = self.assertRaises(ws.WebSocketError, (reader or ws.FrameReader()).feed, data)
        self.assertEqual(error.code, ws.PROTOCOL_ERROR)

    def test_examples(self) -> None:
        """The masked text, the ping and the fragments of section 5.7."""
        reader = ws.FrameReader()
        self.assertEqual(reader.feed(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [(ws.DATA, b"Hello")])
        self.assertEqual(reader.feed(b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [(ws.PING, b"Hello")])
        fragments = frame(ws.TEXT, b"Hel", fin=False) + frame(ws.PONG, b"x") + frame(ws.CONTINUATION, b"lo")
        self.assertEqual(reader.feed(fragments), [(ws.DATA, b"Hel"), (ws.PONG, b"x"), (ws.DATA, b"lo")])
        self.assertEqual(reader.feed(frame(ws.BINARY, b"next")), [(ws.DATA, b"next")])

    def test_lengths(self) -> None:
        """Payloads of every width of length, the longest arriving in pieces that are handed on as they come."""
        for size in (0, 1, 125, 126, 127, 65535, 65536, 70000):
            found = ws.FrameReader().feed(frame(ws.BINARY, b"x" * size))
            self.assertEqual(found, [(ws.DATA, b"x" * size)] if size else [])
        reader = ws.FrameReader()
        self.assertEqual(reader.feed(b"\x82\xff" + (2**62).to_bytes(8, "big") + b"\0\0\0\0some"), [(ws.DATA, b"some")])
        self.assertEqual(reader.feed(b"more"), [(ws.DATA, b"more")])
        self.assertEqual(reader._buffer, b"")

    def test_after_close(self) -> None:
        """What comes after a Close frame does not count, whatever it is."""
        reader = ws.FrameReader()
        found = reader.feed(frame(ws.CLOSE, b"\x03\xe8") + frame(ws.TEXT, b"late") + b"\xff\xff")
        self.assertEqual(found, [(ws.CLOSE, b"\x03\xe8")])
        self.assertTrue(reader.closed)
        self.assertEqual(reader.feed(b"\xff\xff"), [])

    def test_refused(self) -> None:
        """Everything that breaks the protocol is found (sections 5.1, 5.2, 5.4, 5.5)."""
        for data in (
            ws.frame_head(ws.TEXT, 0),  # no mask
            bytes((0xC1, 0x80)) + MASK,  # reserved bits
            bytes((0xA1, 0x80)) + MASK,
            bytes((0x91, 0x80)) + MASK,
            *(frame(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
            frame(ws.PING, b"x", fin=False),
            frame(ws.CLOSE, b"x", fin=False),
            frame(ws.PING, b"x" * 126),
            frame(ws.CONTINUATION, b"x"),
            frame(ws.CONTINUATION, b"x", fin=False),
            frame(ws.TEXT, b"x", fin=False) + frame(ws.TEXT, b"x"),
            frame(ws.TEXT, b"x", fin=False) + frame(ws.CONTINUATION, b"x") + frame(ws.CONTINUATION, b"x"),
            b"\x82\xfe\x00\x7d" + MASK,  # lengths that would have fitted into less
            b"\x82\xff" + (65535).to_bytes(8, "big") + MASK,
            b"\x82\xff" + (2**63).to_bytes(8, "big") + MASK,
        ):
            self.refused(data)

    def test_refused_at_once(self) -> None:
        """Two bytes are enough to see that a frame is wrong; nobody has to send the rest."""
        self.refused(b"\xf1\x80")
        self.refused(b"\x81\x00")

    @given(st.data())
    def test_any_cut(self, data: st.DataObject) -> None:
        """However the bytes of frames arrive, what is read is the same, and next to nothing is held."""
        frames, expected = b"", []
        for _ in range(data.draw(st.integers(0, 5))):
            payload = data.draw(st.binary(max_size=300))
            if data.draw(st.booleans()):
                parts = data.draw(st.integers(1, 3))
                size = len(payload) // parts + 1
                for number in range(parts):
                    opcode = ws.CONTINUATION if number else data.draw(st.sampled_from([ws.TEXT, ws.BINARY]))
                    piece = payload[number * size : (number + 1) * size]
                    frames += frame(
                        opcode, piece, fin=number == parts - 1, mask=data.draw(st.sampled_from([MASK, b"abcd"]))
                    )
                    expected += [(ws.DATA, piece)] if piece else []
            else:
                frames += frame(ws.PING, payload[:125])
                expected.append((ws.PING, payload[:125]))
        reader, found, position = ws.FrameReader(), [], 0
        while position < len(frames):
            size = data.draw(st.integers(1, 200))
            found += reader.feed(frames[position : position + size])
            self.assertLess(len(reader._buffer), 6 + 8 + 125)
            position += size
        self.assertEqual(joined(found), joined(expected))

    @given(st.binary(max_size=200))
    def test_noise(self, noise: bytes) -> None:
        """Any bytes are either read or refused."""
        try:
            ws.FrameReader().feed(noise)
        except ws.WebSocketError as error:
            self.assertEqual(error.code, ws.PROTOCOL_ERROR)
