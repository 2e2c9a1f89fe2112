"""
The OpenSSH client with its default settings, as a user has it: no cipher, window or buffer is chosen here.
"""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import Callable

from benchmarks.workshop import Process, Workshop

CLIENT = {"ssh": "apt-get install openssh-client", "ssh-keygen": "apt-get install openssh-client"}
"""What every arm with an ``ssh -R`` needs."""

KEYS = 5
"""Users there are. The edge lets one key have 20 sessions; with a key each for every few tunnels it never says so."""

_URL = re.compile(r"\b(https?|tcp|tls)://([a-z0-9.-]+)(?::(\d+))?", re.IGNORECASE)


def public_keys(workshop: Workshop) -> list[str]:
    """The lines of an ``authorized_keys`` that lets all users in."""
    files = [Path(f"{workshop.key(f'user_{number}')}.pub") for number in range(KEYS)]
    return [file.read_text(encoding="ascii").strip() for file in files] + workshop.more_keys


def client_command(
    workshop: Workshop, port: int, forward: str, *, number: int = 0, command: str = "", log_level: str = "ERROR"
) -> list[str]:
    """
    :param port: the server's loopback port.
    :param forward: what ``-R`` gets.
    :param number: which client it is; it has one of the `KEYS` keys.
    :param command: what the session runs; without it there is no session (``-N``).
    :return: the command line of ``ssh``, reading no configuration but what stands here.
    """
    settings = {
        "IdentityFile": str(workshop.key(f"user_{number % KEYS}")),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": log_level,
        "ExitOnForwardFailure": "yes",
    }
    pairs = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    user = f"{getpass.getuser()}@{workshop.servers}"
    session = ["-T", user, command] if command else ["-N", user]
    return ["ssh", "-F", "none", *pairs, "-p", str(port), "-R", forward, *session]


def start_client(workshop: Workshop, name: str, command: list[str], ready: Callable[[str], bool]) -> Process:
    """
    Start an ``ssh`` and wait for its tunnel.

    :param ready: told what it has written so far; whether the tunnel stands.
    :raises Unusable: it ended, or has no tunnel in time.
    """
    process = workshop.start(name, *workshop.users, *command)
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
