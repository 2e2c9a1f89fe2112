"""
An edge plane in memory: what the tests of fronts, edges and compilation stand on.
"""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Mapping

from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.edge.returning import Returning
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IBackendKind, ITunnel
from ngrok_twisted.net.tls import TLSConnection
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tls.contexts import make_context
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.upstream.pool import Pool
from tests.edge.wire import Service, statuses
from tests.net.certificates import pem_file
from tests.net.loop import Recorder
from tests.net.wire import Wire


@cache
def _context(options: TLSOptions) -> ssl.SSLContext:
    return make_context(Path(pem_file()).read_text(), "", options)


class Certificates:
    """
    One certificate for all names.

    :ivar asked: the names and options that were asked for.
    :ivar issued: the same for certificates of many names.
    """

    revision = 0

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, TLSOptions]] = []
        self.issued: list[tuple[tuple[str, ...], TLSOptions]] = []
        self.updates: list[Snapshot] = []

    def update(self, snapshot: Snapshot) -> None:
        self.updates.append(snapshot)
        self.revision += 1

    def context_for(self, name: str | None, options: TLSOptions = TLSOptions()) -> ssl.SSLContext:
        self.asked.append((name, options))
        return _context(options)

    def context_of(self, names: tuple[str, ...], options: TLSOptions = TLSOptions()) -> ssl.SSLContext:
        self.issued.append((names, options))
        return _context(options)


@implementer(ITunnel)
class Tunnel(Service):
    """A tunnel to a service that the test plays."""

    account_id = "ac_1"
    principal = Principal(account_id="ac_1", account_name="", credential_id="sshcr_1")
    session_id = "ts_1"
    started_at = 0.0

    def __init__(
        self,
        id: str,
        endpoint_id: str | None = None,
        labels: Mapping[str, str] = {},
        url: str = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.id = id
        self.endpoint_id = endpoint_id
        self.labels = dict(labels)
        self.url = url
        self.seen: list[Any] = []

    def observe(self, flow: Any) -> None:
        self.seen.append(flow)

    def close(self, reason: str) -> None:
        raise AssertionError("nobody closes it")


class Edge:
    """
    An `EdgePlane` on a `MemoryReactorClock`.

    :ivar flows: those that have ended.
    """

    def __init__(self, *, before: Mapping[str, Any] = {}, inherited: Any = None, **changes: Any) -> None:
        """
        :param before: what agents had online before a restart in place.
        :param inherited: the sockets from before.
        """
        self.reactor = MemoryReactorClock()
        self.tunnels = Tunnels()
        self.certificates = Certificates()
        self.flows: list[Any] = []
        values: dict[str, Any] = {
            "runtime": Runtime(reactor=self.reactor, random=Random(1)),
            "tunnels": self.tunnels,
            "certificates": self.certificates,
            "pool": Pool(self.reactor),
            "limits": HTTPLimits(),
            "stream_idle": 300.0,
            "observers": (self.flows.append,),
            "public_ports": {"https": 8443, "http": 8080},
            "module_kinds": {},
            "backend_kinds": kinds.discover("ngrok_twisted.backends", IBackendKind),
        }
        self.context = EdgeContext(**{**values, **changes})
        returning = Returning(before, self.tunnels, self.reactor) if before else None
        self.plane = EdgePlane(self.context, "127.0.0.1", inherited=inherited, returning=returning)

    def serve(self, *records: Record) -> Snapshot:
        """Serve exactly these records from now on."""
        snapshot = Snapshot().with_changes([Put(record) for record in records])
        problems = self.plane.check(snapshot)
        assert not problems, problems
        self.plane.apply(snapshot)
        return snapshot

    def online(self, endpoint_id: str, **options: Any) -> Tunnel:
        """A tunnel for this endpoint."""
        tunnel = Tunnel(f"tn_{len(self.tunnels)}", endpoint_id, **options)
        self.tunnels.online(tunnel)
        return tunnel

    def visit(self, server_name: str | None) -> SecureVisitor:
        """A visitor on the TLS front."""
        return SecureVisitor(self, server_name)


def endpoint(id: str, proto: str = "https", host: str = "app.example.com", port: int = 443, **more: Any) -> Endpoint:
    """An agent's endpoint."""
    return Endpoint(id=id, account_id="ac_1", proto=proto, host=host, port=port, **more)


class SecureVisitor:
    """
    A visitor that speaks TLS to the TLS front.

    :ivar wire: between the two.
    """

    def __init__(self, edge: Edge, server_name: str | None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.inner = Recorder()
        self.client = TLSConnection(
            context, self.inner, clock=edge.reactor, server_side=False, server_hostname=server_name
        )
        self.wire = Wire(self.client, edge.plane.secure_front.buildProtocol(None))
        self.wire.run()

    def send(self, data: bytes) -> bytes:
        """Send, and take what is answered at once."""
        self.client.write(data)
        return self.take()

    def take(self) -> bytes:
        """What arrived since the last call."""
        self.wire.run()
        data = bytes(self.inner.received)
        self.inner.received.clear()
        return data

    def ask(self, host: str, path: str = "/") -> int:
        """The status of a request that the edge answers by itself."""
        (status,) = statuses(self.send(get(host, path)))
        return status


def get(host: str, path: str = "/") -> bytes:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def hello(server_name: str | None) -> bytes:
    """A ClientHello as OpenSSL writes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
