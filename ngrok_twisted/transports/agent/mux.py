"""
`Mux`: many streams over one connection to an agent. Sans-I/O, and without a clock. Source: agent-protocol.md, section 3.

We are muxado's server: our ids are even, the agent's are odd. Nothing is kept here: streams keep what they may not send yet,
and bytes of the agent's that nobody has taken, up to their windows.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Protocol, Sequence

from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.transports.agent.frames import (
    FIN,
    MASK,
    MAX_BODY,
    SYN,
    ErrorCode,
    FrameReader,
    MuxError,
    goaway,
    rst,
)
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.streams import Stream

# Streams of ours for commands and heartbeats, beyond those that visitors may fill up.
RESERVE = 16

# The first id of the agent is 3 (section 3.3): 1 is never used.
FIRST_OF_AGENT = 3
FIRST_OF_OURS = 2

# Ids of the agent that were left out and may still come. Agents number a stream when it is made and announce it with its
# first bytes, so that two that are made together may come in either order.
MAX_LATE = 128


class StreamRefused(Exception):
    """
    A stream that the agent opens is not wanted.

    :ivar code: the `ErrorCode` that the agent is told.
    """

    def __init__(self, code: ErrorCode = ErrorCode.STREAM_REFUSED) -> None:
        self.code = code
        super().__init__(code.name)


class Output(Protocol):
    """
    The connection, as a mux and its streams see it.

    :ivar clock: an `IReactorTime`.
    :ivar later: see `ngrok_twisted.net.turn.Turn.later`.
    :ivar peer_host: the agent's IP address.
    :ivar peer_port: its port.
    :ivar transport: an `ITransport`.
    """

    clock: Any
    later: Callable[[Callable[[], object]], None]
    peer_host: str
    peer_port: int
    transport: Any

    def write_frames(self, buffers: Sequence[Any]) -> None:
        """
        Send whole frames. When the connection is full it calls `Mux.block`, at best before this returns. A few small frames
        come all the same, and it is for the connection to say how many an agent may have that does not read.

        :param buffers: bytes-like objects, good during the call only.
        """

    def gone_away(self, code: int, text: str) -> None:
        """The agent has said farewell: nothing that it sends counts any more, and the connection is to be closed."""

    def stream_over(self, stream: Any) -> None:
        """A stream is over, so that there is room for another."""


class Mux:
    """
    :ivar output: see `Output`.
    :ivar write: ``output.write_frames``.
    :ivar limits: see `AgentLimits`: it honours ``max_streams`` and ``max_requests``.
    :ivar streams: those that are not over, by id.
    :ivar accepted: how many of them the agent has opened.
    :ivar asked: how many streams the agent has opened so far, those that were refused too.
    :ivar blocked: the connection is full; streams with much to send wait.
    :ivar waiting: the streams that wait for that or for their window, in the order of their turns.
    :ivar ended: the agent has said farewell.
    :ivar closed: the connection is lost.
    """

    _log = Logger()

    def __init__(self, output: Output, accept: Callable[[int], Stream], limits: AgentLimits) -> None:
        """
        :param accept: given the id, makes the stream that the agent opens; it may raise `StreamRefused`.
        """
        self.output = output
        self.write = output.write_frames
        self.limits = limits
        self.streams: dict[int, Stream] = {}
        self.accepted = self.asked = 0
        self.blocked = False
        self.waiting: dict[Stream, None] = {}
        self.closed = False
        self._accept = accept
        self._reader = FrameReader(self)
        self._next = FIRST_OF_OURS
        self._highest = FIRST_OF_AGENT - 2
        self._late: dict[int, None] = {}
        self._answered = 0
        self._refused = 0
        self._going = False
        self._grown: list[Stream] = []  # their windows, since the last delivery

    # -- for the connection --------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """The agent has said farewell."""
        return self._reader.ended

    @property
    def room(self) -> int:
        """How many more streams may be opened for visitors."""
        if self.closed or self._going or self.ended or self._next > MASK:
            return 0
        return max(0, self.limits.max_streams - len(self.streams))

    def receive(self, data: Any) -> None:
        """
        Take bytes from the agent, in any pieces.

        :param data: bytes-like; streams see views of it, during this call.
        :raises MuxError: the session is over.
        """
        self.receive_batch((data,))

    def receive_batch(self, buffers: Iterable[Any]) -> None:
        """
        The same for several pieces at once: each stream gets what is for it in one call.

        :raises MuxError: the session is over. What came before the fault has been delivered.
        """
        if self.closed or self._reader.ended:
            return
        feed = self._reader.feed
        try:
            for data in buffers:
                feed(data)
        finally:
            self._deliver()

    def open(self, stream: Stream, visitor: bool = False) -> None:
        """
        Give a stream of ours its id. The agent hears of it with its first frame.

        :param visitor: it is for a visitor, and leaves a few to commands and heartbeats.
        :raises Overloaded: there are as many as there may be, or no ids are left.
        :raises TunnelLost: the connection is ending.
        """
        if self.closed or self._going or self.ended:
            raise TunnelLost()
        most = self.limits.max_streams + (0 if visitor else RESERVE)
        if len(self.streams) >= most or self._next > MASK:
            raise Overloaded("Too many connections to this service are open.")
        stream.opened(self._next, True)
        self.streams[self._next] = stream
        self._next += 2

    def block(self) -> None:
        """The connection is full."""
        self.blocked = True

    def unblock(self) -> None:
        """The connection takes bytes again: streams that wait send a frame each in turn, until it is full or they are done."""
        self.blocked = False
        waiting = self.waiting
        while waiting and not self.blocked:
            moved = False
            for stream in tuple(waiting):
                if self.blocked:
                    return
                window = stream.send_window
                if stream in waiting and window:
                    self._guard(stream, stream.drain, MAX_BODY)
                    moved = moved or stream.send_window != window
                    if stream in waiting:  # to the end of the queue
                        del waiting[stream]
                        waiting[stream] = None
            if not moved:
                return

    def go_away(self, code: int, text: str) -> None:
        """Say farewell. The connection is to be closed behind it."""
        if not self._going and not self.closed:
            self._going = True
            self.write((goaway(self._answered, code, text),))

    def lost(self, reason: Failure) -> None:
        """The connection is gone, and all on it."""
        self.closed = self.blocked = True
        streams, self.streams = self.streams, {}
        self.waiting.clear()
        for stream in streams.values():
            stream.over()
            self._guard(stream, stream.connection_lost, reason)
        self.accepted = 0

    # -- for streams ---------------------------------------------------------------------------------------------------

    def forget(self, stream: Stream) -> None:
        """It is over."""
        if self.streams.pop(stream.id, None) is None:
            return
        self.waiting.pop(stream, None)
        if stream.id & 1:
            self.accepted -= 1
        self.output.stream_over(stream)

    # -- FrameSink -----------------------------------------------------------------------------------------------------

    def data_begins(self, id: int, flags: int, length: int) -> Stream | None:
        """FrameSink."""
        stream = self._new(id) if flags & SYN else self.streams.get(id)
        if stream is None:
            if not id:
                raise MuxError(ErrorCode.PROTOCOL_ERROR, "data for no stream")
            if not flags & SYN and (length or not flags & FIN):
                self._refuse(id, ErrorCode.STREAM_CLOSED)
            return None
        if stream.fin_came:
            self._break(stream, ErrorCode.STREAM_CLOSED)
            return None
        window = stream.receive_window - length
        if window < 0:
            self._break(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return None
        stream.receive_window = window
        return stream

    def data_ends(self, receiver: Stream) -> None:
        """FrameSink."""
        if not receiver.batch:
            self._reader.touched.append(receiver)
        receiver.fin_came = True

    def reset(self, id: int, code: int) -> None:
        """FrameSink."""
        stream = self.streams.get(id)
        if stream is not None:
            self._end(stream, code)

    def window_grows(self, id: int, increment: int) -> None:
        """FrameSink."""
        stream = self.streams.get(id)
        if stream is None:
            return
        if not increment:
            self._break(stream, ErrorCode.PROTOCOL_ERROR)
            return
        stream.send_window += increment
        if stream.send_window > MASK:
            self._break(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        # Agents of the Rust family give credit in steps of 8 KiB: it counts when all of this read is there, so that what
        # waits leaves in few large frames.
        if not stream.window_grew:
            stream.window_grew = True
            self._grown.append(stream)

    def gone_away(self, code: int, text: str) -> None:
        """FrameSink."""
        self._deliver()
        self.output.gone_away(code, text)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _new(self, id: int) -> Stream | None:
        """
        The agent opens a stream.

        :raises MuxError: it cannot have this id.
        """
        self._check_id(id)
        self.asked += 1
        if self.accepted >= self.limits.max_requests:
            self._refuse(id, ErrorCode.ACCEPT_QUEUE_FULL)
            return None
        try:
            if self._going or self.closed:
                raise StreamRefused()
            stream = self._accept(id)
        except StreamRefused as refused:
            self._refuse(id, refused.code)
            return None
        except Exception:
            self._log.failure("agent: stream {id} could not be accepted", id=id)
            self._refuse(id, ErrorCode.INTERNAL_ERROR)
            return None
        stream.opened(id, False)
        self.streams[id] = stream
        self.accepted += 1
        self._answered = max(id, self._answered)
        return stream

    def _check_id(self, id: int) -> None:
        if not id & 1 or id < FIRST_OF_AGENT:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, f"a stream with the id {id} is not the agent's to open")
        if id > self._highest:
            late = self._late
            for left_out in range(max(self._highest + 2, id - 2 * MAX_LATE), id, 2):
                late[left_out] = None
            while len(late) > MAX_LATE:
                del late[next(iter(late))]
            self._highest = id
        elif id in self._late:
            del self._late[id]
        else:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, f"the stream id {id} was used before")

    def _refuse(self, id: int, code: ErrorCode) -> None:
        """Tell the agent that nobody takes this. What it sent before it has read so draws no more words."""
        if id != self._refused:
            self._refused = id
            self.write((rst(id, code),))

    def _break(self, stream: Stream, code: ErrorCode) -> None:
        """The agent has broken the rules of a stream, which costs it that stream."""
        self._log.debug("agent: stream {id} broke off: {code}", id=stream.id, code=code.name)
        self._refused = stream.id
        self.write((rst(stream.id, code),))
        self._end(stream, code)

    def _end(self, stream: Stream, code: int) -> None:
        """A stream is over for the agent: what it sent before comes first."""
        self._guard(stream, stream.deliver)
        if not stream.gone:
            stream.over()
            self._guard(stream, stream.reset_received, code)

    def _deliver(self) -> None:
        grown, self._grown = self._grown, []
        for stream in grown:
            stream.window_grew = False
            if not stream.gone:
                self._guard(stream, stream.window_opened)
        touched = self._reader.touched
        while touched:
            self._reader.touched = []
            for stream in touched:
                if not stream.gone:
                    self._guard(stream, stream.deliver)
            touched = self._reader.touched

    def _guard(self, stream: Stream, call: Callable[..., None], *arguments: Any) -> None:
        """What fails in one stream is logged, and ends no other."""
        try:
            call(*arguments)
        except Exception:
            self._log.failure("agent: stream {id} failed", id=stream.id)
            try:
                stream.failed()
            except Exception:
                self._log.failure("agent: stream {id} failed again", id=stream.id)
                stream.over()
