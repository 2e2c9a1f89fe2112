"""
Tests of `ngrok_twisted.crew.frames`.
"""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.crew import frames
from ngrok_twisted.crew.frames import NO_DESCRIPTOR, FrameError, FrameReader, frame
from ngrok_twisted.modules.compression import CompressionConfig
from ngrok_twisted.records.edge import Module, module


class FrameTests(SynchronousTestCase):
    """Bytes to messages and back."""

    @given(st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=50), st.booleans())), st.integers(1, 40))
    def test_pieces(self, wanted: list[tuple[str, bytes, bool]], size: int) -> None:
        """However the bytes are cut, the same messages come out, each with its own descriptor."""
        reader, found = FrameReader(), []
        data = b"".join(frame((kind, 0, value), has) for kind, value, has in wanted)
        reader.descriptors.extend(number for number, (_, _, has) in enumerate(wanted) if has)
        for start in range(0, len(data), size):
            found += reader.feed(data[start : start + size])
        self.assertEqual(
            found,
            [((kind, 0, value), number if has else NO_DESCRIPTOR) for number, (kind, value, has) in enumerate(wanted)],
        )

    def test_too_long(self) -> None:
        """What is too long is neither made nor taken."""
        self.patch(frames, "BODY_MAX", 100)
        self.assertRaises(FrameError, frame, ("kind", 0, b"x" * 100))
        self.assertRaises(FrameError, list, FrameReader().feed(b"\x00\x00\x00\x65\x00"))

    def test_missing_descriptor(self) -> None:
        """A message whose descriptor is not there is none of ours."""
        self.assertRaises(FrameError, list, FrameReader().feed(frame(("kind", 0, None), True)))

    def test_values(self) -> None:
        """Whatever records and claims are made of arrives as it was."""
        plain = Module(enabled=False)
        made = module(CompressionConfig(), enabled=False)
        for value in (plain, made, MappingProxyType({"app": "web"})):
            (((_, _, found), _),) = FrameReader().feed(frame(("kind", 0, value)))
            self.assertEqual(found, value)
            self.assertIs(type(found), type(value))
