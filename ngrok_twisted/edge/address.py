"""
`VisitorAddress`: where a connection came from, and the name it asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IAddress
from zope.interface import implementer


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class VisitorAddress:
    """
    What an edge's factory is given in ``buildProtocol`` once the first bytes were read.

    :ivar host: the visitor's IP address, text form.
    :ivar port: the visitor's port.
    :ivar server_name: the name in the ClientHello, lower case, or ``None``.
    """

    host: str
    port: int
    server_name: str | None
