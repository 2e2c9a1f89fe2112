"""
Packets in batches: `PacketReader` opens all whole packets of a read, `PacketWriter` seals many into one write.

The large buffers belong to the process, not to a connection: an idle session keeps at most the start of one packet.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Sequence

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.turn import Turn
from ngrok_twisted.transports.ssh.framing import MAX_PACKET, OVERHEAD, PAYLOAD, U32, Frame, Opener, Sealer

# Bytes taken from the socket in one read, into a buffer that all connections share. What eight streams bring at a time is four
# packets for each then, which are one write. (With 256 KiB a gigabyte of eight streams costs half as much again, with 512 a
# quarter; 2 MiB save nothing more, and are more than a processor's own cache.)
READ_SIZE = 1024 * 1024

# The most data we put into one packet, and the most we accept in one. RFC 4253 section 6.1 obliges every
# implementation to take 32768 bytes of payload.
PACKET_DATA = 32 * 1024

# Sealed packets in one write: 32 full ones, in a buffer that all connections share. (With sixteen a gigabyte to the client costs
# five to ten parts in a hundred more.)
_WIRE_SIZE = 32 * (PACKET_DATA + 9 + OVERHEAD)

# The longest message that is sent in one packet, bytes.
MAX_MESSAGE = MAX_PACKET - OVERHEAD

MSG_CHANNEL_DATA = 94

DATA_HEAD = struct.Struct(">BII")
_DATA_START = PAYLOAD + DATA_HEAD.size


# The buffers of reads: the start of a packet, and what comes behind it. Usually one. A second appears only where delivering
# one connection's bytes makes another read at once, which in-memory transports do.
_idle: list[memoryview] = []


class PacketReader:
    """
    Splits what is received into messages.

    :ivar opener: the current keys; a receiver may replace it, and what follows is under the new ones.
    :ivar received: bytes received since it was last set to zero.
    """

    __slots__ = ("opener", "received", "_receive", "_finish", "_partial")

    def __init__(
        self, opener: Opener | None, receive: Callable[[memoryview, int, int], None], finish: Callable[[], None]
    ) -> None:
        """
        :param receive: called with a buffer and the bounds of a message in it.
        :param finish: called after the last message of a read. The buffer is valid until it returns.
        """
        self.opener = opener
        self.received = 0
        self._receive = receive
        self._finish = finish
        self._partial = b""

    def room(self) -> memoryview:
        """:return: where the next bytes belong; see `ngrok_twisted.interfaces.IFillable.fillable`."""
        if not _idle:
            _idle.append(memoryview(bytearray(MAX_PACKET + OVERHEAD + READ_SIZE)))
        wire = _idle[-1]
        partial = self._partial
        if not partial:
            return wire[:READ_SIZE]
        size = len(partial)
        wire[:size] = partial
        return wire[size : size + READ_SIZE]

    def filled(self, count: int) -> None:
        """
        Take ``count`` bytes that were written into `room`.

        :raises PacketError: a packet that cannot be right. No more must be fed.
        """
        wire = _idle.pop()
        try:
            self.received += count
            self._split(wire, len(self._partial) + count)
        finally:
            _idle.append(wire)

    @property
    def missing(self) -> int:
        """How many bytes of a packet that has begun are still to come; 0 if none has, or its length is not known."""
        partial, opener = self._partial, self.opener
        if len(partial) < 4 or opener is None or opener.trailer < 0:
            return 0
        return 4 + U32.unpack_from(partial)[0] + opener.trailer - len(partial)

    def feed(self, data: Any) -> None:
        """Take bytes that were received in another buffer. :raises PacketError: as `filled`."""
        view = memoryview(data)
        while view and self.opener is not None:
            room = self.room()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            view = view[count:]
            self.filled(count)

    def _split(self, wire: memoryview, end: int) -> None:
        receive = self._receive
        start = 0
        try:
            while (opener := self.opener) is not None:
                opened = opener.open(wire, start, end)
                if opened is None:
                    break
                start, first, last = opened
                receive(wire, first, last)
            self._finish()
        finally:
            self._partial = bytes(wire[start:end])


class PacketWriter:
    """
    Seals messages and writes them: small ones together at the end of the turn, bulk at once.

    :ivar sealer: the current keys.
    :ivar held: the gate: while it is true (a key exchange is going on) messages wait.
    :ivar queued: bytes of messages that wait.
    :ivar sent: bytes written since it was last set to zero.
    """

    __slots__ = ("sealer", "held", "queued", "sent", "_queue", "_ahead", "_turn", "_write", "_due")

    # For sealing, used and done with in one call; shared by all connections.
    _wire = memoryview(bytearray(_WIRE_SIZE))

    # Full packets, by their places in the wire buffer: 32 for a cipher.
    _frames: dict[int, Frame] = {}

    # The places of their data, for a cipher whose packets lie as frames do.
    _places: list[memoryview] = []

    def __init__(self, transport: Any, sealer: Sealer, turn: Turn) -> None:
        """:param transport: an `ITransport`; an `IBatchTransport` saves a copy."""
        self.sealer = sealer
        self.held = False
        self.queued = 0
        self.sent = 0
        self._queue: list[bytes] | None = None
        self._ahead = b""
        self._turn = turn
        self._due = False
        self._write: Callable[[Sequence[Any]], None]
        if IBatchTransport.providedBy(transport):
            self._write = transport.writeBatch
        else:
            self._write = lambda buffers: transport.write(b"".join(buffers))

    def send(self, message: bytes) -> None:
        """Send a message at the end of the turn, or when the gate opens."""
        if self._queue is None:
            self._queue = [message]
        else:
            self._queue.append(message)
        self.queued += len(message)
        if not self._due and not self.held:
            self._due = True
            self._turn.later(self.flush)

    def send_now(self, message: bytes) -> None:
        """Send a message at once, past the gate: those of the key exchange itself."""
        self.prepare(message)
        self._put(0)

    def prepare(self, message: bytes) -> None:
        """Seal a message under the present keys, as `send_now`; it leaves with what is written next."""
        if not self.held:
            self._seal_queue()
        self._ahead += self._sealed(message)

    def send_data(self, number: int, limit: int, buffers: Sequence[Any]) -> None:
        """
        Send bulk on a channel at once. The gate must be open.

        :param number: the channel, as the peer calls it.
        :param limit: the most bytes the peer takes in one packet.
        :param buffers: bytes-like objects; they are free when this returns.
        """
        wire = self._wire
        last = _WIRE_SIZE - limit - DATA_HEAD.size - OVERHEAD  # where the last packet may begin
        self._seal_queue()
        at = size = 0
        for buffer in buffers:
            view = memoryview(buffer)
            start, length = 0, len(view)
            while start < length:
                if at > last:
                    at = self._put(at)
                place, count = at + _DATA_START + size, min(limit - size, length - start)
                wire[place : place + count] = view[start : start + count]
                start += count
                size += count
                if size == limit:
                    at = self._seal_data(number, size, at)
                    size = 0
        if size:
            at = self._seal_data(number, size, at)
        self._put(at)

    def landing(self, window: int) -> list[memoryview] | None:
        """
        Where bulk may be written to instead of being handed over. The gate must be open.

        :param window: bytes that the channel may send, in packets of `PACKET_DATA`.
        :return: the places of the data of one packet after another; ``None`` where the cipher needs them elsewhere, or there is
            no window for one.
        """
        if not self.sealer.framed or window < PACKET_DATA:
            return None
        places = self._places
        if not places:
            frame = self._frame(0)
            for at in range(0, _WIRE_SIZE - frame.end + 1, frame.end):
                places.append(self._wire[at + _DATA_START : at + _DATA_START + PACKET_DATA])
        return places if window >= len(places) * PACKET_DATA else places[: window // PACKET_DATA]

    def landed(self, number: int, size: int) -> None:
        """
        Send what was written to the last `landing`.

        :param number: as in `send_data`.
        :param size: how many bytes.
        """
        self._seal_queue()
        at = 0
        while size > PACKET_DATA:
            at = self._seal_data(number, PACKET_DATA, at)
            size -= PACKET_DATA
        self._put(self._seal_data(number, size, at))

    def flush(self) -> None:
        """Send what waits, if the gate is open."""
        self._due = False
        if not self.held:
            self._seal_queue()
            self._put(0)

    def close(self) -> None:
        """Forget what waits, and send nothing more."""
        self._queue = None
        self._ahead = b""
        self.queued = 0
        self.held = True
        self._write = lambda buffers: None

    def _seal_queue(self) -> None:
        """What waits is sealed, and leaves with what is written next."""
        queue = self._queue
        if queue:
            self._queue = None
            self.queued = 0
            self._ahead += b"".join(map(self._sealed, queue))

    def _sealed(self, message: bytes) -> bytes:
        size = len(message)
        if size > MAX_MESSAGE:
            raise ValueError(f"a message of {size} bytes is too long")
        return self.sealer.sealed(message)

    def _seal_data(self, number: int, size: int, at: int) -> int:
        wire = self._wire
        DATA_HEAD.pack_into(wire, at + PAYLOAD, MSG_CHANNEL_DATA, number, size)
        if size == PACKET_DATA:
            return self.sealer.seal_framed(self._frames.get(at) or self._frame(at))
        return self.sealer.seal(wire, at, DATA_HEAD.size + size)

    def _frame(self, at: int) -> Frame:
        frame = self._frames[at] = Frame(self._wire, at, DATA_HEAD.size + PACKET_DATA)
        return frame

    def _put(self, end: int) -> int:
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            self.sent += len(ahead) + end
            self._write((ahead, self._wire[:end]) if end else (ahead,))
        elif end:
            self.sent += end
            self._write((self._wire[:end],))
        return 0
