"""
TLS and TCP edges: bytes that the edge does not look into.

One builder serves both, since a TLS passthrough edge is a TCP edge that was found by name: the ClientHello that the front
read is the stream's first bytes.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.upstream.stream import StreamFactory, Visitor


class StreamEdge(StreamFactory):
    """
    :ivar name: for logs.
    """

    def __init__(self, name: str, proto: str, backend: Any, plane: Any, context: EdgeContext) -> None:
        """
        :param proto: ``tls`` or ``tcp``.
        :param backend: the `IBackend` that chooses who answers.
        :param plane: whose ``visitors`` count the connections.
        """
        super().__init__(
            backend,
            proto,
            context.runtime.reactor,
            context.observers,
            idle_timeout=context.stream_idle,
        )
        self.name = name
        self._visitors = plane.visitors

    def buildProtocol(self, addr: Any) -> Visitor:
        """IProtocolFactory."""
        visitor = super().buildProtocol(addr)
        self._visitors.arrived(visitor)
        visitor.flow.observers += (lambda flow: self._visitors.left(visitor),)
        return visitor
