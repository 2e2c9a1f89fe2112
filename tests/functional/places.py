"""
Which process of a server has which connection, as the kernel tells.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from tests.functional.edge import Edge

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_ESTABLISHED = "01"


def processes(edge: Edge) -> list[int]:
    """The main process, and its workers."""
    assert edge.process is not None
    main = edge.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [main, *(int(child) for child in children if _is_worker(child))]


def holders(edge: Edge, port: int) -> Counter[int]:
    """
    :param port: one that the server listens on.
    :return: how many connections that came to it each process has.
    """
    inodes = {inode for inode, (local, _) in _connections().items() if local == port}
    return Counter({process: len(inodes & _sockets(process)) for process in processes(edge)})


def holder(edge: Edge, visitor_port: int) -> int | None:
    """
    :param visitor_port: the visitor's own port.
    :return: the process that has the server's end of its connection.
    """
    ends = {inode for inode, (_, remote) in _connections().items() if remote == visitor_port}
    return next((process for process in processes(edge) if ends & _sockets(process)), None)


def ports_of(process: int) -> list[int]:
    """The local ports of a process's connections."""
    inodes = _sockets(process)
    return [local for inode, (local, _) in _connections().items() if inode in inodes]


def _is_worker(process: str) -> bool:
    try:
        return b"crew" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _connections() -> dict[str, tuple[int, int]]:
    """The local and the remote port of every TCP connection, by its inode."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _ESTABLISHED:
            found[fields[9]] = (int(fields[1].rpartition(":")[2], 16), int(fields[2].rpartition(":")[2], 16))
    return found


def _sockets(process: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for name in os.listdir(f"/proc/{process}/fd"):
        try:
            match = _SOCKET.match(os.readlink(f"/proc/{process}/fd/{name}"))
        except OSError:
            continue  # closed meanwhile
        if match is not None:
            found.add(match[1])
    return found
