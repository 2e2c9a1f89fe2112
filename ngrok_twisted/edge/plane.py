"""
`EdgePlane`: owns the fronts, the ports and the router in force.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.edge.compile import compile_router
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.front import PlainFront, TLSFront
from ngrok_twisted.edge.https import HTTPSEdge, PlainSite
from ngrok_twisted.edge.ports import Ports
from ngrok_twisted.edge.router import Router
from ngrok_twisted.interfaces import IEdgePlane
from ngrok_twisted.records.base import Problem, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.tls.options import TLSOptions


@implementer(IEdgePlane)
class EdgePlane(Service):
    """
    :ivar router: the `Router` in force; replaced whole, never changed.
    :ivar secure_front: the factory for the https and tls listener.
    :ivar plain_front: the factory for the http listener.
    """

    _log = Logger()

    def __init__(self, context: EdgeContext, tcp_interface: str) -> None:
        """
        :param tcp_interface: the address that public TCP ports listen on; empty for any.
        """
        reactor = context.runtime.reactor
        self._context = context
        self._ports = Ports(reactor, tcp_interface, lambda port: self.router.ports.get(port))
        self._nobody = HTTPSEdge("nobody", None, TLSOptions(), self, context)
        self.router = Router()
        self.secure_front = TLSFront(self, reactor)
        self.plain_front = PlainFront(PlainSite(self, context))

    def secure_owner(self, server_name: str | None) -> Any:
        """
        The edge of the name. A name that nobody has gets one that completes the handshake and answers each request with
        the offline page, so that the visitor reads why.
        """
        owner = None if server_name is None else self.router.secure.get(server_name)
        return self._nobody if owner is None else owner

    def check(self, snapshot: Snapshot) -> list[Problem]:
        """
        IEdgePlane.

        Ports that the snapshot needs are opened here, since only opening a port proves that it can be had. The next
        `apply` closes those that it does not need after all.
        """
        problems = []
        for endpoint in snapshot.all(Endpoint):
            if endpoint.proto == "tcp" and endpoint.binding == "public":
                trouble = self._ports.prepare(endpoint.port)
                if trouble is not None:
                    problems.append(Problem(endpoint.id, trouble))
        return problems

    def apply(self, snapshot: Snapshot) -> None:
        """IEdgePlane."""
        self._context.certificates.update(snapshot)
        self.router = compile_router(snapshot, self.router, self, self._context)
        self._ports.keep(self.router.ports)

    def stopService(self) -> Deferred[Any]:
        """
        Close the public TCP ports.

        :return: a Deferred that fires with ``None``.
        """
        super().stopService()
        return self._ports.close()
