"""
Sockets that systemd opened and passes on (``systemd.socket(5)``, ``sd_listen_fds(3)``): whoever connects while the server is
not there waits in the kernel.

Endpoint strings name them as in Twisted, ``systemd:domain=INET:index=0`` or ``systemd:domain=INET:name=https``. systemd's own
descriptors stay as they are, and only duplicates are used, so that a restart in place finds them where they were.
"""

from __future__ import annotations

import os
import re
import socket
from typing import Mapping

from twisted.internet.endpoints import _SystemdParser
from twisted.python.systemd import ListenFDs

_PREFIX = "systemd:"
_DOMAINS = ("INET", "INET6")

#: Where `twisted.python.systemd.ListenFDs` found the names; it leaves them in the environment, unlike the others.
_COUNT, _PROCESS = "LISTEN_FDS", "LISTEN_PID"


class NotActivated(Exception):
    """There is no such socket; the message says why."""


def is_activated(description: str) -> bool:
    """Whether an endpoint string is about a socket of systemd's."""
    return description.startswith(_PREFIX)


def mistake_in(description: str) -> str:
    """
    What is wrong with such an endpoint string, as far as can be said without the sockets.

    :return: empty if nothing is.
    """
    arguments = _arguments(description)
    if arguments.get("domain") not in _DOMAINS:
        return "must say 'domain=INET' or 'domain=INET6'"
    if arguments.keys() - {"domain", "index", "name"} or len(arguments) != 2:
        return "must say which socket it is, by 'index=' or by 'name=', and nothing else"
    if "index" in arguments and not re.fullmatch("[0-9]{1,4}", arguments["index"]):
        return "must have a number from 0 as its index"
    return ""


def activated_socket(description: str) -> socket.socket:
    """
    :return: a duplicate of the socket, for the caller to close.
    :raises NotActivated: systemd gave no such socket to this process.
    """
    if mistake := mistake_in(description):
        raise NotActivated(mistake)
    arguments, given = _arguments(description), _given()
    descriptors, named = given.inheritedDescriptors(), given.inheritedNamedDescriptors()
    index = int(arguments.get("index", -1))
    descriptor = named.get(arguments.get("name", "")) if index < 0 else dict(enumerate(descriptors)).get(index)
    if descriptor is None:
        names = f" ({', '.join(named)})" if named else ""
        raise NotActivated(f"systemd gave this process {len(descriptors)} sockets{names}, and this is none of them")
    try:
        duplicate = os.dup(descriptor)
        return socket.socket(fileno=duplicate)
    except OSError as error:
        raise NotActivated(f"descriptor {descriptor}: {error.strerror}") from None


def activation_environment(process: int) -> Mapping[str, str]:
    """
    What the environment must say for another program in the same process to find the sockets again.

    :param process: its id.
    """
    descriptors = _given().inheritedDescriptors()
    return {_COUNT: str(len(descriptors)), _PROCESS: str(process)} if descriptors else {}


def _given() -> ListenFDs:
    # Twisted reads the environment once, and takes out what it has read.
    return _SystemdParser._sddaemon


def _arguments(description: str) -> dict[str, str]:
    """The arguments of the endpoint string; ``twisted.internet.endpoints`` knows them by place, too."""
    texts = description.removeprefix(_PREFIX).split(":")
    pairs = [text.partition("=") if "=" in text else ("domain", "=", text) for text in texts]
    return {name: value for name, _, value in pairs}
