"""
Redirections of a service that was asked under another name than the visitor's (RFC 9110 section 10.2.2): pure functions.
"""

from __future__ import annotations

import re
from typing import Any

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)


def restored_location(location: bytes, rewritten_host: bytes, host: bytes, proto: bytes) -> bytes:
    """
    A ``Location`` that names the rewritten host, turned back into one that the visitor can reach.

    :param location: of the upstream's response.
    :param rewritten_host: the ``Host`` that the upstream was given.
    :param host: the one that the visitor sent.
    :param proto: ``https`` or ``http``, the visitor's.
    :return: the location, unchanged if it names somebody else.
    """
    match = _ABSOLUTE.fullmatch(location)
    if match is None or match[1].lower() != rewritten_host.lower():
        return location
    return proto + b"://" + host + match[2]


def restore_locations(head: Any, rewritten_host: bytes, host: bytes, proto: bytes) -> None:
    """
    Apply `restored_location` to a response.

    :param head: a `ngrok_twisted.wrapper.ResponseHead`, changed in place.
    """
    if not any(name.lower() == b"location" for name, _ in head.fields):
        return  # an untouched head goes the short way
    head.headers = [
        (name, restored_location(value, rewritten_host, host, proto) if name.lower() == b"location" else value)
        for name, value in head.headers
    ]
