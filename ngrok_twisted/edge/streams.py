"""
TLS and TCP edges: bytes that the edge does not look into.

One builder serves both, since a TLS passthrough edge is a TCP edge that was found by name: the ClientHello that the front
read is the stream's first bytes. Where TLS ends at the edge, the stream is what is inside.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.net.tls import TLSServer
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.upstream.stream import StreamFactory, Visitor


@implementer(IProtocolFactory)
class StreamEdge(Factory):
    """
    :ivar name: for logs.
    :ivar proto: ``tls`` or ``tcp``.
    :ivar account_id: whose edge it is.
    :ivar terminates: TLS ends here, and the stream is what was inside.
    """

    noisy = False

    def __init__(
        self,
        name: str,
        proto: str,
        backend: Any,
        plane: Any,
        context: EdgeContext,
        *,
        account_id: str,
        terminates: bool = False,
        around_factory: Callable[[Any], Any] = lambda factory: factory,
    ) -> None:
        """
        :param backend: the `IBackend` that chooses who answers.
        :param plane: whose ``visitors`` count the connections, and whose ``restrictions`` come before everything else.
        :param around_factory: puts the edge's connection modules around the factory that relays.
        """
        self.name = name
        self.proto = proto
        self.account_id = account_id
        self.terminates = terminates
        self._restrictions = plane.restrictions
        self._streams = around_factory(_Streams(self, backend, plane, context))

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory: ``None`` closes the connection."""
        if self._restrictions.closes(self.account_id, getattr(addr, "host", "")):
            return None
        return self._streams.buildProtocol(addr)


class _Streams(StreamFactory):
    """The innermost factory of a stream edge."""

    def __init__(self, edge: StreamEdge, backend: Any, plane: Any, context: EdgeContext) -> None:
        super().__init__(
            backend,
            edge.proto,
            context.runtime.reactor,
            context.observers,
            edge=edge,
            idle_timeout=context.stream_idle,
        )
        self._visitors = plane.visitors

    def buildProtocol(self, addr: Any) -> Visitor:
        """IProtocolFactory."""
        visitor = super().buildProtocol(addr)
        self._visitors.arrived(visitor, proto=self.proto)
        visitor.flow.observers += (lambda flow: self._visitors.left(visitor),)
        return visitor


@implementer(IProtocolFactory)
class TerminatedStreams(Factory):
    """
    TLS at the edge, with a stream inside.
    """

    noisy = False

    def __init__(self, inner: Any, options: TLSOptions, plane: Any, context: EdgeContext) -> None:
        """
        :param inner: the factory that serves what is inside.
        :param options: the handshake.
        :param plane: says which name to show a certificate for.
        """
        self._inner = inner
        self._options = options
        self._plane = plane
        self._context = context

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        name = self._plane.certificate_name(addr.server_name)
        tls_context = self._context.certificates.context_for(name, self._options)
        make = lambda transport: self._inner.buildProtocol(addr)
        return TLSServer(tls_context, make, clock=self._context.runtime.reactor)
