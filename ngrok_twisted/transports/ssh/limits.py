"""
`SSHLimits`: every bound and wait of the SSH layer that an operator or a test may want to change.
"""

from __future__ import annotations

from dataclasses import dataclass

from ngrok_twisted.net.windows import Windows
from ngrok_twisted.transports.ssh.packets import PACKET_DATA

MINUTE = 60.0
HOUR = 60 * MINUTE
KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
GIBIBYTE = 1024 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHLimits:
    """
    :ivar prefer_aes_gcm: offer AES-GCM alone to clients that list it. OpenSSH before 10.0 would otherwise pick
        chacha20-poly1305, which costs both ends twice the CPU on any machine with AES instructions. Switch it off where
        the clients have none.
    :ivar kexinit_patience: seconds to wait for the client's KEXINIT after its version, before ours is sent without
        knowing theirs: some clients wait for the server's.
    :ivar login_grace: seconds from the accept to a successful login.
    :ivar auth_attempts: keys a client may offer (spec 10.2).
    :ivar keepalive_seconds: silence after which the client is asked for a sign of life.
    :ivar keepalive_misses: unanswered asks after which it is given up: with the interval above, 30 s after it fell
        silent at the latest.
    :ivar kex_timeout: seconds for the client to finish an exchange of keys.
    :ivar open_timeout: seconds for the client to answer the opening of a forwarded channel (spec 8.3).
    :ivar close_linger: seconds without progress after which a channel that is being closed drops its last bytes.
    :ivar disconnect_linger: seconds for the peer to read our ``SSH_MSG_DISCONNECT``.
    :ivar max_channels: channels on one connection (spec 8.3).
    :ivar window_start: bytes that a new forwarded channel may bring before its visitor has taken any.
    :ivar window_most: bytes that one may reach whose visitor takes them fast: a link of 100 Mbit/s over 100 ms needs 1.25 MB.
    :ivar windows_total: bytes for the forwarded channels of one connection together. Where it has many they get less, down
        to one packet each.
    :ivar max_sessions: session channels on one connection (spec 8.4).
    :ivar max_pending_requests: the client's global requests whose answer is pending.
    :ivar max_unread: bytes of answers to a client that does not read its socket.
    :ivar rekey_bytes: bytes in either direction under one set of keys (RFC 4253 section 9).
    :ivar rekey_seconds: seconds under one set of keys.
    :ivar unauthenticated_total: connections that have not logged in, all together: a storm of agents that come back fits in.
    :ivar unauthenticated_per_network: the same for one IPv4 /24 or IPv6 /48; loopback is exempt, since a front that
        relays arrives from there.
    """

    prefer_aes_gcm: bool = True
    kexinit_patience: float = 1.0
    login_grace: float = 30.0
    auth_attempts: int = 20
    keepalive_seconds: float = 7.5
    keepalive_misses: int = 3
    kex_timeout: float = 1 * MINUTE
    open_timeout: float = 10.0
    close_linger: float = 60.0
    disconnect_linger: float = 5.0
    max_channels: int = 1000
    window_start: int = 256 * KIBIBYTE
    window_most: int = 2 * MEBIBYTE
    windows_total: int = 32 * MEBIBYTE
    max_sessions: int = 10
    max_pending_requests: int = 64
    max_unread: int = 1 * MEBIBYTE
    rekey_bytes: int = 1 * GIBIBYTE
    rekey_seconds: float = 1 * HOUR
    unauthenticated_total: int = 1000
    unauthenticated_per_network: int = 100

    def windows(self) -> Windows:
        """:return: those of a new connection."""
        return Windows(least=PACKET_DATA, start=self.window_start, most=self.window_most, total=self.windows_total)
