"""
`Mux`: many streams over one connection to an agent. Sans-I/O, and without a clock. Source: agent-protocol.md, section 3.

We are muxado's server: our ids are even, the agent's are odd. Nothing is kept here: streams keep what they may not send yet,
and bytes of the agent's that nobody has taken, up to their windows.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

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
from ngrok_twisted.transports.agent.ids import AgentIds
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.output import Output
from ngrok_twisted.transports.agent.pace import Pace
from ngrok_twisted.transports.agent.streams import Stream

# Streams of ours for commands and heartbeats, beyond those that visitors may fill up.
RESERVE = 16

# Section 3.3.
FIRST_OF_OURS = 2


class StreamRefused(Exception):
    """
    A stream that the agent opens is not wanted.

    :ivar code: the `ErrorCode` that the agent is told.
    """

    def __init__(self, code: ErrorCode = ErrorCode.STREAM_REFUSED) -> None:
        self.code = code
        super().__init__(code.name)


class Mux:
    """
    :ivar output: see `Output`.
    :ivar write: ``output.write_frames``.
    :ivar limits: see `AgentLimits`: it honours ``max_streams`` and ``max_requests``.
    :ivar pace: how many of ours it may be sent, see `Pace`.
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
        self.pace = Pace(limits.max_unanswered, limits.max_streams)
        self.streams: dict[int, Stream] = {}
        self.accepted = self.asked = 0
        self.blocked = False
        self.waiting: dict[Stream, None] = {}
        self.closed = False
        self._accept = accept
        self._reader = FrameReader(self)
        self._next = FIRST_OF_OURS
        self._ids = AgentIds()
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
        """How many more streams may be opened for visitors now."""
        if self.closed or self._going or self.ended or self._next > MASK:
            return 0
        return max(0, min(self.limits.max_streams - len(self.streams), self.pace.room))

    @property
    def full(self) -> bool:
        """Whether there are as many streams as there may be, so that one has to end before another begins."""
        return len(self.streams) >= self.limits.max_streams

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
        self._number(stream)

    def _number(self, stream: Stream) -> None:
        stream.opened(self._next, True)
        self.streams[self._next] = stream
        self.pace.opened(self._next)
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

    def renumber(self, stream: Stream) -> bool:
        """
        Give a stream that the agent refused another id, under which it hears of it as of a new one. It has kept its place.

        :return: whether there was one.
        """
        if self.closed or self._going or self._next > MASK:
            return False
        del self.streams[stream.id]
        self.pace.forget(stream.id)
        self._number(stream)
        return True

    def forget(self, stream: Stream, announced: bool) -> None:
        """
        It is over.

        :param announced: the agent has heard of it, and comes to it even so.
        """
        if self.streams.pop(stream.id, None) is None:
            return
        self.waiting.pop(stream, None)
        if stream.id & 1:
            self.accepted -= 1
        elif not announced:
            self.pace.forget(stream.id)
        self.output.room_made()

    # -- FrameSink -----------------------------------------------------------------------------------------------------

    def data_begins(self, id: int, flags: int, length: int) -> Stream | None:
        """FrameSink."""
        stream = self._new(id) if flags & SYN else self.streams.get(id)
        if stream is None:
            if not id:
                raise MuxError(ErrorCode.PROTOCOL_ERROR, "data for no stream")
            self._come_to(id)
            if not flags & SYN and (length or not flags & FIN):
                self._refuse(id, ErrorCode.STREAM_CLOSED)
            return None
        if stream.fresh and not self._taken(stream):
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
        if stream is not None and stream.put_off:
            return
        if code != ErrorCode.ACCEPT_QUEUE_FULL or id & 1:
            self._come_to(id)
        elif self._no_place(id, stream):
            return
        if stream is not None:
            self._end(stream, code)

    def window_grows(self, id: int, increment: int) -> None:
        """FrameSink."""
        stream = self.streams.get(id)
        if stream is None:
            self._come_to(id)
            return
        if stream.fresh and not self._taken(stream):
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

    def _no_place(self, id: int, stream: Stream | None) -> bool:
        """
        The agent's queue is full. A stream that it has not come to has harmed nothing yet.

        :param stream: ``None`` if it is over.
        :return: whether it is opened again.
        """
        self._log.debug("agent: there is no place for stream {id}", id=id)
        if self.pace.refused(id) and stream is None:
            self.output.room_made()
        if stream is None or not stream.fresh:
            return False
        # Agents of the Go family keep it, and what came on it, until they are told that nobody wants it.
        self.write((rst(id, ErrorCode.STREAM_CANCELLED),))
        if not stream.ask_again():
            return False
        self.pace.put_off(id)
        return True

    def _taken(self, stream: Stream) -> bool:
        """:return: whether a frame for a fresh stream of ours is the agent's first, rather than one that cannot be."""
        if stream.put_off:
            return False
        stream.fresh = False
        stream.kept = None
        if self.pace.answered(stream.id):
            self.output.room_made()
        return True

    def _come_to(self, id: int) -> None:
        """A frame for a stream that is over has come."""
        if not id & 1 and self.pace.answered(id):
            self.output.room_made()

    def _new(self, id: int) -> Stream | None:
        """
        The agent opens a stream.

        :raises MuxError: it cannot have this id.
        """
        self._ids.use(id)
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
