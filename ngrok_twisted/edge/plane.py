"""
`EdgePlane`: owns the fronts, the ports and the router in force.
"""

from __future__ import annotations

from typing import Any, Callable, Collection, Iterable, Iterator, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.edge.amend import Changes, endpoint_changes
from ngrok_twisted.edge.compile import compile_router
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.door import AgentDoor, AgentFront
from ngrok_twisted.edge.front import PlainFront, TLSFront
from ngrok_twisted.edge.https import Entry, HTTPSEdge, PlainSite
from ngrok_twisted.edge.ports import Ports
from ngrok_twisted.edge.restrictions import EndpointRestrictions
from ngrok_twisted.edge.returning import Returning, leaving, online
from ngrok_twisted.edge.router import NameTable, Router
from ngrok_twisted.edge.services import Services, ServiceSite
from ngrok_twisted.edge.visitors import Visitors
from ngrok_twisted.interfaces import IEdgePlane
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.records.base import Problem, Snapshot
from ngrok_twisted.records.edge import TCPEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_domain import ReservedDomain


@implementer(IEdgePlane)
class EdgePlane(Service):
    """
    :ivar router: the `Router` in force; replaced whole, never changed.
    :ivar visitors: the `Visitors` who are connected now.
    :ivar returning: the agents that are expected back after a restart in place; ``None`` as soon as they had time enough.
    :ivar restrictions: the `EndpointRestrictions` of all accounts, in force now.
    :ivar secure_front: the factory for the https and tls listener.
    :ivar plain_front: the factory for the http listener.
    :ivar front_ports: gives the ports that the listeners of both are bound to.
    """

    _log = Logger()

    def __init__(
        self,
        context: EdgeContext,
        tcp_interface: str,
        around_ports: Callable[[Any], Any] = lambda factory: factory,
        inherited: InheritedSockets | None = None,
        returning: Returning | None = None,
    ) -> None:
        """
        :param tcp_interface: the address that public TCP ports listen on; empty for any.
        :param around_ports: what stands around the factory of each of them.
        :param inherited: sockets that are open already.
        :param returning: the agents that are expected back.
        """
        reactor = context.runtime.reactor
        self._context = context
        self._ports = Ports(
            reactor, tcp_interface, lambda port: self.router.ports.get(port), around_ports, inherited, self._hold_port
        )
        self._nobody = HTTPSEdge("nobody", None, Entry(), self, context)
        self._services = Services(self, context)
        self._domains: Any = None
        self._reserved = NameTable()
        self._checked: tuple[Snapshot | None, Router | None] = (None, None)
        self.returning = returning
        self.visitors = Visitors()
        self.restrictions = EndpointRestrictions()
        self.router = Router()
        self.secure_front = TLSFront(self, reactor)
        self.plain_front = PlainFront(PlainSite(self, context), self.visitors)
        self.front_ports: Callable[[], Collection[int | None]] = tuple

    def host(self, name: str, resource: Any) -> None:
        """
        Answer under one of the service's own names, from the next `apply` on. No record comes before it.

        :param name: lower case.
        :param resource: the `IResource` that answers.
        """
        self._services.add(name, resource)

    def service_front(self, name: str, resource: Any) -> PlainFront:
        """
        The factory of a plain listener that belongs to one of the service's own resources.

        :param name: for logs.
        """
        return PlainFront(ServiceSite(name, resource, self._context), self.visitors)

    def host_agents(self, name: str, agents: Any) -> AgentFront:
        """
        Let agents in under one of the service's own names, and under those that accounts have for theirs, from the next
        `apply` on.

        :param name: lower case.
        :param agents: the `IProtocolFactory` of what they speak inside TLS.
        :return: the factory of a listener that is for them alone.
        """
        reactor = self._context.runtime.reactor
        door = self._services.agents = AgentDoor(name, agents, self._context.certificates, reactor)
        return AgentFront(self, door, reactor)

    def await_agents(self, seconds: float) -> None:
        """Agents can come in from now on. Those that were here before a restart in place have so long to come back."""
        if self.returning is None:
            self._nobody_returns()
        else:
            self.returning.begin(seconds, self._nobody_returns)

    def expect(self, tunnels: Iterable[Any], seconds: float) -> None:
        """
        The agents of these tunnels, which are online still, are about to go and to come back: until they have, and for so long
        at most, their visitors wait.
        """
        if self.returning is not None:
            self.returning.end()
        before = leaving(tunnels)
        self.returning = Returning(before, self._context.tunnels, self._context.runtime.reactor)
        self._ports.rest(place for place in before["urls"] if isinstance(place, int))
        self.returning.begin(seconds, self._nobody_returns)

    def _nobody_returns(self) -> None:
        self.returning = None
        self._ports.close_inherited()

    def _hold_port(self, port: int, owner: Any, go_on: Callable[[], Any]) -> bool:
        return self.returning is not None and self.returning.hold_port(port, owner, go_on)

    def hand_over(self) -> list[int]:
        """
        Leave the public TCP ports to whoever comes after this server in the same process.

        :return: the descriptors of their sockets.
        """
        return self._ports.hand_over()

    def online(self) -> Mapping[str, Any]:
        """What agents have online, for the `Returning` of the program that comes after this one."""
        return online(self._context.tunnels)

    def is_own_port(self, port: int) -> bool:
        """Whether visitors arrive at this port."""
        return port in self._ports or port in self.front_ports()

    def secure_owner(self, server_name: str | None) -> Any:
        """
        The edge of the name. A name that nobody has gets one that completes the handshake and answers each request with
        the offline page, so that the visitor reads why.
        """
        owner = None if server_name is None else self.router.secure.get(server_name)
        return self._nobody if owner is None else owner

    def internal_endpoint(self, account_id: str, proto: str, host: str, port: int) -> Any:
        """What serves an internal URL of an account now, or ``None``; see `ngrok_twisted.edge.internal`."""
        internal = self.router.internal
        return None if internal is None else internal.find(account_id, proto, host, port)

    def certificate_name(self, server_name: str | None) -> str | None:
        """
        The name to show a certificate for: the one asked for, if it has an edge or is reserved and only offline.

        Any other name is a stranger's idea, for which nothing is issued or kept: ``None``, as for a visitor without a name.
        """
        if server_name is None:
            return None
        known = self.router.secure.get(server_name) is not None or self._reserved.get(server_name) is not None
        return server_name if known else None

    def check(self, snapshot: Snapshot) -> list[Problem]:
        """
        IEdgePlane.

        Ports that the snapshot needs are opened here, since only opening a port proves that it can be had. The next
        `apply` closes those that it does not need after all.
        """
        changes = endpoint_changes(self.router.source, snapshot)
        # What was there before has its port, or does without.
        wanted = _tcp_ports(snapshot) if changes is None else _endpoint_ports(changes.come)
        problems = [
            Problem(record_id, trouble)
            for record_id, port in wanted
            if (trouble := self._ports.prepare(port)) is not None
        ]
        try:
            self._checked = (snapshot, self._compile(snapshot, changes))
        except LookupError as error:
            problems.append(Problem(getattr(error, "record_id", ""), str(error)))
        return problems

    def apply(self, snapshot: Snapshot) -> None:
        """IEdgePlane."""
        checked, router = self._checked
        self._checked = (None, None)
        if checked is not snapshot or router is None:
            router = self._compile(snapshot, endpoint_changes(self.router.source, snapshot))
        self._context.certificates.update(snapshot)
        self._update_reserved(snapshot)
        self.restrictions.update(snapshot)
        self.router = router
        self._ports.keep(self.router.ports)

    def do_without(self, snapshot: Snapshot, record_id: str) -> None:
        """IEdgePlane."""
        for id, port in _tcp_ports(snapshot):
            if id == record_id and self._ports.prepare(port) is not None:
                self._ports.do_without(port)

    def _update_reserved(self, snapshot: Snapshot) -> None:
        domains = snapshot.tables.get(ReservedDomain.family)
        if domains is not self._domains:
            self._domains = domains
            self._reserved = NameTable({record.domain: record for record in snapshot.all(ReservedDomain)})

    def _compile(self, snapshot: Snapshot, changes: Changes | None) -> Router:
        return compile_router(snapshot, self.router, self, self._context, self._services, changes)

    def stopService(self) -> Deferred[Any]:
        """
        Close the public TCP ports, and the connections that wait for another request.

        :return: a Deferred that fires with ``None``.
        """
        super().stopService()
        if self.returning is not None:
            self.returning.end()
        self._context.pool.close()
        return self._ports.close()


def _endpoint_ports(endpoints: Iterable[Endpoint]) -> Iterator[tuple[str, int]]:
    for endpoint in endpoints:
        if endpoint.proto == "tcp" and endpoint.binding == "public":
            yield endpoint.id, endpoint.port


def _tcp_ports(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    """The public ports that the snapshot needs, each with the id of the record that needs it."""
    yield from _endpoint_ports(snapshot.all(Endpoint))
    for edge in snapshot.all(TCPEdge):
        for hostport in edge.hostports:
            yield edge.id, int(hostport.rpartition(":")[2])
