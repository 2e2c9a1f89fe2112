"""
A WebSocket client on the ``websockets`` package: ``websocket_bytes.py HOST PORT CA CODE SIZE``.

Sends ``SIZE`` bytes in messages of several shapes to something that echoes bytes, pings in between, closes with ``CODE``, and
prints as JSON what it saw. Without a size it waits for what the other side says, and how it closes.
"""

from __future__ import annotations

import hashlib
import json
import random
import socket
import ssl
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


def messages(size: int) -> list[object]:
    """Small and large, whole and in fragments, text and binary."""
    source, made = random.Random(size), []  # type: ignore[var-annotated]
    while size > 0:
        data = source.randbytes(min(size, source.choice((1, 125, 126, 5_000, 65_535, 65_536, 200_000))))
        size -= len(data)
        shape = source.randrange(3)
        if shape == 0:
            cut = source.randrange(len(data) + 1)
            made.append([data[:cut], data[cut:]])
        elif shape == 1 and len(data) < 10_000:
            made.append(data.hex()[: len(data)])
        else:
            made.append(data)
    return made


def octets(message: object) -> bytes:
    """The bytes of a message."""
    if isinstance(message, list):
        return b"".join(message)
    return message.encode() if isinstance(message, str) else bytes(message)  # type: ignore[call-overload]


def converse(connection: ClientConnection, size: int) -> dict[str, object]:
    """Send all, and read as much as was sent."""
    outgoing = messages(size)
    sent = hashlib.sha1(b"".join(map(octets, outgoing))).hexdigest()

    def send() -> None:
        for message in outgoing:
            connection.send(message)  # type: ignore[arg-type]

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    got, kinds, digest = 0, set(), hashlib.sha1()
    while got < size:
        message = connection.recv(20)
        kinds.add(type(message).__name__)
        got += len(message)
        digest.update(message)  # type: ignore[arg-type]
    sender.join(20)
    ponged = connection.ping().wait(20)
    return {"sent": sent, "got": digest.hexdigest(), "kinds": sorted(kinds), "ponged": ponged}


def main() -> None:
    """Do it once."""
    host, port, ca, code, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    context = ssl.create_default_context(cafile=ca)
    with connect(
        f"wss://{host}/bytes",
        sock=socket.create_connection(("127.0.0.1", port), 20),
        ssl=context,
        server_hostname=host,
        subprotocols=["mqtt", "binary"],  # type: ignore[list-item]
        max_size=None,
    ) as connection:
        seen: dict[str, object] = {
            "subprotocol": connection.subprotocol,
            "extensions": [extension.name for extension in connection.protocol.extensions],
        }
        if size:
            seen.update(converse(connection, size))
            connection.close(code)
        else:
            heard = b""
            try:
                while True:
                    heard += octets(connection.recv(20))
            except ConnectionClosed:
                seen["heard"] = heard.decode()
    received = connection.protocol.close_rcvd
    seen["closed"] = received and received.code
    print(json.dumps(seen))


main()
