"""
The service's own names: resources that the server itself answers with, such as the management API, on the public listeners
and on listeners of their own.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.door import AgentDoor
from ngrok_twisted.edge.https import Entry, HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.redirect import ToHTTPS
from ngrok_twisted.edge.site import Site
from ngrok_twisted.records.agent_ingress import CONNECT_LABEL, AgentIngress
from ngrok_twisted.records.base import Snapshot


class Services:
    """
    What the router has beside the edges of the records.

    :ivar secure: the https edges of the names.
    :ivar plain: what an http visitor of the names meets: the way to https.
    :ivar agents: the `AgentDoor`; ``None`` where agents come in by SSH alone.
    """

    __slots__ = ("secure", "plain", "agents", "_plane", "_context")

    def __init__(self, plane: Any, context: EdgeContext) -> None:
        """
        :param plane: as for `HTTPSEdge`.
        """
        self.secure: dict[str, HTTPSEdge] = {}
        self.plain: dict[str, HTTPEdge] = {}
        self.agents: AgentDoor | None = None
        self._plane = plane
        self._context = context

    def doors(self, snapshot: Snapshot) -> dict[str, AgentDoor]:
        """The names that agents dial: the service's own, and one for each agent ingress."""
        if self.agents is None:
            return {}
        ingresses = (f"{CONNECT_LABEL}.{ingress.domain}" for ingress in snapshot.all(AgentIngress))
        return dict.fromkeys((*ingresses, self.agents.name), self.agents)

    @property
    def state(self) -> tuple[Any, ...]:
        """Another value once there is more here."""
        return len(self.secure), self.agents

    def add(self, name: str, resource: Any) -> None:
        """
        :param name: lower case.
        :param resource: the `IResource` that answers under it.
        """
        self.secure[name] = HTTPSEdge(name, resource, Entry(), self._plane, self._context)
        self.plain[name] = HTTPEdge(name, ToHTTPS(self._context.public_ports["https"]))


class ServiceSite(Site):
    """A plain listener that belongs to one resource, whatever host is asked for."""

    __slots__ = ("_edge",)

    def __init__(self, name: str, resource: Any, context: EdgeContext) -> None:
        """
        :param name: for logs.
        :param resource: the `IResource` that answers every request.
        """
        super().__init__("http", context.runtime.reactor, context.limits, context.observers)
        self._edge = HTTPEdge(name, resource)

    def resource_for(self, request: Any) -> Any:
        """Site."""
        request.flow.edge = self._edge
        return self._edge.resource
