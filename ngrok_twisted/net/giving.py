"""
How an accepted socket comes to whoever serves it: around most protocols goes a transport, while some take the socket itself.
"""

from __future__ import annotations

import socket
import struct
from itertools import count
from typing import Any

from ngrok_twisted.net.eager import EagerServer

# In the place of the port that accepted a socket; it only must not be ``None``, since options of the socket are set already.
_SOME_PORT = "a port"

# A socket that is closed with this sends a reset (socket(7), SO_LINGER).
_RESET = struct.pack("ii", 1, 0)

# How much is read before anything is built around a connection: more than a ClientHello is, as a rule. The rest is read by
# whoever has it then.
_FIRST_READ = 16 * 1024

#: The next number that a transport shows in its name.
next_number = count(1).__next__


def give(protocol: Any, sock: Any, client: Any, reactor: Any, data: bytes = b"") -> None:
    """
    Have a protocol serve a connection.

    :param protocol: an `IProtocol` that has no transport yet. If it is an `ngrok_twisted.byte_transports.ITakesSocket`, it never
        gets one from here.
    :param sock: does not block; its options are set. It is closed if the protocol fails.
    :param client: the peer's address, as the socket module has it.
    :param data: what was read of it already.
    """
    take = getattr(protocol, "take_socket", None)
    if take is None:
        give_transport(protocol, sock, client, reactor, data)
    else:
        take(sock, client, data)


def give_transport(protocol: Any, sock: Any, client: Any, reactor: Any, data: bytes = b"") -> None:
    """As `give`, always with a transport, an `EagerServer`."""
    serve(transport_around(sock, protocol, client, reactor), data)


def transport_around(sock: Any, protocol: Any, client: Any, reactor: Any) -> EagerServer:
    """:return: a transport of which the protocol does not know yet, see `serve`."""
    return EagerServer(sock, protocol, client, _SOME_PORT, next_number(), reactor)


def serve(transport: EagerServer, data: bytes = b"") -> None:
    """
    Let the protocol of a transport know that it is there.

    :param data: what was read already.
    """
    try:
        protocol = transport.protocol
        protocol.makeConnection(transport)
        if data:
            # Another protocol may stand there by now, or none, where this one has taken the socket out of its transport.
            getattr(transport, "protocol", protocol).dataReceived(data)
    except Exception:
        transport.abortConnection()
        raise


def first_bytes(sock: Any) -> bytes:
    """:return: what is there to read by now, maybe nothing. What went wrong is left to the next read, which meets it again."""
    try:
        return sock.recv(_FIRST_READ)  # type: ignore[no-any-return]
    except OSError:
        return b""


def reset(sock: Any) -> None:
    """Close a connection so that its peer learns that this was no orderly end."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        pass  # it was reset already
    sock.close()
