"""
`ForwardedChannel`: an `ITransport` to the client's local service. Source: RFC 4254 section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Sequence

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.byte_transports import ILanding
from ngrok_twisted.errors import TunnelLost, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.net.substream import Substream
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.transports.ssh.channel import MSG_CHANNEL_DATA, Channel
from ngrok_twisted.transports.ssh.packets import DATA_HEAD, PACKET_DATA

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

# Characters of a client's text that are kept.
MAX_DETAIL = 200

# Writes up to this many bytes go out together with others at the end of the turn, larger ones at once.
SMALL = 8 * 1024


class OpenRefused(UpstreamUnreachable):
    """
    The client refused a channel.

    :ivar reason: RFC 4254 section 5.1; 2 is a failed connection to the local service.
    :ivar detail: the client's words, such as ``Connection refused``.
    """

    def __init__(self, reason: int, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__()


@implementer(ILanding)
class ForwardedChannel(Substream, Channel):
    """A byte stream to the client's local service, once the client has confirmed it."""

    # Those that all have. The others are in the instance's dict, which Python keeps small for up to 30 names in a class.
    __slots__ = (
        "connection number remote confirmed window receive_window send_window packet_limit batch got_eof got_close sent_eof "
        "sent_close _owed _unsent _incoming carrier _factory _opening _timeout _credited"
    ).split()

    credit = Channel.credit
    owe = Channel.owe

    def __init__(self, connection: Connection, number: int, factory: IProtocolFactory) -> None:
        Channel.__init__(self, connection, number, connection.windows.open())
        Substream.__init__(self)
        self.carrier = connection
        self._factory: IProtocolFactory | None = factory
        self._opening: Deferred[Any] | None = None
        self._timeout: Any = None
        self._credited: float = connection.clock.seconds()

    # -- opening -------------------------------------------------------------------------------------------------------

    def opening(self, timeout: float) -> Deferred[Any]:
        """
        :param timeout: seconds to wait for the client.
        :return: see `Connection.open_forwarded`.
        """
        self._opening = Deferred(lambda deferred: self._give_up(None))
        self._timeout = self.connection.clock.callLater(timeout, self._give_up, UpstreamTimeout())
        return self._opening

    def _give_up(self, error: Exception | None) -> None:
        """Nobody waits any more; if the client confirms after all, it is told to close."""
        opening = self._opened()
        self._factory = None
        if error is not None and opening is not None:
            opening.errback(error)

    def _opened(self) -> Deferred[Any] | None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
        opening, self._opening = self._opening, None
        return opening

    def confirm(self, remote: int, window: int, limit: int) -> None:
        """`Channel`: the service is there; build the protocol."""
        super().confirm(remote, window, limit)
        opening, factory = self._opened(), self._factory
        self._factory = None
        if opening is None or factory is None:
            self.send_close()
            return
        try:
            protocol: Any = factory.buildProtocol(self.getPeer())
            if protocol is None:
                raise TunnelLost("The connection was refused.")
            self._connect(protocol)
        except Exception:
            failure = Failure()
            self.send_close()
            opening.errback(failure)
            return
        opening.callback(protocol)

    def refused(self, reason: int, text: bytes) -> None:
        """The client could not, or would not, connect to its service."""
        detail = text[:MAX_DETAIL].decode("utf-8", "replace")
        detail = "".join(character if character.isprintable() else " " for character in detail)
        opening = self._opened()
        self._factory = None
        if opening is not None:
            opening.errback(OpenRefused(reason, detail))

    # -- from the client -----------------------------------------------------------------------------------------------

    def fit(self, taken: int) -> int:
        """`Channel`: as large as the speed of the protocol asks for."""
        now = self.connection.clock.seconds()
        since, self._credited = self._credited, now
        return self.connection.windows.fit(self.window, taken, now - since)

    def forgotten(self) -> None:
        """`Channel`."""
        self.connection.windows.close(self.window)

    def eof_received(self) -> None:
        """`Channel`."""
        self.peer_finished()

    def close_received(self) -> None:
        """`Channel`."""
        self.got_close = True
        self.send_close()
        self.peer_left()

    def abort(self) -> None:
        """`Channel`."""
        self.failed()

    def connection_lost(self, reason: Failure) -> None:
        """`Channel`."""
        self.sent_close = True
        opening = self._opened()
        self._factory = None
        if opening is not None:
            opening.errback(TunnelLost())
        self._lost(Failure(ConnectionLost("the SSH connection was lost")))

    # -- to the client -------------------------------------------------------------------------------------------------

    def later(self, call: Callable[[], None]) -> None:
        """`SubstreamOutput`."""
        self.connection.later(call)

    def _make_linger(self, call: Callable[[], None]) -> IdleWatch:
        return IdleWatch(self.connection.clock, self.connection.limits.close_linger, call)

    def _emit(self, buffers: Sequence[Any], total: int) -> None:
        self.send_window -= total
        if total <= SMALL and total <= self.packet_limit:
            head = DATA_HEAD.pack(MSG_CHANNEL_DATA, self.remote, total)
            self.connection.transport.send(b"".join((head, *buffers)))
        else:
            self.connection.transport.writer.send_data(self.remote, self.packet_limit, buffers)

    def landing(self) -> list[memoryview] | None:
        """`ILanding`."""
        if self.mute or self._unsent.size or self.connection.blocked or self.packet_limit != PACKET_DATA:
            return None
        return self.connection.transport.writer.landing(self.send_window)

    def landed(self, count: int) -> None:
        """`ILanding`."""
        self.send_window -= count
        self.connection.transport.writer.landed(self.remote, count)

    def _send_fin(self) -> None:
        self.send_eof()

    def _close(self) -> None:
        self.send_eof()
        self.send_close()

    def _abort(self) -> None:
        # A reset is a CLOSE without an end of file.
        self.send_close()

    # -- what a TCP transport has --------------------------------------------------------------------------------------

    def getPeer(self) -> IPv4Address | IPv6Address:
        """`ITransport`: the client, behind which the service is."""
        host, port = self.connection.peer_host, self.connection.peer_port
        return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)

    def getHost(self) -> IPv4Address | IPv6Address:
        """`ITransport`: our end of the SSH connection."""
        return self.connection.transport.transport.getHost()
