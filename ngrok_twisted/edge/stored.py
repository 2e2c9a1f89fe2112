"""
`StoredBody`: a request's body that is in memory, on its way to whoever asks for it.

It goes in pieces, and waits when the receiver can take no more, as a body does that comes from the visitor: otherwise all
of it would be copied into the buffers of a service that reads slowly.
"""

from __future__ import annotations

from typing import Any, Sequence

KILOBYTE = 1024

# What is handed over in one turn of the reactor: a transport's usual buffer. Nearly all bodies that are held are shorter.
PIECE = 64 * KILOBYTE


class StoredBody:
    """
    One body, for one receiver after the other: each gets it from the start.

    :ivar data: the body, whole.
    :ivar trailers: ``(name, value)`` pairs that came after it.
    """

    __slots__ = ("data", "trailers", "_request", "_position", "_paused", "_turn")

    def __init__(self, request: Any, data: bytes, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """
        :param request: the `ngrok_twisted.edge.request.EdgeRequest`; its ``receiver`` is who gets the body.
        """
        self.data = data
        self.trailers = trailers
        self._request = request
        self._position = 0
        self._paused = False
        self._turn: Any = None

    def deliver(self) -> None:
        """Begin; the first piece comes before this call returns, and so does the end of a short body."""
        self._position = 0
        self._paused = False
        self._deliver_piece()

    def pause(self) -> None:
        """Deliver nothing more for now."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._go_on()

    def _go_on(self) -> None:
        if self._turn is None and not self._paused and self._request.receiver is not None:
            self._turn = self._request.channel.clock().callLater(0, self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        if not self._paused:
            self._deliver_piece()

    def _deliver_piece(self) -> None:
        receiver = self._request.receiver
        if receiver is None:
            return  # nobody wants it any more: the service hung up, or the visitor left
        piece = self.data[self._position : self._position + PIECE]
        self._position += len(piece)
        if piece:
            receiver.bodyReceived(piece)
        if self._request.receiver is not receiver:
            return
        if self._position < len(self.data):
            self._go_on()
        else:
            self._request.receiver = None
            receiver.bodyFinished(list(self.trailers))
