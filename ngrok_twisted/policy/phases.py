"""
The phases of a policy, and which of them a protocol has.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Mapping

ON_TCP_CONNECT, ON_HTTP_REQUEST, ON_HTTP_RESPONSE = "on_tcp_connect", "on_http_request", "on_http_response"

#: The phases that this version runs, in their order.
PHASES = (ON_TCP_CONNECT, ON_HTTP_REQUEST, ON_HTTP_RESPONSE)

#: Phases that ngrok has besides.
PLANNED_PHASES = ("on_event_stream_message",)

HTTP = frozenset({"http", "https"})
STREAMS = frozenset({"tls", "tcp"})
EVERY = HTTP | STREAMS

PROTOCOLS: Mapping[str, frozenset[str]] = {ON_TCP_CONNECT: EVERY, ON_HTTP_REQUEST: HTTP, ON_HTTP_RESPONSE: HTTP}


class Ending(IntEnum):
    """Whether a phase goes on behind an action."""

    NEVER = 0
    SOMETIMES = 1
    ALWAYS = 2


def older_names(proto: str) -> Mapping[str, str]:
    """
    The names that phases had in 2024, and what they are called now; empty for what is not run any more.
    """
    if proto in HTTP:
        return {"inbound": ON_HTTP_REQUEST, "outbound": ON_HTTP_RESPONSE}
    return {"inbound": ON_TCP_CONNECT, "outbound": ""}
