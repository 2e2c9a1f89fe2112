"""
What a worker does with the connections that the main process gives it, see `ngrok_twisted.crew.departures`.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from twisted.logger import Logger

from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.edge.address import VisitorAddress
from ngrok_twisted.net.eager import plain_address
from ngrok_twisted.net.passing import Ends, take_up


class Arrivals:
    """
    See the module.
    """

    _log = Logger()

    def __init__(self, plane: Any, ssh: Any, agents: Any, reactor: Any) -> None:
        """
        :param plane: the worker's `ngrok_twisted.edge.plane.EdgePlane`.
        :param ssh: the `IProtocolFactory` of SSH connections.
        :param agents: that of a listener for ngrok's agents.
        """
        self._plane = plane
        self._ssh = ssh
        self._agents = agents
        self._reactor = reactor

    def handlers(self) -> Mapping[str, Callable[[Any, int], None]]:
        """For the wire to the main process."""
        return {
            "visitor": self._taking(self._visitor),
            "plain": self._taking(lambda address, asked: self._plane.plain_front.buildProtocol(address)),
            "port": self._taking(self._port),
            "ssh": self._taking(lambda address, asked: self._ssh.buildProtocol(address)),
            "agent": self._taking(lambda address, asked: self._agents.buildProtocol(address)),
        }

    def _taking(self, build: Callable[[Any, Any], Any]) -> Callable[[Any, int], None]:
        def take(arrival: tuple[Any, Any, bytes], descriptor: int) -> None:
            if descriptor == NO_DESCRIPTOR:
                return  # there was no room for it: the visitor has been turned away
            asked, ends, data = arrival[0], Ends(*arrival[1]), arrival[2]
            try:
                protocol = build(_peer(ends), asked)
            except OSError as error:  # no descriptor left to read a certificate through
                self._log.warn("refused {peer}: {why}", peer=ends.client[0], why=error.strerror)
                protocol = None
            except Exception:
                self._log.failure("a connection from {peer} could not be set up", peer=ends.client[0])
                protocol = None
            take_up(self._reactor, descriptor, ends, protocol, data)

        return take

    def _visitor(self, address: Any, name: str | None) -> Any:
        return self._plane.secure_owner(name).buildProtocol(VisitorAddress(address.host, address.port, name))

    def _port(self, address: Any, port: int) -> Any:
        edge = self._plane.router.ports.get(port)
        return None if edge is None else edge.buildProtocol(address)


def _peer(ends: Ends) -> Any:
    """Where a connection comes from, as its transport will say."""
    return plain_address(ends.client if ends.announced is None else ends.announced[0])
