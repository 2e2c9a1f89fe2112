"""
A reverse tunnel with paramiko: ``paramiko_forward.py PORT KEY NAME REMOTE LOCAL [COMMAND]``.

Prints ``ready PORT`` when the forward is granted, then carries connections until its input ends.
"""

from __future__ import annotations

import socket
import sys
import threading

import paramiko


def carry(source: object, sink: object) -> None:
    """Pass bytes on until there are no more."""
    while data := source.recv(32768):  # type: ignore[attr-defined]
        sink.sendall(data)  # type: ignore[attr-defined]
    try:
        sink.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
    except OSError:
        pass


def main() -> None:
    """Connect, ask, carry."""
    port, key, name, remote, local = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

    def opened(channel: paramiko.Channel, origin: object, server: object) -> None:
        service = socket.create_connection(("127.0.0.1", local), 10)
        threading.Thread(target=carry, args=(channel, service), daemon=True).start()
        threading.Thread(target=carry, args=(service, channel), daemon=True).start()

    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port), 10))
    transport.connect(username="v2", pkey=paramiko.Ed25519Key.from_private_key_file(key))
    granted = transport.request_port_forward("" if name == "-" else name, remote, opened)
    print("ready", granted, flush=True)
    if len(sys.argv) > 6:
        session = transport.open_session()
        session.exec_command(sys.argv[6])
        print(session.makefile().readline(), flush=True)
    sys.stdin.read()


main()
