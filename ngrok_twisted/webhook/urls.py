"""
The URL that a provider signed along: the public one, as its user wrote it there, of which we see only what was made of it.
"""

from __future__ import annotations

import re
from typing import Iterator

from ngrok_twisted.webhook.delivery import Delivery

_PORT = re.compile(rb":[0-9]*\Z")
_DEFAULT_PORTS = {b"https": b":443", b"http": b":80"}


def origins(delivery: Delivery) -> Iterator[bytes]:
    """
    ``scheme://host`` as it came; then with the port written, or left out; then the same for the other scheme, since a
    redirect, or a proxy in front of the service, may stand between.
    """
    found = []
    bare = _PORT.sub(b"", delivery.authority)
    other = b"http" if delivery.scheme == b"https" else b"https"
    for scheme in (delivery.scheme, other):
        for authority in (delivery.authority, bare, bare + _DEFAULT_PORTS[scheme]):
            found.append(scheme + b"://" + authority)
    return iter(dict.fromkeys(found))


def urls(delivery: Delivery) -> Iterator[bytes]:
    """The whole URLs, query included, that may have been signed; the one that is most likely first."""
    for origin in origins(delivery):
        yield origin + delivery.target
