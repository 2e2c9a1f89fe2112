"""
Typed streams: the word in front of each stream says what is spoken on it (spec 4).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Callable, Sequence

from twisted.python.failure import Failure

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.transports.agent.frames import ErrorCode
from ngrok_twisted.transports.agent.streams import Stream

_WORD = struct.Struct(">I")


class StreamType(IntEnum):
    """What is spoken on a stream."""

    AUTH = 0
    BIND = 1
    UNBIND = 2
    PROXY = 3
    RESTART = 4
    STOP = 5
    UPDATE = 6
    START_TUNNEL_WITH_LABEL = 7
    SRV_INFO = 8
    STOP_TUNNEL = 9
    PATCH_TUNNEL_STATE = 10
    HEARTBEAT = 0xFFFFFFFF

    @property
    def word(self) -> bytes:
        """As it stands in front of a stream."""
        return _WORD.pack(self)


#: What agents may ask for.
REQUESTS = frozenset(
    {
        StreamType.AUTH,
        StreamType.BIND,
        StreamType.UNBIND,
        StreamType.START_TUNNEL_WITH_LABEL,
        StreamType.SRV_INFO,
        StreamType.PATCH_TUNNEL_STATE,
    }
)


class Conversation:
    """What is spoken on a `ControlStream`. As it stands here it only waits for the end."""

    def received(self, stream: ControlStream, data: bytes) -> None:
        """
        The peer's next bytes.

        :param data: never empty. Who wants more of them than the window holds calls ``stream.credit``.
        """

    def sent(self, stream: ControlStream) -> None:
        """Our last byte has left (FIN). ``stream.gone`` tells whether the peer's had come before."""

    def finished(self, stream: ControlStream) -> None:
        """The peer has sent its last byte (FIN)."""
        stream.relax()

    def lost(self, stream: ControlStream, error: Exception) -> None:
        """
        The stream is over before its time.

        :param error: `StreamReset`, or `TunnelLost` if the connection is gone.
        """


class StreamReset(Exception):
    """
    A stream was reset: by the peer, or because it took too long or broke the rules.

    :ivar code: why: an `ErrorCode`, or anything else from the peer.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"reset with code {code}")


class ControlStream(Stream):
    """
    A stream of few bytes that are for the server itself.

    :ivar conversation: what is spoken on it now; it may be replaced on the way.
    """

    def __init__(self, mux: Any, clock: Any, conversation: Conversation) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        super().__init__(mux)
        self.conversation = conversation
        self._clock = clock
        self._call: Any = None

    @property
    def unread(self) -> int:
        """How many bytes wait for the peer to make room for them."""
        return self._unsent.size

    def wait(self, seconds: float, call: Callable[[ControlStream], object]) -> None:
        """
        Call ``call`` with the stream, unless within so many seconds `wait` or `relax` is called or the stream ends.
        """
        self.relax()
        self._call = self._clock.callLater(seconds, self._waited, call)

    def relax(self) -> None:
        """Wait for nothing."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _waited(self, call: Callable[[ControlStream], object]) -> None:
        self._call = None
        call(self)

    def give_up(self, code: int = ErrorCode.STREAM_CANCELLED) -> None:
        """
        End it now, both ways.

        :param code: what the peer is told.
        """
        if not self.gone:
            self.reset(code)
            self._end(StreamReset(code))

    # -- Stream --------------------------------------------------------------------------------------------------------

    def emit(self, buffers: Sequence[Any], total: int, fin: bool = False) -> None:
        """`Stream`."""
        super().emit(buffers, total, fin)
        if fin:
            self.conversation.sent(self)

    def over(self) -> None:
        """`Stream`."""
        super().over()
        self.relax()

    def received(self, batch: list[memoryview]) -> None:
        """`Stream`."""
        self.conversation.received(self, b"".join(batch))

    def fin_received(self) -> None:
        """`Stream`."""
        self.conversation.finished(self)

    def reset_received(self, code: int) -> None:
        """`Stream`."""
        self._end(StreamReset(code))

    def failed(self) -> None:
        """`Stream`."""
        self.give_up(ErrorCode.INTERNAL_ERROR)

    def connection_lost(self, reason: Failure) -> None:
        """`Stream`."""
        self._end(TunnelLost())

    def _end(self, error: Exception) -> None:
        self.relax()
        conversation, self.conversation = self.conversation, Conversation()
        conversation.lost(self, error)


class TypeWord(Conversation):
    """Waits for the word in front of a stream that the agent has opened, then gives the stream to whom it belongs."""

    def __init__(self, begin: Callable[[ControlStream, int], Conversation]) -> None:
        """
        :param begin: called with the stream and its type; gives the conversation that begins.
        """
        self._begin = begin
        self._word = b""

    def received(self, stream: ControlStream, data: bytes) -> None:
        """`Conversation`."""
        word = self._word + data
        if len(word) < _WORD.size:
            self._word = word
            return
        stream.conversation = conversation = self._begin(stream, _WORD.unpack_from(word)[0])
        rest = word[_WORD.size :]
        if rest and not stream.gone:
            conversation.received(stream, rest)

    def finished(self, stream: ControlStream) -> None:
        """`Conversation`: it ended before it said what it is."""
        stream.relax()
        stream.send((), fin=True)
