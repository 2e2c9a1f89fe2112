"""
How the two ends of a bulk tunnel talk: an order of fixed size, then the bytes; an upload is answered with a receipt, so
that its end is the arrival of its last byte and not its departure.

Where the way is found by a TLS server name, a ClientHello stands before the order. Nobody answers it: what comes behind it is
for the service, and is not TLS at all.
"""

from __future__ import annotations

import os
import socket
import ssl

DOWNLOAD = b"D"
UPLOAD = b"U"
RECEIPT = b"."
ORDER_SIZE = 16
HANDSHAKE = b"\x16"
RECORD_HEAD = 5
CONNECT_TIMEOUT = 10.0
"""Seconds. A loopback connect is answered at once or not at all."""
CHUNK = 1 << 20
"""Bytes a system call moves at most: a mebibyte keeps both ends out of the way of what they measure."""


def make_order(direction: bytes, length: int) -> bytes:
    """
    :param direction: `DOWNLOAD` or `UPLOAD`, as the visitor sees it.
    :param length: bytes, below 10**15.
    """
    return direction + b"%015d" % length


def parse_order(order: bytes) -> tuple[bytes, int]:
    """
    :return: direction and length.
    :raises ValueError: it is no order.
    """
    direction, digits = order[:1], order[1:]
    if len(order) != ORDER_SIZE or direction not in (DOWNLOAD, UPLOAD) or not digits.isdigit():
        raise ValueError(f"not an order: {order!r}")
    return direction, int(digits)


def make_hello(server_name: str) -> bytes:
    """The ClientHello of a browser of today, in a record of its own; nothing if there is no name."""
    if not server_name:
        return b""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=server_name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def read_order(sock: socket.socket) -> tuple[bytes, int]:
    """
    Read an order, and the ClientHello before it if there is one (RFC 8446 section 5.1: type, version and length come first).

    :return: direction and length.
    :raises EOFError: the stream ended before.
    :raises ValueError: it is no order.
    """
    start = read_exactly(sock, RECORD_HEAD)
    if start[:1] == HANDSHAKE:
        read_exactly(sock, int.from_bytes(start[3:], "big"))
        start = b""
    return parse_order(start + read_exactly(sock, ORDER_SIZE - len(start)))


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """
    :raises EOFError: the stream ended before.
    """
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise EOFError(f"{size - len(data)} bytes short")
        data += more
    return data


def send_zeros(sock: socket.socket, length: int) -> None:
    """Send so many zero bytes, out of the page cache."""
    source = os.memfd_create("zeros")
    try:
        os.ftruncate(source, CHUNK)
        while length:
            length -= os.sendfile(sock.fileno(), source, 0, min(length, CHUNK))
    finally:
        os.close(source)


def swallow(sock: socket.socket, length: int) -> None:
    """
    Take so many bytes off the stream.

    :raises EOFError: it ended before.
    """
    sink = os.open(os.devnull, os.O_WRONLY)
    reading, writing = os.pipe()
    try:
        while length:
            moved = os.splice(sock.fileno(), writing, min(length, CHUNK))
            if not moved:
                raise EOFError(f"{length} bytes short")
            length -= moved
            while moved:
                moved -= os.splice(reading, sink, moved)
    finally:
        for descriptor in (sink, reading, writing):
            os.close(descriptor)
