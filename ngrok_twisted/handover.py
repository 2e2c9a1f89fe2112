"""
`Handover`: what one program leaves to the one that takes its place in the same process, see `ngrok_twisted.restart`.

It is in a file without a name, whose descriptor is in the environment: an environment has no room for thousands of names.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, MutableMapping

#: ``<process id>:<descriptor>``: the process that it is meant for, or whose child it is meant for, and the file.
VARIABLE = "NGROK_TWISTED_RESTART"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """
    :ivar sockets: the endpoint strings of listeners, empty for public TCP ports, with the numbers of their descriptors.
    :ivar daemon: the process has left its terminal already.
    :ivar since: when the last visitor was let in, in seconds since the epoch; 0 if this is no restart.
    :ivar online: what agents had online, as `ngrok_twisted.edge.returning` has it.
    """

    sockets: tuple[tuple[str, int], ...] = ()
    daemon: bool = False
    since: float = 0.0
    online: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> int:
        """
        :return: the descriptor of a file with it, which other programs inherit.
        :raises OSError: there is no room for it.
        """
        data = json.dumps(asdict(self)).encode()
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("restart", 0)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.set_inheritable(descriptor, True)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        return descriptor


def received(environ: MutableMapping[str, str], process: int) -> Handover | None:
    """
    What was handed over to this program. It is taken out of the environment, and its file is closed.

    :param process: the id that the variable must have: our own, or our parent's if we only check.
    :return: ``None`` if there was nothing for us.
    """
    wanted, _, descriptor = environ.get(VARIABLE, "").partition(":")
    if wanted != str(process) or not descriptor.isdigit():
        return None
    del environ[VARIABLE]
    try:
        with open(int(descriptor), "rb") as file:
            file.seek(0)
            data = json.load(file)
        return Handover(
            sockets=tuple((str(name), int(number)) for name, number in data.get("sockets", ())),
            daemon=bool(data.get("daemon")),
            since=float(data.get("since", 0)),
            online=dict(data.get("online", {})),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return None  # not from us: whatever it is, a server can start without it
