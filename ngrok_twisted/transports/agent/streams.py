"""
`Stream`: the windows and the ends of one stream of the multiplexer. Source: agent-protocol.md, sections 3.4 and 3.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

from twisted.python.failure import Failure

from ngrok_twisted.net.backlog import Backlog
from ngrok_twisted.transports.agent.frames import DATA, FIN, MAX_BODY, SYN, WINDOW, ErrorCode, pack_header, rst, wndinc

if TYPE_CHECKING:
    from ngrok_twisted.transports.agent.mux import Mux

# Bytes that the agent is given back at once. Small enough that three quarters of the window stay in flight, large enough
# that credit costs nothing.
CREDIT = WINDOW // 4


class Stream:
    """
    One stream. Kinds of streams override the hooks at the end.

    :ivar mux: what it belongs to.
    :ivar id: its number; 0 before `Mux.open` or the agent gave it one.
    :ivar send_window: bytes we may still send.
    :ivar receive_window: bytes the agent may still send.
    :ivar fin_came: the agent sends no more.
    :ivar got_fin: `fin_received` was called.
    :ivar sent_fin: we send no more.
    :ivar fresh: one of ours that the agent has not come to yet, as far as we know.
    :ivar kept: what was sent of a `fresh` stream that can be opened again, as long as there is no more of it than is kept.
    :ivar gone: it is over, both ways; nothing is sent or received any more.
    :ivar batch: buffers of the current read, see `FrameReader`.
    :ivar window_grew: the current read brought credit, of which `window_opened` is still to be told.
    """

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.id = 0
        self.send_window = WINDOW
        self.receive_window = WINDOW
        self.fin_came = self.got_fin = self.sent_fin = self.gone = False
        self.batch: list[memoryview] = []
        self.window_grew = False
        self.fresh = False
        self.kept: bytes | None = None
        self._flags = 0  # SYN until the first frame of a stream of ours is out
        self._owed = 0
        self._unsent = Backlog()
        self._fin_waits = False

    # -- sending -------------------------------------------------------------------------------------------------------

    def send(self, buffers: Sequence[Any], fin: bool = False) -> None:
        """
        Send bytes, whether or not the connection is full: this is for small things. What the window does not allow waits.

        :param buffers: bytes-like objects; they are free when this returns.
        :param fin: nothing more will be sent. It may come with no bytes at all.
        """
        if self.gone or self.sent_fin or self._fin_waits:
            return
        total = sum(map(len, buffers))
        if self._unsent.size or total > self.send_window:
            self._unsent.add(buffers)
            self._fin_waits = fin
            self.window_opened()
        elif total or fin:
            self.emit(buffers, total, fin)

    def emit(self, buffers: Sequence[Any], total: int, fin: bool = False) -> None:
        """
        Send frames now.

        :param buffers: bytes-like objects.
        :param total: their bytes, within `send_window`.
        :param fin: see `send`.
        """
        self.send_window -= total
        if self.kept is not None:
            self._keep(buffers, total, fin)
        flags = DATA | self._flags
        if total <= MAX_BODY:
            frames = [pack_header(total << 8 | flags | fin, self.id), *buffers]
        else:
            frames = _cut(buffers, total, flags, self.id, fin)
        self._flags = 0
        self.mux.write(frames)
        if fin:
            self.sent_fin = True
            if self.got_fin:
                self.over()

    def _keep(self, buffers: Sequence[Any], total: int, fin: bool) -> None:
        kept = self.kept or b""
        if fin or len(kept) + total > self.mux.limits.max_kept:
            self.kept = None
        else:
            self.kept = b"".join((kept, *buffers))

    def owe(self, size: int) -> None:
        """So many bytes were taken, and no more are wanted for now: they count at the next `credit`."""
        self._owed += size

    def credit(self, size: int) -> None:
        """So many bytes were taken; the agent is told in steps of `CREDIT`."""
        self._owed += size
        if self._owed >= CREDIT and not self.fin_came and not self.gone:
            owed, self._owed = self._owed, 0
            self.receive_window += owed
            self.mux.write((wndinc(self.id, owed),))

    def reset(self, code: int) -> None:
        """
        End it now, both ways. What waits is dropped; no hook is called.

        :param code: an `ErrorCode`.
        """
        if self.gone:
            return
        known = not self._flags & SYN
        self.over()
        if known:
            self.mux.write((rst(self.id, code),))

    def over(self) -> None:
        """Both ways have ended: the mux forgets it, and nothing is sent or received any more."""
        self.gone = True
        self.batch = []
        self._unsent.clear()
        self.mux.forget(self, not self._flags)

    # -- for the mux ---------------------------------------------------------------------------------------------------

    @property
    def put_off(self) -> bool:
        """Whether it can be opened again, and is still to be announced under its next id: nothing can be said of it yet."""
        return self.kept is not None and self._flags != 0

    def opened(self, id: int, ours: bool) -> None:
        """It has a number now."""
        self.id = id
        self.fresh = ours
        self._flags = SYN if ours else 0

    def deliver(self) -> None:
        """Call the hooks for what this read brought: bytes, and then the end."""
        batch, self.batch = self.batch, []
        if batch:
            self.received(batch)
        if self.fin_came and not self.got_fin and not self.gone:
            self.got_fin = True
            self.fin_received()
            if self.sent_fin and not self.gone:
                self.over()

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def received(self, batch: list[memoryview]) -> None:
        """Bytes. The buffers are good during the call only; what was taken of them is to be given back by `credit`."""

    def fin_received(self) -> None:
        """The agent sends no more. Called once."""

    def reset_received(self, code: int) -> None:
        """
        It is over: the agent ended it, or broke its rules and was told so.

        :param code: why, see `ErrorCode`; it may be none of these.
        """

    def ask_again(self) -> bool:
        """
        The agent had no place for it, and has taken none of its bytes.

        :return: whether it lives on. It is `put_off` then, until it gets another id, see `Mux.renumber`.
        """
        return False

    def window_opened(self) -> None:
        """The agent takes more."""
        unsent = self._unsent
        while unsent.size and self.send_window and not self.gone:
            pieces, total = unsent.take(self.send_window)
            self.emit(pieces, total, self._fin_waits and not unsent.size)

    def drain(self, limit: int) -> None:
        """The connection takes more, and it is this stream's turn. For those that wait in `Mux.waiting`."""

    def failed(self) -> None:
        """One of the other hooks raised an exception, which was logged."""
        self.reset(ErrorCode.INTERNAL_ERROR)

    def connection_lost(self, reason: Failure) -> None:
        """The whole connection is gone."""


def _cut(buffers: Sequence[Any], total: int, flags: int, id: int, fin: bool) -> list[Any]:
    """:return: what goes onto the wire for a body that needs several frames."""
    frames: list[Any] = []
    room = 0
    for buffer in buffers:
        view = memoryview(buffer)
        while view:
            if not room:
                room = min(total, MAX_BODY)
                total -= room
                frames.append(pack_header(room << 8 | flags | (FIN if fin and not total else 0), id))
                flags = DATA
            piece = view[:room]
            frames.append(piece)
            room -= len(piece)
            view = view[len(piece) :]
    return frames
