"""
Free loopback ports.

They are taken below the range from which the kernel picks ports for outgoing connections, at random, so that suites that
run beside one another do not meet.
"""

from __future__ import annotations

import socket
from random import SystemRandom

# Linux hands out 32768–60999 by itself (ip_local_port_range); below 10000 live other people's services.
LOWEST, HIGHEST = 10000, 32000

# How many places are tried before the machine is declared full.
ATTEMPTS = 500

_random = SystemRandom()
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a listener could be opened on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_range(count: int) -> range:
    """
    :return: ``count`` neighbouring free ports, none of which this process was given before.
    """
    for _ in range(ATTEMPTS):
        first = _random.randrange(LOWEST, HIGHEST - count)
        wanted = range(first, first + count)
        if _given.isdisjoint(wanted) and all(map(is_free, wanted)):
            _given.update(wanted)
            return wanted
    raise RuntimeError(f"no {count} neighbouring free ports between {LOWEST} and {HIGHEST}")


def free_port() -> int:
    """One free port."""
    return free_range(1)[0]
