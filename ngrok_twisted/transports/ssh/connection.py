"""
``ssh-connection``: the table of channels, and global requests in order.

It replaces Conch's service of the same name: that one answers at once, buffers without bound and loses half-closes.
Source: RFC 4254; OpenSSH's PROTOCOL sections 2.5 and 3 for ``hostkeys-00``, ``no-more-sessions`` and keepalives.
"""

from __future__ import annotations

import struct
from sys import intern
from typing import TYPE_CHECKING, Any, Callable

from twisted.conch.ssh.common import NS
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.transports.ssh import messages
from ngrok_twisted.transports.ssh.channel import Channel
from ngrok_twisted.transports.ssh.channels import ForwardedChannel
from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.packets import PACKET_DATA
from ngrok_twisted.transports.ssh.publickey import BadKey, Fields
from ngrok_twisted.transports.ssh.requests import GlobalRequests
from ngrok_twisted.transports.ssh.sessions import SessionChannel

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.server import SSHTransport

# Our own unanswered global requests; with more waiting, one more asks nothing new.
MAX_PROBES = 16

_TWO = struct.Struct(">II")


class Connection:
    """
    One client after its login.

    :ivar principal: who it is.
    :ivar username: the user name it sent, bytes.
    :ivar peer_host: its IP address.
    :ivar peer_port: its TCP port.
    :ivar client_version: its identification line.
    :ivar channels: by our number.
    :ivar blocked: bulk must wait: the socket is full, or keys are being exchanged.
    :ivar no_more_sessions: the client has given up further sessions.
    :ivar waiting: the channels with bytes that wait for that or for their window, in order.
    :ivar windows: of the channels that visitors have; ``recent_window`` is about that of all that brought bytes last.
    """

    __slots__ = (
        "transport limits clock later principal username peer_host peer_port client_version channels blocked waiting "
        "windows recent_window gateway connected no_more_sessions _next_number _sessions _touched _requests _probes"
    ).split()
    _log = Logger()

    def __init__(self, transport: SSHTransport, principal: Principal, username: bytes) -> None:
        peer = transport.transport.getPeer()
        self.transport = transport
        self.limits = transport.limits
        self.clock = transport.clock
        self.later: Callable[[Callable[[], None]], None] = transport.factory.later
        self.principal = principal
        self.username = username
        self.peer_host: str = getattr(peer, "host", "")
        self.peer_port: int = getattr(peer, "port", 0)
        self.client_version = intern(transport.otherVersionString.decode("ascii", "replace"))
        self.channels: dict[int, Channel] = {}
        self.blocked = False
        self.waiting: dict[Channel, None] = {}
        self.windows = self.limits.windows()
        self.gateway: Any = None
        self.connected = True
        self.recent_window = self._next_number = self._sessions = 0
        self.no_more_sessions = False
        self._touched: list[Channel] | None = None  # a list for each read costs less than one that is kept, and cold
        self._requests: GlobalRequests | None = GlobalRequests(self)
        self._probes: list[Deferred[None] | None] = []

    # -- for the gateway -----------------------------------------------------------------------------------------------

    def open_forwarded(
        self, address: bytes, port: int, originator_host: str, originator_port: int, factory: IProtocolFactory
    ) -> Deferred[Any]:
        """
        Open a ``forwarded-tcpip`` channel (RFC 4254 section 7.2).

        :param address: as the client asked for it, byte for byte.
        :param port: as asked for, or as allocated.
        :param originator_host: the visitor's IP address.
        :param factory: builds the protocol whose transport the channel becomes.
        :return: a Deferred that fires with the protocol once the client has confirmed; fails with
            `channels.OpenRefused` (an `UpstreamUnreachable`), `UpstreamTimeout`, `TunnelLost` or `Overloaded`. It can
            be cancelled.
        """
        if not self.connected:
            return fail(TunnelLost())
        if len(self.channels) >= self.limits.max_channels:
            return fail(Overloaded("Too many connections to this service are open."))
        channel = ForwardedChannel(self, self._number(), factory)
        self.channels[channel.number] = channel
        self.transport.send(
            messages.OPEN_FORWARDED
            + struct.pack(">III", channel.number, channel.window, PACKET_DATA)
            + NS(address)
            + struct.pack(">I", port)
            + NS(originator_host.encode("ascii", "replace"))
            + struct.pack(">I", originator_port)
        )
        return channel.opening(self.limits.open_timeout)

    def probe(self) -> Deferred[None]:
        """
        Ask the client for a sign of life.

        :return: a Deferred that fires on any answer, and fails with `TunnelLost`.
        """
        if not self.connected:
            return fail(TunnelLost())
        # One that was cancelled keeps its place: its answer still comes.
        result: Deferred[None] = Deferred()
        if len(self._probes) >= MAX_PROBES:
            if self._probes[-1] is None:
                self._probes[-1] = result
            else:
                self._probes[-1].addCallbacks(result.callback, result.errback)
            return result
        self._probes.append(result)
        self.transport.send(messages.KEEPALIVE)
        return result

    def disconnect(self, code: int, text: str) -> None:
        """End the connection and tell the client why: RFC 4253 section 11.1."""
        self.transport.disconnect(code, text)

    def lose(self) -> None:
        """End the connection."""
        self.transport.loseConnection()

    # -- for the transport ---------------------------------------------------------------------------------------------

    def start(self, gateway: Any) -> None:
        """The login is answered: announce our host keys (spec 8.4)."""
        self.gateway = gateway
        self.transport.send(messages.HOST_KEYS + self.transport.factory.host_key_blobs)

    def lost(self, reason: Failure) -> None:
        """The connection is gone, and all on it."""
        self.connected, self.blocked, self._requests = False, True, None  # which holds this connection
        channels, self.channels = self.channels, {}
        probes, self._probes = self._probes, []
        for channel in channels.values():
            self._guard(channel.connection_lost, reason)
        for probe in probes:
            if probe is not None and not probe.called:
                probe.errback(TunnelLost())
        self.waiting.clear()
        gateway, self.gateway = self.gateway, None
        if gateway is not None:
            self._guard(gateway.disconnected, reason)

    def keepalive(self) -> None:
        """Ask for a sign of life; any message counts as one."""
        if self.connected and len(self._probes) < MAX_PROBES:
            self._probes.append(None)  # nobody waits for this one
            self.transport.send(messages.KEEPALIVE)

    def block(self, blocked: bool) -> None:
        """Stop or resume bulk."""
        self.blocked = blocked
        if blocked:
            return
        for channel in tuple(self.waiting):
            if self.blocked:
                return
            self._guard(channel.drain)

    def data(self, plain: memoryview, first: int, last: int) -> None:
        """
        ``SSH_MSG_CHANNEL_DATA``: kept until `deliver`.

        :raises PacketError: its length lies, or it is more than the window allows.
        """
        if first + 9 > last:
            raise PacketError(PROTOCOL_ERROR, "data is cut short")
        number, length = _TWO.unpack_from(plain, first + 1)
        channel = self._channel_data(number, length, last - first - 9)
        if length and not channel.sent_close:
            if channel.batch is not None:
                channel.batch.append(plain[first + 9 : last])
                return
            channel.batch = [plain[first + 9 : last]]
            if self._touched is None:
                self._touched = [channel]
            else:
                self._touched.append(channel)

    def _channel_data(self, number: int, length: int, there: int) -> Channel:
        """:param there: bytes that are there, where the message speaks of ``length``."""
        channel = self.channels.get(number)
        if channel is None or not channel.confirmed:
            raise PacketError(PROTOCOL_ERROR, f"data for channel {number}, which is not open")
        if length != there:
            raise PacketError(PROTOCOL_ERROR, "the length of channel data is wrong")
        channel.receive_window -= length
        if channel.receive_window < 0 or length > PACKET_DATA or channel.got_eof:
            self._log.warn("ssh {peer}: channel {number}: window violation", peer=self.peer_host, number=number)
            raise PacketError(PROTOCOL_ERROR, "data that the window or the end of file does not allow")
        return channel

    def deliver(self) -> None:
        """Give each channel what this read brought for it, in one call."""
        touched = self._touched
        if touched is None:
            return
        self._touched = None
        self.recent_window = touched[-1].window * len(touched)
        for channel in touched:
            batch, channel.batch = channel.batch, None
            try:
                channel.received(batch or [])
            except Exception:
                self._log.failure("ssh {peer}: a channel failed", peer=self.peer_host)
                self._guard(channel.abort)

    def adjust(self, plain: memoryview, first: int, last: int) -> None:
        """``SSH_MSG_CHANNEL_WINDOW_ADJUST``. :raises PacketError: the window would overflow."""
        if last - first != 9:
            raise PacketError(PROTOCOL_ERROR, "bad WINDOW_ADJUST")
        number, more = _TWO.unpack_from(plain, first + 1)
        channel = self._channel(number)
        channel.send_window += more
        if channel.send_window > messages.MAX_WINDOW:
            raise PacketError(PROTOCOL_ERROR, "window overflow")
        if channel in self.waiting and not self.blocked:
            self._guard(channel.drain)

    def received(self, kind: int, payload: bytes) -> None:
        """
        Any other message of the service.

        :raises PacketError: it is malformed, or names a channel that does not exist.
        """
        handle = self._MESSAGES.get(kind)
        if handle is None:
            self.transport.sendUnimplemented()
            return
        try:
            handle(self, payload)
        except (BadKey, struct.error):
            raise PacketError(PROTOCOL_ERROR, f"message {kind} is malformed") from None

    def forget(self, channel: Channel) -> None:
        """Both sides have closed a channel: its number is free."""
        self.channels.pop(channel.number, None)
        self.waiting.pop(channel, None)
        channel.forgotten()
        if isinstance(channel, SessionChannel):
            self._sessions -= 1

    def _guard(self, call: Callable[..., None], *arguments: Any) -> None:
        """What fails in one channel is logged, and ends no other."""
        try:
            call(*arguments)
        except Exception:
            self._log.failure("ssh {peer}: a channel or its gateway failed", peer=self.peer_host)

    def _number(self) -> int:
        number = self._next_number
        while number in self.channels:
            number = number + 1 & 0xFFFFFFFF
        self._next_number = number + 1 & 0xFFFFFFFF
        return number

    def _channel(self, number: int) -> Channel:
        channel = self.channels.get(number)
        if channel is None:
            raise PacketError(PROTOCOL_ERROR, f"channel {number} is not open")
        return channel

    def _global_request(self, payload: bytes) -> None:
        if self._requests is not None:
            self._requests.received(payload)

    def _request_answered(self, payload: bytes) -> None:
        if self._probes:
            probe = self._probes.pop(0)
            if probe is not None and not probe.called:
                probe.callback(None)

    # -- channels, RFC 4254 section 5 ----------------------------------------------------------------------------------

    def _channel_open(self, payload: bytes) -> None:
        fields = Fields(payload)
        kind = fields.string()
        remote, window, limit = struct.unpack(">III", fields.raw(12))
        reason, text = self._objection(kind)
        if reason:
            self.transport.send(
                struct.pack(">BII", messages.CHANNEL_OPEN_FAILURE, remote, reason) + NS(text.encode("ascii")) + NS(b"")
            )
            return
        channel = SessionChannel(self, self._number())
        self.channels[channel.number] = channel
        self._sessions += 1
        self.transport.send(
            struct.pack(
                ">BIIII", messages.CHANNEL_OPEN_CONFIRMATION, remote, channel.number, channel.window, PACKET_DATA
            )
        )
        channel.confirm(remote, window, limit)

    def _objection(self, kind: bytes) -> tuple[int, str]:
        if kind in (b"direct-tcpip", b"direct-streamlocal@openssh.com", b"x11", b"auth-agent@openssh.com"):
            return messages.ADMINISTRATIVELY_PROHIBITED, "not possible here"
        if kind != b"session":
            return messages.UNKNOWN_CHANNEL_TYPE, "unknown channel type"
        if self.no_more_sessions:
            return messages.ADMINISTRATIVELY_PROHIBITED, "no more sessions"
        if self._sessions >= self.limits.max_sessions or len(self.channels) >= self.limits.max_channels:
            return messages.RESOURCE_SHORTAGE, "too many sessions"
        return 0, ""

    def _open_confirmed(self, payload: bytes) -> None:
        number, remote, window, limit = struct.unpack(">IIII", payload[:16])
        self._opening(number).confirm(remote, window, limit)

    def _open_refused(self, payload: bytes) -> None:
        fields = Fields(payload)
        number, reason = struct.unpack(">II", fields.raw(8))
        channel = self._opening(number)
        self.forget(channel)
        channel.refused(reason, fields.string())

    def _opening(self, number: int) -> ForwardedChannel:
        channel = self._channel(number)
        if channel.confirmed or not isinstance(channel, ForwardedChannel):
            raise PacketError(PROTOCOL_ERROR, f"channel {number} is open already")
        return channel

    def _extended_data(self, payload: bytes) -> None:
        # Neither sessions nor forwarded connections have a use for it; the window counts all the same.
        number, _, length = struct.unpack_from(">III", payload)
        channel = self._channel_data(number, length, len(payload) - 12)
        channel.credit(length)

    def _eof(self, payload: bytes) -> None:
        channel = self._confirmed(payload)
        if not channel.got_eof:
            channel.got_eof = True
            self._guard(channel.eof_received)

    def _close(self, payload: bytes) -> None:
        channel = self._confirmed(payload)
        self.forget(channel)
        self._guard(channel.close_received)

    def _channel_request(self, payload: bytes) -> None:
        channel = self._confirmed(payload)
        fields = Fields(payload[4:])
        name, wants_answer = fields.string(), fields.raw(1) != b"\0"
        done = False
        try:
            done = channel.requested(name, fields)
        except BadKey:
            pass
        if wants_answer and not channel.sent_close:
            kind = messages.CHANNEL_SUCCESS if done else messages.CHANNEL_FAILURE
            self.transport.send(struct.pack(">BI", kind, channel.remote))
        self._guard(channel.request_answered)

    def _channel_answered(self, payload: bytes) -> None:
        self._confirmed(payload)  # we ask for none

    def _confirmed(self, payload: bytes) -> Channel:
        channel = self._channel(int.from_bytes(payload[:4], "big"))
        if not channel.confirmed or len(payload) < 4:
            raise PacketError(PROTOCOL_ERROR, "a message for a channel that is not open")
        return channel

    _MESSAGES: dict[int, Callable[[Connection, bytes], None]] = {
        messages.GLOBAL_REQUEST: _global_request,
        messages.REQUEST_SUCCESS: _request_answered,
        messages.REQUEST_FAILURE: _request_answered,
        messages.CHANNEL_OPEN: _channel_open,
        messages.CHANNEL_OPEN_CONFIRMATION: _open_confirmed,
        messages.CHANNEL_OPEN_FAILURE: _open_refused,
        messages.CHANNEL_EXTENDED_DATA: _extended_data,
        messages.CHANNEL_EOF: _eof,
        messages.CHANNEL_CLOSE: _close,
        messages.CHANNEL_REQUEST: _channel_request,
        messages.CHANNEL_SUCCESS: _channel_answered,
        messages.CHANNEL_FAILURE: _channel_answered,
    }
