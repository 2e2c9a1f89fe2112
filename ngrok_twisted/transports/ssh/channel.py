"""
`Channel`: the windows and the ends of one channel. Source: RFC 4254 section 5.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from twisted.python.failure import Failure

from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.packets import PACKET_DATA
from ngrok_twisted.transports.ssh.publickey import Fields

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

MSG_WINDOW_ADJUST = 93
MSG_CHANNEL_DATA = 94
MSG_CHANNEL_EOF = 96
MSG_CHANNEL_CLOSE = 97

# What a client is given back at once. Three quarters of a window stay in flight over a distance, as they have to; smaller
# parts would cost a fast client on a short way more messages than it gains.
CREDIT = 4


class Channel:
    """
    :ivar number: our number.
    :ivar remote: the client's.
    :ivar confirmed: both sides know it.
    :ivar window: bytes that may come and not be taken.
    :ivar receive_window: bytes the client may still send.
    :ivar send_window: bytes we may still send.
    :ivar batch: buffers of the current read, see `Connection.deliver`; ``None`` if there are none.
    """

    def __init__(self, connection: Connection, number: int, window: int) -> None:
        self.connection = connection
        self.number = number
        self.remote = 0
        self.confirmed = False
        self.window = self.receive_window = window
        self.send_window = 0
        self.packet_limit = 0
        self.batch: list[memoryview] | None = None
        self.got_eof = self.got_close = False
        self.sent_eof = self.sent_close = False
        self._owed = 0

    def confirm(self, remote: int, window: int, limit: int) -> None:
        """
        Both sides know the channel.

        :param limit: the most data the client takes in one packet.
        :raises PacketError: it cannot take any.
        """
        if not limit:
            raise PacketError(PROTOCOL_ERROR, "a channel without room for data")
        self.remote = remote
        self.send_window = window
        self.packet_limit = min(limit, PACKET_DATA)
        self.confirmed = True

    def credit(self, size: int) -> None:
        """So many bytes were taken; tell the client when one part in `CREDIT` of its window is due."""
        self._owed += size
        if self._owed >= self.window // CREDIT and not self.sent_close and not self.got_eof:
            window = self.fit(self._owed)
            more = self._owed + window - self.window
            self.window = window
            self._owed = 0
            if more:
                self.receive_window += more
                self.connection.transport.send(struct.pack(">BII", MSG_WINDOW_ADJUST, self.remote, more))

    def owe(self, size: int) -> None:
        """So many bytes were taken, and no more are wanted for now: they count at the next `credit`."""
        self._owed += size

    def send_eof(self) -> None:
        """No more data will follow."""
        if not self.sent_eof and not self.sent_close:
            self.sent_eof = True
            self.connection.transport.send(struct.pack(">BI", MSG_CHANNEL_EOF, self.remote))

    def send_close(self) -> None:
        """The channel is over for us."""
        if self.sent_close:
            return
        self.sent_close = True
        self.connection.waiting.pop(self, None)
        if self.confirmed:
            self.connection.transport.send(struct.pack(">BI", MSG_CHANNEL_CLOSE, self.remote))

    # What kinds of channels do with it.

    def fit(self, taken: int) -> int:
        """
        :param taken: bytes of the window that were taken since the last time.
        :return: the window from now on, by at most so much smaller.
        """
        return self.window

    def forgotten(self) -> None:
        """Both sides have closed the channel, or the connection is gone."""

    def received(self, batch: list[memoryview]) -> None:
        """Data. The buffers are valid during the call only."""

    def eof_received(self) -> None:
        """The client sends no more."""

    def close_received(self) -> None:
        """The client has closed the channel, and its number is free."""

    def requested(self, name: bytes, fields: Fields) -> bool:
        """:return: whether a channel request is granted."""
        return False

    def request_answered(self) -> None:
        """The answer to `requested` is on its way."""

    def drain(self) -> None:
        """There may be room for what waits."""

    def abort(self) -> None:
        """It failed on our side."""

    def connection_lost(self, reason: Failure) -> None:
        """The whole connection is gone."""
