"""
`GRPCService` and `GRPCClient`: grpcio's own server and client, each in a process of its own.
"""

from __future__ import annotations

import json
from typing import Any

from tests.functional.edge import Edge
from tests.functional.line_peer import LinePeer
from tests.functional.ports import free_port
from tests.functional.tools import peer, tool


class GRPCService(LinePeer):
    """
    A gRPC service.

    :ivar port: where it listens.
    """

    def __init__(self, *pair: str, port: int = 0) -> None:
        """
        :param pair: the paths of a certificate and its key, for a service that speaks TLS.
        :param port: where to listen, if it matters.
        """
        self.port = port or free_port()
        super().__init__([tool("python"), peer("grpc_service.py"), str(self.port), *pair])
        self.wait_for("ready")


class GRPCClient(LinePeer):
    """A gRPC channel to one name."""

    def __init__(self, edge: Edge, host: str) -> None:
        super().__init__([tool("python"), peer("grpc_client.py"), str(edge.https), host, str(edge.ca)])

    def ask(self, name: str, *arguments: Any) -> None:
        """Begin one call."""
        self.tell(json.dumps([name, *arguments]))

    def call(self, name: str, *arguments: Any) -> Any:
        """One call, and what became of it."""
        self.ask(name, *arguments)
        return json.loads(self.line())
