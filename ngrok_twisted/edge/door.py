"""
`AgentDoor`: TLS for agents that do not speak SSH, under the service's own names on the https listener and on a listener of
their own. What is spoken behind it is the business of a transport.

Agents are no visitors: they are not counted as such, and their transport ends them.
"""

from __future__ import annotations

import ssl
from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.internet.protocol import Factory

from ngrok_twisted.edge.front import Peek, TLSFront
from ngrok_twisted.net.tls import TLSServerFactory
from ngrok_twisted.tls.options import TLSOptions

#: Agents offer no ALPN, and none of it is answered (spec agent-protocol 2).
OPTIONS = TLSOptions(alpn=())

#: What an agent on this machine may dial, beside the names that the service has in public.
_NEARBY = ("localhost", "127.0.0.1", "::1")


class AgentDoor(Factory):
    """
    The owner of the names that agents dial.

    :ivar name: the first of those names.
    """

    noisy = False

    def __init__(self, name: str, agents: Any, certificates: Any, clock: Any) -> None:
        """
        :param agents: the `IProtocolFactory` of what is spoken inside TLS.
        :param certificates: a `ngrok_twisted.tls.certificates.Certificates`.
        """
        self.name = name
        self._agents = agents
        self._certificates = certificates
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory: for a connection that asked for one of the names."""
        return self._over(self._certificates.context_for(addr.server_name, OPTIONS)).buildProtocol(addr)

    def at(self, host: str) -> TLSServerFactory:
        """
        The factory for a connection that asked for no name, or for one that is not known to be the service's: its certificate
        names the address that was dialled, since agents that dial one ask for no name.

        :param host: the address of our end of the connection; empty where it has none.
        """
        near = tuple(dict.fromkeys((self.name, *_NEARBY, *_address(host))))
        return self._over(self._certificates.context_of(near, OPTIONS))

    def _over(self, context: ssl.SSLContext) -> TLSServerFactory:
        return TLSServerFactory(context, self._agents, self._clock)


class AgentFront(TLSFront):
    """
    The factory of a listener that is for agents alone, whatever name they ask for.
    """

    purpose = "This port is for ngrok's agents and speaks TLS"

    def __init__(self, plane: Any, door: AgentDoor, clock: Any) -> None:
        """
        :param plane: has a ``router``, which knows the names of the door.
        """
        super().__init__(plane, clock)
        self._door = door

    def buildProtocol(self, addr: Any) -> Peek:
        """IProtocolFactory: `owner` asks the transport."""
        return Peek(self)

    def owner(self, server_name: str | None, transport: Any) -> Any:
        """TLSFront."""
        if server_name is not None and self.plane.router.secure.get(server_name) is self._door:
            return self._door
        return self._door.at(getattr(transport.getHost(), "host", ""))


def _address(host: str) -> tuple[str, ...]:
    """An address as a certificate names it: IPv4 addresses on a socket for both families as what they are, no scopes."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ()
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (str(mapped or address),)
