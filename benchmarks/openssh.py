"""
The OpenSSH client with its default settings, as a user has it: no cipher, window or buffer is chosen here.
"""

from __future__ import annotations

import re
from typing import Callable

from benchmarks.workshop import LOOPBACK, Process, Workshop

CLIENT = {"ssh": "apt-get install openssh-client", "ssh-keygen": "apt-get install openssh-client"}
"""What every arm with an ``ssh -R`` needs."""

_URL = re.compile(r"\b(https|tcp|tls)://([a-z0-9.-]+)(?::(\d+))?", re.IGNORECASE)


def client_command(
    workshop: Workshop, port: int, forward: str, *, user: str, command: str = "", log_level: str = "ERROR"
) -> list[str]:
    """
    :param port: the server's loopback port.
    :param forward: what ``-R`` gets.
    :param command: what the session runs; without it there is no session (``-N``).
    :return: the command line of ``ssh``, reading no configuration but what stands here.
    """
    settings = {
        "IdentityFile": str(workshop.key("visitor_key")),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": log_level,
        "ExitOnForwardFailure": "yes",
    }
    pairs = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    session = ["-T", f"{user}@{LOOPBACK}", command] if command else ["-N", f"{user}@{LOOPBACK}"]
    return ["ssh", "-F", "none", *pairs, "-p", str(port), "-R", forward, *session]


def start_client(workshop: Workshop, name: str, command: list[str], ready: Callable[[str], bool]) -> Process:
    """
    Start an ``ssh`` and wait for its tunnel.

    :param ready: told what it has written so far; whether the tunnel stands.
    :raises Unusable: it ended, or has no tunnel in time.
    """
    process = workshop.start(name, *command)
    process.wait_until(lambda: ready(process.output()))
    return process


def find_url(text: str, scheme: str) -> tuple[str, int | None] | None:
    """
    :param text: what an edge printed to its user.
    :return: host (lower case) and port of the first URL of this scheme, or ``None`` while there is none.
    """
    for found, host, port in _URL.findall(text):
        if found.lower() == scheme:
            return host.lower(), int(port) if port else None
    return None
