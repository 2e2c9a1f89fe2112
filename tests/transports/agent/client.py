"""
`AgentEnd`: the agent's end of a connection; `FakeAgent` is one in memory, moved by hand.

It speaks as the real ones do: the type of a stream is a frame of its own, a request is not ended, a reply is ended by the
server and then by the agent. What the server sends is read at each `turn`.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Callable

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ngrok_twisted.transports.agent.connection import AgentConnection
from ngrok_twisted.transports.agent.factory import AgentConnectionFactory
from ngrok_twisted.transports.agent.frames import DATA, FIN, SYN, FrameReader, goaway, pack_header, rst, wndinc
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.typed import StreamType

ADDRESS = IPv4Address("TCP", "192.0.2.7", 50022)


class Wire(StringTransport):
    """
    The server's transport.

    :ivar aborted: the server has cut the connection.
    :ivar writes: the sizes of what was written, call by call.
    """

    aborted = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.writes: list[int] = []

    def write(self, data: bytes) -> None:
        """ITransport."""
        self.writes.append(len(data))
        super().write(data)

    def abortConnection(self) -> None:
        """ITCPTransport."""
        self.aborted = self.disconnecting = True


class Seen:
    """
    What the server has sent on one stream.

    :ivar data: its bytes.
    :ivar fin: there are no more.
    :ivar reset: the code of the first RST; ``None`` without one.
    :ivar grown: how much the agent's window has grown.
    :ivar frames: how many DATA frames there were.
    """

    def __init__(self, id: int) -> None:
        self.id = id
        self.data = b""
        self.fin = False
        self.reset: int | None = None
        self.grown = 0
        self.frames = 0
        # What a FrameReader wants of a receiver.
        self.batch: list[memoryview] = []
        self.gone = False

    @property
    def kind(self) -> int:
        """The type of a stream that the server has opened."""
        return int.from_bytes(self.data[:4], "big")

    @property
    def message(self) -> Any:
        """The JSON object in a stream that the server has opened, behind the type."""
        return json.loads(self.data[4:])

    @property
    def header(self) -> Any:
        """The header of a proxied stream (spec 8.1)."""
        return json.loads(self.data[12 : 12 + self._header_size])

    @property
    def raw(self) -> bytes:
        """What follows that header."""
        return self.data[12 + self._header_size :]

    @property
    def _header_size(self) -> int:
        size: int = struct.unpack_from("<q", self.data, 4)[0]
        return size


class AgentEnd:
    """
    The agent's end of a connection, wherever that is.

    :ivar seen: what came on each stream, by id.
    :ivar opened: the ids of streams that the server has opened, in order.
    :ivar farewell: code and text of a GOAWAY; ``None`` without one.
    """

    def __init__(self) -> None:
        self.seen: dict[int, Seen] = {}
        self.opened: list[int] = []
        self.farewell: tuple[int, str] | None = None
        self._reader = FrameReader(self)
        self._next = 3

    def raw(self, data: bytes) -> None:
        """Send any bytes."""
        raise NotImplementedError

    def turn(self, seconds: float = 0) -> None:
        """Let time pass, and read what the server has sent."""
        raise NotImplementedError

    def read(self, data: bytes) -> None:
        """Take bytes of the server."""
        self._reader.feed(data)
        for seen in self._reader.touched:
            batch, seen.batch = seen.batch, []
            seen.data += b"".join(batch)
        self._reader.touched.clear()

    # -- the agent sends -----------------------------------------------------------------------------------------------

    def frame(self, id: int, data: bytes = b"", flags: int = 0) -> None:
        """A DATA frame."""
        self.raw(pack_header(len(data) << 8 | DATA | flags, id) + data)

    def open(self, kind: int, data: bytes = b"") -> int:
        """
        Open a stream.

        :return: its id.
        """
        id = self._next
        self._next += 2
        self.frame(id, struct.pack(">I", kind), SYN)
        if data:
            self.frame(id, data)
        return id

    def fin(self, id: int) -> None:
        """End one direction of a stream."""
        self.frame(id, b"", FIN)

    def drop(self, id: int, code: int = 6) -> None:
        """End a stream at once."""
        self.raw(rst(id, code))

    def grow(self, id: int, size: int) -> None:
        """Let the server send more on a stream."""
        self.raw(wndinc(id, size))

    def go_away(self, code: int = 0, text: str = "no error") -> None:
        """Say farewell."""
        self.raw(goaway(0, code, text))

    def request(self, kind: StreamType, message: Any) -> int:
        """
        Ask for something.

        :return: the stream's id.
        """
        return self.open(kind, json.dumps(message).encode())

    def ask(self, kind: StreamType, message: Any) -> Any:
        """
        Ask for something that is answered at once, and say that the answer was read.

        :return: the reply.
        """
        id = self.request(kind, message)
        reply = self.reply(id)
        self.fin(id)
        return reply

    def reply(self, id: int) -> Any:
        """:return: the reply that has come on a stream; ``None`` if there is none yet."""
        self.turn()
        seen = self.seen.get(id)
        if seen is None or not seen.fin:
            return None
        return json.loads(seen.data)

    # -- the agent reads -----------------------------------------------------------------------------------------------

    def last(self, kind: int | None = None) -> Seen:
        """The stream that the server has opened last, of a certain type if one is given."""
        self.turn()
        return [self.seen[id] for id in self.opened if kind is None or self.seen[id].kind == kind][-1]

    # -- FrameSink -----------------------------------------------------------------------------------------------------

    def data_begins(self, id: int, flags: int, length: int) -> Seen:
        """FrameSink."""
        if flags & SYN:
            assert id % 2 == 0 and id not in self.seen, "the server opens a stream that it cannot"
            self.opened.append(id)
        seen = self.seen.setdefault(id, Seen(id))
        assert not seen.fin, "the server goes on behind its end"
        seen.frames += 1
        return seen

    def data_ends(self, receiver: Seen) -> None:
        """FrameSink."""
        receiver.fin = True

    def reset(self, id: int, code: int) -> None:
        """FrameSink."""
        seen = self.seen.setdefault(id, Seen(id))
        if seen.reset is None:  # what follows draws more of them
            seen.reset = code

    def window_grows(self, id: int, increment: int) -> None:
        """FrameSink."""
        assert increment, "an increment of zero ends the session of some agents"
        self.seen.setdefault(id, Seen(id)).grown += increment

    def gone_away(self, code: int, text: str) -> None:
        """FrameSink."""
        self.farewell = (code, text)


class FakeAgent(AgentEnd):
    """
    One in memory, moved by hand.

    :ivar connection: the server's end.
    :ivar wire: the server's transport.
    """

    def __init__(self, factory: AgentConnectionFactory, clock: Clock, address: Any = ADDRESS) -> None:
        super().__init__()
        self.clock = clock
        self.wire = Wire(peerAddress=address)
        connection = factory.buildProtocol(address)
        assert connection is not None
        self.connection: AgentConnection = connection
        connection.makeConnection(self.wire)

    def raw(self, data: bytes) -> None:
        """AgentEnd."""
        self.connection.dataReceived(data)

    def turn(self, seconds: float = 0) -> None:
        """AgentEnd."""
        self.clock.advance(seconds)
        data = self.wire.value()
        self.wire.clear()
        self.read(data)

    def lose(self, reason: Exception | None = None) -> None:
        """The connection is gone."""
        self.connection.connectionLost(Failure(reason or ConnectionDone()))


class NotingOwner:
    """
    Knows nothing, and notes what is asked.

    :ivar answer: called with kind and message for each request; gives or raises what the connection expects.
    """

    def __init__(self, connection: AgentConnection) -> None:
        self.connection = connection
        self.asked: list[tuple[StreamType, Any]] = []
        self.rooms = 0
        self.reasons: list[Failure] = []
        self.answer: Callable[[StreamType, Any], Any] = lambda kind, message: Reply(message={})

    def request(self, kind: StreamType, message: Any) -> Any:
        """Owner."""
        self.asked.append((kind, message))
        return self.answer(kind, message)

    def room_made(self) -> None:
        """Owner."""
        self.rooms += 1

    def lost(self, reason: Failure) -> None:
        """Owner."""
        self.reasons.append(reason)


class Meeting:
    """
    An agent, its connection, and an owner that notes.
    """

    def __init__(self, login: bool = True, **limits: Any) -> None:
        """
        :param login: the agent is let in at once, without an Auth.
        :param limits: those of `AgentLimits` that differ.
        """
        self.clock = Clock()
        self.owners: list[NotingOwner] = []
        self.factory = AgentConnectionFactory(self._own, self.clock, AgentLimits(**limits))
        self.agent = FakeAgent(self.factory, self.clock)
        if login:
            self.connection.logged_in(10, 15)

    def _own(self, connection: AgentConnection) -> NotingOwner:
        self.owners.append(NotingOwner(connection))
        return self.owners[-1]

    @property
    def owner(self) -> NotingOwner:
        """The owner of the connection."""
        return self.owners[0]

    @property
    def connection(self) -> AgentConnection:
        """The server's end."""
        return self.agent.connection
