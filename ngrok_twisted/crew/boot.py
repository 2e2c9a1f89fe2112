"""
`Boot`: what a worker is told first; how it is started.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import Mapping

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.origins import Declared

BOOT, READY, LEAVE, DRAIN, PART, PING = "boot", "ready", "leave", "drain", "part", "ping"

#: The descriptor of a worker's end of the wire.
WIRE_DESCRIPTOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """
    :ivar place: the worker's place in the crew: from 1, and never given again.
    :ivar config: what the server was configured with, but for what only the main process needs.
    :ivar ports: on which visitors of https and http names arrive.
    :ivar tickets: with it each process resumes the TLS sessions of the others.
    """

    place: int
    config: Config = field(repr=False)
    ports: tuple[int, ...] = ()
    tickets: bytes = field(default=b"", repr=False)


def boot_of(place: int, config: Config, ports: tuple[int, ...], tickets: bytes = b"") -> Boot:
    """What a worker in this place is told."""
    needed = replace(config, declared=Declared(), keys=(), firsts={}, lists={}, warnings=(), store="")
    return Boot(place=place, config=needed, ports=ports, tickets=tickets)


def command() -> tuple[str, ...]:
    """The command line of a worker. It says nothing of the configuration, since anybody may read it."""
    return (sys.executable, "-P", "-m", "ngrok_twisted.crew")


def environment() -> Mapping[str, str]:
    """The environment of a worker: ours, and the same modules are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
