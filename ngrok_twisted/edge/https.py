"""
HTTPS and HTTP edges: what is behind a name that speaks HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ssl import SSLContext
from typing import Any, Callable

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.redirect import ToHTTPS
from ngrok_twisted.edge.returning import HeldRequest
from ngrok_twisted.edge.site import Site
from ngrok_twisted.edge.visitors import visitor_protocol
from ngrok_twisted.errors import EdgeError, EndpointOffline, Misdirected
from ngrok_twisted.net.tls import TLSServer
from ngrok_twisted.tls.options import HTTP2, TLSOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    What a connection goes through before its first request.

    Names whose entries are equal may share a connection; a name that asks for another entry may not be reached through it.

    :ivar options: the handshake.
    :ivar modules: the connection modules before it, as pairs of kind's name and config.
    """

    options: TLSOptions = TLSOptions()
    modules: tuple[tuple[str, Any], ...] = ()


class HTTPEdge:
    """
    An http edge: only a resource, since the plain front has no handshake of its own.

    :ivar name: for logs.
    :ivar resource: the chain of modules with the backend at its end.
    :ivar account_id: whose edge it is; empty for the service's own.
    """

    __slots__ = ("name", "resource", "account_id", "came_from", "__weakref__")

    def __init__(self, name: str, resource: Any, account_id: str = "") -> None:
        self.name = name
        self.resource = resource
        self.account_id = account_id


@implementer(IProtocolFactory)
class HTTPSEdge(Factory):
    """
    TLS at the edge, HTTP inside.

    :ivar name: for logs.
    :ivar resource: the chain of modules with the backend at its end.
    :ivar entry: what its connections go through.
    :ivar account_id: whose edge it is; empty for the service's own.
    :ivar others: edges of the same name for connections that went through something else.
    """

    noisy = False
    others: tuple[HTTPSEdge, ...] = ()

    def __init__(
        self,
        name: str,
        resource: Any,
        entry: Entry,
        plane: Any,
        context: EdgeContext,
        around_factory: Callable[[Any], Any] = lambda factory: factory,
        *,
        account_id: str = "",
    ) -> None:
        """
        :param plane: the `ngrok_twisted.edge.plane.EdgePlane`, asked again at each request.
        :param around_factory: puts the edge's connection modules around the factory that begins the handshake.
        """
        self.name = name
        self.resource = resource
        self.entry = entry
        self.account_id = account_id
        self._handshakes = around_factory(_Handshakes(entry, plane, context))

    def entered(self, entry: Entry) -> HTTPSEdge | None:
        """The edge for connections that went through this: itself, or another of its name; ``None`` where there is none."""
        return next((edge for edge in (self, *self.others) if edge.entry == entry), None)

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        return self._handshakes.buildProtocol(addr)


# Seconds for which what a handshake needs is remembered, and the names of one edge for which it is (wildcards have many). So long
# a certificate may be shown after it was due to be renewed, or tickets be sealed with a key that has just become too old.
_REMEMBERED = 5.0
_NAMES = 100


class _Handshakes(Factory):
    """The innermost factory of an https edge: TLS, with HTTP inside."""

    noisy = False

    def __init__(self, entry: Entry, plane: Any, context: EdgeContext) -> None:
        self._entry = entry
        self._plane = plane
        self._context = context
        self._options = entry.options
        self._ready: dict[str | None, _Ready] = {}
        if context.limits.streams:
            self._options = replace(entry.options, alpn=(HTTP2, *entry.options.alpn))

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        server_name, context = addr.server_name, self._context
        reactor = context.runtime.reactor
        ready = self._ready.get(server_name)
        if ready is None or ready.until < reactor.seconds() or ready.revision != context.certificates.revision:
            ready = self._prepare(server_name)
        return TLSServer(ready.tls_context, ready.protocol, clock=reactor)

    def _prepare(self, server_name: str | None) -> _Ready:
        """
        Remember what the next connections for a name need, too: what it is made of takes as long to find as a request to serve.
        """
        if len(self._ready) >= _NAMES:
            self._ready.clear()
        context = self._context
        name = self._plane.certificate_name(server_name)
        ready = self._ready[server_name] = _Ready(
            context.certificates.context_for(name, self._options),
            context.certificates.revision,
            context.runtime.reactor.seconds() + _REMEMBERED,
            SecureSite(server_name, self._entry, self._plane, context),
            self._plane.visitors,
        )
        return ready


class _Ready:
    """
    What connections for one name have in common.

    :ivar revision: that of the `ngrok_twisted.tls.certificates.Certificates` that it is from.
    :ivar until: seconds on the reactor's clock.
    """

    __slots__ = ("tls_context", "revision", "until", "_site", "_visitors")

    def __init__(self, tls_context: SSLContext, revision: int, until: float, site: Site, visitors: Any) -> None:
        self.tls_context = tls_context
        self.revision = revision
        self.until = until
        self._site = site
        self._visitors = visitors

    def protocol(self, transport: Any) -> Any:
        """What speaks with a visitor whose handshake is over."""
        return visitor_protocol(transport.negotiatedProtocol, self._site, self._visitors)


class SecureSite(Site):
    """
    Finds the resource for each request of HTTPS connections that asked for one name.

    The router is asked at every request, so that a connection that is kept alive meets the name's newest edge.
    """

    __slots__ = ("server_name", "_entry", "_plane")

    def __init__(self, server_name: str | None, entry: Entry, plane: Any, context: EdgeContext) -> None:
        """
        :param server_name: the name in the ClientHello; ``None`` from a visitor that sent none.
        :param entry: what the connection went through.
        """
        runtime = context.runtime
        super().__init__("https", runtime.reactor, context.limits, context.observers, runtime.random)
        self.server_name = server_name
        self._entry = entry
        self._plane = plane

    def resource_for(self, request: Any) -> Any:
        """
        :raises EndpointOffline: nobody has the name.
        :raises Misdirected: the host belongs to another edge than the connection's (RFC 9110 section 7.4), or its edge
            asks for another entry than the connection had.
        :raises Restricted: the owner's account turns the visitor's address away.
        """
        flow = request.flow
        host = flow.host
        plane = self._plane
        owner = plane.router.secure.get(host)
        if owner.__class__ is not HTTPSEdge or owner.entry is not self._entry or host != self.server_name:
            owner = self._checked(request, owner)
        flow.edge = owner
        plane.restrictions.require(owner.account_id, flow.peer_host)
        return owner.resource

    def _checked(self, request: Any, owner: Any) -> HTTPSEdge:
        """The edge for a request for which it is not plain from its host."""
        if isinstance(owner, HTTPSEdge) and not self._is_elsewhere(request.flow.host, owner):
            if owner.entry == self._entry:
                return owner
        return self._other(request, owner)

    def _other(self, request: Any, owner: Any) -> HTTPSEdge:
        """The edge of the same name for connections like this one, if there is any."""
        here = isinstance(owner, HTTPSEdge) and not self._is_elsewhere(request.flow.host, owner)
        other = owner.entered(self._entry) if here else None
        if other is None:
            raise self._why_not(request, owner)
        return other

    def _is_elsewhere(self, host: str, owner: Any) -> bool:
        """Whether a host is not what the connection is for."""
        name = self.server_name
        return name not in (host, None) and (owner is None or owner is not self._plane.router.secure.get(name))

    def _why_not(self, request: Any, owner: Any) -> EdgeError:
        """The error for a host that this connection does not serve."""
        name = self.server_name
        own = None if name is None else self._plane.router.secure.get(name)
        if own is not None and not (isinstance(own, HTTPSEdge) and own.entered(self._entry)):
            # Not even its own name, whoever is asked for: a visitor that keeps it would be turned away for ever.
            request.channel.shut_down()
        host = request.flow.host
        if self._is_elsewhere(host, owner) or isinstance(owner, HTTPSEdge):
            return Misdirected()
        return EndpointOffline.named(host)


class PlainSite(Site):
    """
    Finds the resource for each request on the plain front: an http edge, or the way to the https one.
    """

    __slots__ = ("_plane", "_to_https")

    def __init__(self, plane: Any, context: EdgeContext) -> None:
        super().__init__("http", context.runtime.reactor, context.limits, context.observers)
        self._plane = plane
        self._to_https = ToHTTPS(context.public_ports["https"])

    def resource_for(self, request: Any) -> Any:
        """
        :raises EndpointOffline: nobody has the name.
        :raises Restricted: the owner's account turns the visitor's address away.
        """
        router = self._plane.router
        flow = request.flow
        edge = router.plain.get(flow.host)
        if self._plane.returning is not None:
            held = HeldRequest(self, request)
            if self._plane.returning.hold_name(flow.host, edge, held.go_on):
                return held
        if edge is not None:
            flow.edge = edge
            self._plane.restrictions.require(edge.account_id, flow.peer_host)
            return edge.resource
        secure = router.secure.get(flow.host)
        if isinstance(secure, HTTPSEdge):
            self._plane.restrictions.require(secure.account_id, flow.peer_host)
            return self._to_https
        raise EndpointOffline.named(flow.host)
