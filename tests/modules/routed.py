"""
An https edge with one route and modules on it, a service behind it, and a visitor in front.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, module
from tests.edge.doubles import Edge, SecureVisitor, Tunnel

HOST = "app.example.com"
GROUP = Backend(id="bkdtg_1", account_id="ac_1", kind="tunnel_group", config=TunnelGroupConfig(labels={"app": "web"}))


class Routed:
    """
    :ivar edge: the edge plane.
    :ivar tunnel: to the service.
    :ivar visitor: connected to the edge.
    """

    def __init__(self, kinds: dict[str, Any], configs: dict[str, Any], backend: Backend = GROUP) -> None:
        """
        :param kinds: module kinds by name.
        :param configs: those of the route's modules, by name.
        """
        self.edge = Edge(module_kinds=kinds)
        route = HTTPSEdgeRoute(
            backend=BackendRef(backend_id=backend.id),
            modules={name: module(config) for name, config in configs.items()},
        )
        self.edge.serve(
            backend, HTTPSEdge(id="edghts_1", account_id="ac_1", hostports=(f"{HOST}:443",), routes=(route,))
        )
        self.tunnel = Tunnel("tn_1", labels={"app": "web"})
        self.edge.tunnels.online(self.tunnel)
        self.visitor = SecureVisitor(self.edge, HOST)

    def send(self, *fields: bytes, line: bytes = b"GET /some?q=1", host: bytes = HOST.encode()) -> bytes:
        """Ask; what is answered without the service."""
        return self.visitor.send(b"\r\n".join([line + b" HTTP/1.1", b"Host: " + host, *fields, b"", b""]))

    def got(self) -> list[bytes]:
        """The lines of the head that the service got."""
        return self.tunnel.connection.take().partition(b"\r\n\r\n")[0].split(b"\r\n")

    def ask(self, *fields: bytes, **more: Any) -> list[bytes]:
        """Ask; the lines of the head that the service got."""
        self.send(*fields, **more)
        return self.got()

    def say(self, *fields: bytes, body: bytes = b"ok", status: bytes = b"200 OK") -> tuple[list[bytes], bytes]:
        """The service answers; the lines of the head and the body that the visitor gets."""
        lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body), b"", b""]
        self.tunnel.connection.send(b"\r\n".join(lines) + body)
        head, _, rest = self.visitor.take().partition(b"\r\n\r\n")
        return head.split(b"\r\n"), rest
