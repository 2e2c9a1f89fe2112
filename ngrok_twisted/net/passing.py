"""
Connections that go from one process to another, and what two processes speak through.

`let_go` takes a connection out of the reactor without a word to its peer, `take_up` puts it into that of another process: the
kernel carries the descriptor (unix(7), SCM_RIGHTS), and what was read already goes with it. Nothing of a TLS handshake may have
been answered by then: its keys could not go along.

`EagerPipe` is a transport over one end of a socket pair.
"""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from twisted.internet import tcp
from twisted.internet.address import UNIXAddress
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.announced import announced_ends, rename
from ngrok_twisted.net.eager import EagerServer
from ngrok_twisted.net.giving import give, next_number, serve, transport_around
from ngrok_twisted.net.proxy_header import Address


class Ends(NamedTuple):
    """
    Whose connection it is.

    :ivar client: the peer's address, as the socket module has it.
    :ivar announced: the source and destination that a load balancer announced, or ``None``.
    """

    client: Any
    announced: tuple[Address, Address] | None


def can_let_go(transport: Any) -> bool:
    """Whether a connection is one that may go to another process: accepted here, still there, and nothing is unsent."""
    return (
        isinstance(transport, EagerServer)
        and not isinstance(transport, EagerPipe)
        and not transport.TLS
        and bool(transport.connected)
        and not transport.disconnecting
        and not transport.unsent
    )


def let_go(transport: Any) -> tuple[int, Ends]:
    """
    Take a connection out of the reactor. Its protocol hears nothing more, and neither does the peer.

    :param transport: one that `can_let_go`.
    :return: its descriptor, which is the caller's, and whose it is.
    """
    ends = Ends(transport.client, announced_ends(transport))
    return take_out(transport).detach(), ends


def take_out(transport: Any) -> Any:
    """
    Take a connection out of the reactor, as `let_go`.

    :param transport: a `ngrok_twisted.net.eager.EagerTransport` of which nothing is unsent.
    :return: its socket, which is the caller's.
    """
    # An epoll registration belongs to the open file, not to the descriptor: it would survive in the other process's copy.
    transport.stopReading()
    transport.stopWriting()
    sock = transport.socket
    transport.connected, transport.disconnected = 0, 1
    transport.producer = None
    del transport.protocol, transport.socket, transport.fileno
    return sock


def take_up(reactor: Any, descriptor: int, ends: Ends, protocol: Any, data: bytes = b"") -> None:
    """
    Serve a connection that another process has let go.

    :param descriptor: it is this function's from now on.
    :param protocol: an `IProtocol` that has no transport yet; ``None`` closes the connection.
    :param data: what was read of it already.
    """
    family = socket.AF_INET if len(ends.client) == 2 else socket.AF_INET6
    sock = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP, descriptor)
    if protocol is None:
        sock.close()
        return
    if ends.announced is None:
        give(protocol, sock, ends.client, reactor, data)
        return
    transport = transport_around(sock, protocol, ends.client, reactor)
    rename(transport, *ends.announced)
    serve(transport, data)


@implementer(IBatchTransport)
class EagerPipe(EagerServer):
    """One end of a pair of stream sockets of the family ``AF_UNIX``, whose other end another process has."""

    hostname = "another process"

    def __init__(self, end: socket.socket, protocol: Any, reactor: Any) -> None:
        tcp.Connection.__init__(self, end, protocol, reactor)
        self.sessionno = next_number()
        self.startReading()
        self.connected = 1

    def getHost(self) -> UNIXAddress:  # type: ignore[override]
        """ITransport."""
        return UNIXAddress(None)

    def getPeer(self) -> UNIXAddress:  # type: ignore[override]
        """ITransport."""
        return UNIXAddress(None)
