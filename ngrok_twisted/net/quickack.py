"""
Acknowledging at once what a peer has sent.

A kernel delays acknowledgements by some 40 ms, in the hope of data to send them with. A peer that does not switch Nagle's
algorithm off (RFC 9293 section 3.7.4) waits for them before it sends the rest of what it has. Nothing can be done about the
peer, but an acknowledgement can be sent without delay.
"""

from __future__ import annotations

import socket
from typing import Any, Callable

#: Linux only (tcp(7)).
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def acknowledger(transport: Any) -> Callable[[], None]:
    """
    :param transport: a TCP transport, or a protocol that is one to others, such as `TLSConnection`.
    :return: to be called after each read of the socket, since the kernel falls back into delaying: it acknowledges what has
        not been. It does nothing where the platform or the transport has no way to.
    """
    sock = socket_under(transport)
    if sock is None or _QUICKACK is None:
        return _nothing
    setsockopt, level, option = sock.setsockopt, socket.IPPROTO_TCP, _QUICKACK

    def acknowledge() -> None:
        try:
            setsockopt(level, option, 1)
        except OSError:
            pass  # the connection is gone, or it is no TCP connection

    return acknowledge


def socket_under(transport: Any) -> Any:
    """:return: the socket below a transport, through all protocols that stand between; ``None`` if there is none."""
    while (below := getattr(transport, "transport", None)) is not None:
        transport = below
    return getattr(transport, "socket", None)


def _nothing() -> None:
    """There is nothing to acknowledge with."""
