"""
`IncomingBody`: the body of a request, as the request itself offers it.
"""

from __future__ import annotations

from typing import Any, Sequence

from ngrok_twisted.edge.stock import StockRequest
from ngrok_twisted.edge.stored import StoredBody


class IncomingBody(StockRequest):
    """
    A part of `ngrok_twisted.edge.request.EdgeRequest`.
    """

    __slots__ = ("receiver", "body_length", "expects_continue", "_stored_body")

    receiver: Any
    body_length: int | None
    expects_continue: bool
    _stored_body: StoredBody | None

    def deliver_body(self, receiver: Any) -> None:
        """
        Have the body delivered; what is there already comes before this call returns.

        Nothing is lost before: a body that nobody asked for waits, and the visitor with it.

        :param receiver: an `ngrok_twisted.interfaces.IRequestBody`. It also hears of a body of no bytes.
        """
        self.receiver = receiver
        if self._stored_body is not None:
            self._stored_body.deliver()
        else:
            self.channel.body_wanted(self)

    def pause_body(self) -> None:
        """Stop the visitor for a while; what was read already is still delivered."""
        if self._stored_body is not None:
            self._stored_body.pause()
        elif not self.finished and not self.gone:
            self.channel.pause_body(self)

    def resume_body(self) -> None:
        """Go on after `pause_body`."""
        if self._stored_body is not None:
            self._stored_body.resume()
        elif not self.finished and not self.gone:
            self.channel.resume_body(self)

    def store_body(self, body: bytes, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """
        The whole body was read by a module: whoever asks next gets these bytes.

        :param body: as read, or changed.
        :param trailers: what came after it; with them its length stays untold, since only a chunked message has a place
            for them.
        """
        self._stored_body = StoredBody(self, body, trailers)
        self.body_length = None if trailers else len(body)
        self.expects_continue = False
        self.receiver = None

    @property
    def stored_body(self) -> bytes | None:
        """The body, if `store_body` was called."""
        return None if self._stored_body is None else self._stored_body.data
