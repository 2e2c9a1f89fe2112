"""What the tests of the multiplexer share: an agent's frames, and the connection that ours go out on."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Sequence

from hypothesis import strategies as st

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from ngrok_twisted.net.turn import Turn

FIN, SYN = 1, 2


def frame(kind: int, id: int, body: bytes = b"", flags: int = 0, length: int | None = None) -> bytes:
    """Any frame; ``length`` makes it lie."""
    size = len(body) if length is None else length
    return struct.pack(">II", size << 8 | kind << 4 | flags, id) + body


def data(id: int, body: bytes = b"", flags: int = 0) -> bytes:
    """DATA."""
    return frame(1, id, body, flags)


def rst(id: int, code: int = 6) -> bytes:
    """RST."""
    return frame(0, id, struct.pack(">I", code))


def wndinc(id: int, increment: int) -> bytes:
    """WNDINC."""
    return frame(2, id, struct.pack(">I", increment))


def goaway(code: int = 0, text: bytes = b"", last: int = 0) -> bytes:
    """GOAWAY."""
    return frame(3, 0, struct.pack(">II", last, code) + text)


@dataclass(frozen=True)
class Frame:
    """A frame as it was sent."""

    kind: int
    id: int
    flags: int
    body: bytes

    @property
    def value(self) -> int:
        """The number in a RST or a WNDINC."""
        return int(struct.unpack(">I", self.body)[0])


def frames(wire: bytes) -> list[Frame]:
    """Take bytes that consist of whole frames apart."""
    found = []
    while wire:
        word, id = struct.unpack_from(">II", wire)
        end = 8 + (word >> 8)
        assert len(wire) >= end, "the last frame is cut short"
        found.append(Frame(word >> 4 & 15, id, word & 15, wire[8:end]))
        wire = wire[end:]
    return found


class Wire:
    """
    The connection below a `Mux`: it keeps what is sent.

    :ivar events: what it was told: ``("gone", code, text)``, ``"room"``.
    :ivar room: so many bytes fit; then it blocks its mux.
    """

    peer_host, peer_port = "192.0.2.7", 4443

    def __init__(self) -> None:
        self.clock = Clock()
        self.later = Turn(self.clock).later
        self.transport: Any = SimpleNamespace(getHost=lambda: IPv4Address("TCP", "192.0.2.1", 443))
        self.events: list[Any] = []
        self.room: int | None = None
        self.mux: Any = None
        self.written = 0
        self._wire = bytearray()

    def write_frames(self, buffers: Sequence[Any]) -> None:
        """`Output`."""
        for buffer in buffers:
            self._wire += buffer
        frames(b"".join(buffers))  # each call has whole frames
        self.written += 1
        if self.room is not None:
            self.room -= sum(map(len, buffers))
            if self.room <= 0:
                self.mux.block()

    def gone_away(self, code: int, text: str) -> None:
        """`Output`."""
        self.events.append(("gone", code, text))

    def room_made(self) -> None:
        """`Output`."""
        self.events.append("room")

    def take(self, kind: int | None = None) -> list[Frame]:
        """The frames that were sent since the last call; those of one kind."""
        taken = frames(bytes(self._wire))
        self._wire.clear()
        return [one for one in taken if kind is None or one.kind == kind]

    def turn(self) -> None:
        """Let the reactor go round."""
        self.clock.advance(0)


def cut(wire: bytes, at: Sequence[int]) -> list[bytes]:
    """Bytes in pieces that end at these places."""
    edges = [0, *sorted({place for place in at if 0 < place < len(wire)}), len(wire)]
    return [wire[start:end] for start, end in zip(edges, edges[1:])]


def places(most: int = 400) -> st.SearchStrategy[list[int]]:
    """Where to `cut`."""
    return st.lists(st.integers(0, most), max_size=12)
