"""
TLS handshakes in memory, without a socket.
"""

from __future__ import annotations

import ssl
from typing import Any


def client_context(trusted: str, **settings: Any) -> ssl.SSLContext:
    """
    A visitor.

    :param trusted: the PEM of the authority it trusts.
    :param settings: attributes of the context.
    """
    context = ssl.create_default_context(cadata=trusted)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str | None, session: Any = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """
    Shake hands and exchange a byte each way.

    :return: the server's and the client's end.
    :raises ssl.SSLError: as soon as one of the two is not content.
    """
    upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(upwards, downwards, server_side=True)
    here = client.wrap_bio(downwards, upwards, server_hostname=name, session=session)
    ends = [here, there]
    while ends:
        ends = [end for end in ends if not _step(end)]
    here.write(b"?")
    assert there.read(1) == b"?"
    there.write(b"!")
    assert here.read(1) == b"!"
    return there, here


def _step(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
