"""
Visitors and agents go where they belong: the main process accepts them, and gives each to the process that holds the tunnels
which it asks for, or that has the fewest agents. `ngrok_twisted.crew.arrivals` is the other end.

A place that is elsewhere is a factory like any edge. The protocol that it builds sends the connection away, with what was read
of it already.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.byte_transports import ITakesSocket
from ngrok_twisted.edge.door import AgentDoor
from ngrok_twisted.edge.front import PlainFront, TLSFront
from ngrok_twisted.edge.homes import ANYWHERE, MAIN, Homes
from ngrok_twisted.edge.ports import PortFactory
from ngrok_twisted.net.announced import announced_ends
from ngrok_twisted.net.giving import first_bytes, give, give_transport, reset
from ngrok_twisted.net.passing import can_let_go, let_go
from ngrok_twisted.net.turn import Turn

#: The field that says whom a request is for, where it is looked for before anything is judged: whatever is strange about a
#: request is the business of whoever serves it.
_HOST = re.compile(rb"\r\n[Hh][Oo][Ss][Tt]:[ \t]*([A-Za-z0-9._\-]{1,253})(?::[0-9]{1,5})?[ \t]*\r\n")


class Departures:
    """
    What leaves the main process.

    :ivar reactor: what serves a connection that cannot leave.
    """

    _log = Logger()

    def __init__(
        self,
        wires: Mapping[int, Any],
        homes: Homes,
        deal: Callable[..., int],
        clock: Any,
        is_told: Callable[[int], bool] = lambda place: True,
    ) -> None:
        """
        :param wires: the `ngrok_twisted.crew.wire.Wire` to each worker that takes visitors and agents now.
        :param deal: gives the place of the next agent, see `ngrok_twisted.crew.dealing.Dealer`.
        :param clock: the reactor.
        :param is_told: whether a worker knows of all tunnels, see `ngrok_twisted.crew.abroad.AbroadOfMain.has_told`.
        """
        self._is_told = is_told
        self._wires = wires
        self._homes = homes
        self._deal = deal
        self.reactor = clock
        self._turn = Turn(clock)
        self._next = MAIN

    def home(self, edge: Any) -> int:
        """Where the next visitor of an edge goes."""
        place = self._homes.place_of(edge)
        if place == ANYWHERE:
            self._next = (self._next + 1) % (len(self._wires) + 1)
            place = (MAIN, *self._wires)[self._next]
        return place if place == MAIN or self._takes(place) else MAIN

    def next_agent(self) -> int:
        """Where the next agent goes."""
        return self._deal([place for place in self._wires if self._takes(place)])

    def later(self, call: Callable[[], object]) -> None:
        """Do something at the end of the turn."""
        self._turn.later(call)

    def send(self, place: int, kind: str, asked: Any, transport: Any, data: bytes) -> bool:
        """
        Give a connection to another process. What goes with it are plain tuples: classes would take as long again to pickle.

        :param kind: what the other one does with it: see `Arrivals`.
        :param asked: the name in a visitor's ClientHello, or the public port it came to; ``None`` for others.
        :param data: what was read of it already.
        :return: whether it has left; if not, it is as it was.
        """
        if not self._takes(place) or not can_let_go(transport):
            return False
        descriptor, ends = let_go(transport)
        self._wires[place].send(kind, (asked, tuple(ends), data), descriptor)
        return True

    def send_socket(self, place: int, kind: str, asked: Any, sock: Any, client: Any, data: bytes) -> bool:
        """
        As `send`, for a connection that has no transport.

        :param client: the peer's address, as the socket module has it.
        """
        if not self._takes(place):
            return False
        self._wires[place].send(kind, (asked, (client, None), data), sock.detach())
        return True

    def _takes(self, place: int) -> bool:
        wire = self._wires.get(place)
        return wire is not None and not wire.is_busy and not wire.is_lost and self._is_told(place)


class _Elsewhere(Factory):
    """Somebody in another process."""

    noisy = False

    def __init__(self, departures: Departures, place: int, kind: str, asked: Any, here: Any) -> None:
        """
        :param here: the `IProtocolFactory` that serves the connection if it cannot leave.
        """
        self.departures = departures
        self.place = place
        self.kind = kind
        self.asked = asked
        self.here = here

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """IProtocolFactory."""
        return _Leaving(self, addr)


@implementer(ITakesSocket)
class _Leaving(Protocol):
    """
    A connection that is about to leave: at once, or as soon as whoever had it first has handed on what was read. Most never
    have a transport.

    :ivar arriving: it is not known yet what the visitor wants.
    """

    arriving = True

    def __init__(self, elsewhere: _Elsewhere, addr: Any) -> None:
        self._elsewhere = elsewhere
        self._address = addr
        self._seen = b""
        self._over = False

    def take_socket(self, sock: Any, client: Any, data: bytes) -> None:
        """ITakesSocket."""
        to = self._elsewhere
        if to.departures.send_socket(to.place, to.kind, to.asked, sock, client, data):
            return
        protocol = to.here.buildProtocol(self._address)
        if protocol is None:
            reset(sock)
        else:
            give(protocol, sock, client, to.departures.reactor, data)

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        if self._elsewhere.kind == "visitor":
            return  # there is a ClientHello
        if announced_ends(transport) is None:
            self._leave()
        else:
            self._elsewhere.departures.later(self._leave)  # more may have come with the announcement

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._seen += data
        self._leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._over = True

    def _leave(self) -> None:
        to = self._elsewhere
        transport: Any = self.transport
        if self._over or to.departures.send(to.place, to.kind, to.asked, transport, self._seen):
            self._over = True
            return
        self._over = True
        protocol = to.here.buildProtocol(self._address)
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if self._seen:
            transport.protocol.dataReceived(self._seen)


class DealingFront(TLSFront):
    """
    The factory of the https listener, where it belongs to several processes.
    """

    def __init__(self, plane: Any, clock: Any, departures: Departures) -> None:
        super().__init__(plane, clock)
        self._departures = departures

    def owner(self, server_name: str | None, transport: Any) -> Any:
        """TLSFront."""
        owner = super().owner(server_name, transport)
        if isinstance(owner, AgentDoor):
            place = self._departures.next_agent()
        else:
            place = self._departures.home(owner)
        return owner if place == MAIN else _Elsewhere(self._departures, place, "visitor", server_name, owner)


class DealingPlainFront(PlainFront):
    """
    The factory of the http listener, where it belongs to several processes. The first bytes of a connection decide: whom its
    first request is for. Where they do not say, the connection stays.
    """

    def __init__(self, front: PlainFront, plane: Any, departures: Departures) -> None:
        """
        :param front: what serves the connections that stay.
        """
        super().__init__(front.site, front.visitors)
        self.departures = departures
        self._plane = plane

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        return _FirstBytes(self, super().buildProtocol(addr))

    def home(self, data: bytes) -> int:
        """Where a connection goes that begins like this."""
        found = _HOST.search(data)
        if found is None:
            return MAIN
        return self.departures.home(self._plane.router.plain.get(found[1].decode("ascii").lower()))


@implementer(ITakesSocket)
class _FirstBytes(Protocol):
    """Stands before an HTTP connection until its first bytes are here, as they are at once wherever there is much to do."""

    def __init__(self, front: DealingPlainFront, channel: Any) -> None:
        self._front = front
        self._channel = channel

    def take_socket(self, sock: Any, client: Any, data: bytes) -> None:
        """ITakesSocket."""
        departures = self._front.departures
        data += first_bytes(sock)
        if not data:
            give_transport(self, sock, client, departures.reactor)
            return
        place = self._front.home(data)
        if place == MAIN or not departures.send_socket(place, "plain", None, sock, client, data):
            give(self._channel, sock, client, departures.reactor, data)

    def makeConnection(self, transport: Any) -> None:
        """IProtocol. The visitor is counted, and its time is limited, from now on."""
        self.transport = transport
        self._channel.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        front, channel = self._front, self._channel
        transport: Any = self.transport
        place = front.home(data)
        if place == MAIN or not can_let_go(transport):
            transport.protocol = channel
            channel.dataReceived(data)
            return
        channel.connectionLost(Failure(ConnectionDone()))
        front.departures.send(place, "plain", None, transport, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._channel.connectionLost(reason)


class DealtPort(Factory):
    """
    The factory of a public TCP port, where visitors belong to several processes.
    """

    noisy = False

    def __init__(self, factory: PortFactory, departures: Departures) -> None:
        """
        :param factory: serves those that stay.
        """
        self._factory = factory
        self._departures = departures

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        place = self._departures.home(self._factory.owner)
        if place == MAIN:
            return self._factory.buildProtocol(addr)
        return _Elsewhere(self._departures, place, "port", self._factory.port, self._factory).buildProtocol(addr)


@implementer(IProtocolFactory)
class DealtAgents:
    """
    The factory of a listener for agents, where they belong to several processes.
    """

    noisy = False

    def __init__(self, factory: Any, kind: str, departures: Departures) -> None:
        """
        :param factory: serves those that stay.
        :param kind: ``ssh`` or ``agent``.
        """
        self._factory = factory
        self._kind = kind
        self._departures = departures

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        place = self._departures.next_agent()
        if place == MAIN:
            return self._factory.buildProtocol(addr)
        return _Elsewhere(self._departures, place, self._kind, None, self._factory).buildProtocol(addr)

    def doStart(self) -> None:
        """IProtocolFactory."""
        self._factory.doStart()

    def doStop(self) -> None:
        """IProtocolFactory."""
        self._factory.doStop()
