"""
`AgentLimits`: every bound and wait of the agent protocol that an operator or a test may want to change.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60.0
KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """
    :ivar login_grace: seconds from the end of the TLS handshake to a successful Auth.
    :ivar heartbeat_slack: seconds that a heartbeat may be late, beyond what the agent itself calls tolerable.
    :ivar max_streams: streams of one connection at a time. The agents of the Rust family die of 512 (spec 3.8, L1).
    :ivar max_unanswered: streams of one connection that the agent has not come to yet, at first: those of the Go family have
        128 places for them (spec 3.8, L2), of which the server's own streams may need some. See `Pace`.
    :ivar refused_pause: seconds, and up to as many again, after which a stream that the agent had no place for is opened again;
        twice as long each time.
    :ivar refused_tries: how often that is done: with seven, the last time within five seconds.
    :ivar max_kept: bytes of one stream that are kept until the agent has come to it, since they would be sent again. One that
        has been sent more is not opened again.
    :ivar max_requests: streams that one agent may have open at a time: its requests and heartbeats.
    :ivar max_request_bytes: bytes of one request (spec 11, item 14: policies and certificate chains are the large ones).
    :ivar max_held: bytes of unfinished requests and unread replies of one agent, all together.
    :ivar strangers_streams: as ``max_requests``, before Auth: a heartbeat, Auth, and two more.
    :ivar strangers_opened: streams that a connection may open before Auth, all in all: those that it needs, and a few more.
    :ivar strangers_bytes: bytes that may come before Auth, all in all: the largest Auth, and heartbeats.
    :ivar strangers_requests: requests that a connection may make before Auth, all in all.
    :ivar strangers_request_bytes: as ``max_request_bytes``, before Auth; the longest metadata are 4 KiB.
    :ivar opened_at_once: streams that an agent may open in one go. One that comes back asks for all its endpoints.
    :ivar opened_per_second: how many more in the long run. Agents open one for each change of an endpoint.
    :ivar patience: seconds for an agent to come to the end of something: of a request that it has begun, of a reply that it
        reads, of a stream that is of no use any more.
    :ivar answer_timeout: seconds that the server itself may take for an answer.
    :ivar settling: seconds after which an agent is taken to have read a reply (spec 7.3), if it does not say so before.
    :ivar close_linger: seconds for the last frames of a connection to leave (spec 3.7).
    :ivar max_unread: bytes of frames for an agent that does not read its socket. Proxied bytes are none of them: they are
        held back at their source.
    :ivar unauthenticated_total: connections without an Auth, all together: a storm of agents that come back fits in.
    :ivar unauthenticated_per_network: the same for one IPv4 /24 or IPv6 /48; loopback is exempt.
    """

    login_grace: float = 30.0
    heartbeat_slack: float = 5.0
    max_streams: int = 480
    max_unanswered: int = 112
    refused_pause: float = 0.02
    refused_tries: int = 7
    max_kept: int = 64 * KIBIBYTE
    max_requests: int = 256
    max_request_bytes: int = 1 * MEBIBYTE
    max_held: int = 4 * MEBIBYTE
    strangers_streams: int = 4
    strangers_opened: int = 16
    strangers_bytes: int = 128 * KIBIBYTE
    strangers_requests: int = 8
    strangers_request_bytes: int = 64 * KIBIBYTE
    opened_at_once: int = 1000
    opened_per_second: float = 20.0
    patience: float = 30.0
    answer_timeout: float = 1 * MINUTE
    settling: float = 0.25
    close_linger: float = 1.0
    max_unread: int = 1 * MEBIBYTE
    unauthenticated_total: int = 1000
    unauthenticated_per_network: int = 100
