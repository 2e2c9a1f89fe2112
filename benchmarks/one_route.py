"""
`OneRoute`: a visitor, a route with modules, and a service, all in memory.

What is counted in front of it is our own work, and nothing of the kernel's or of TLS.
"""

from __future__ import annotations

from random import Random
from typing import Any, Iterable, Iterator, Mapping

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.edge.chain import Chain
from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.site import Site
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import config_type, module
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.schema import parse
from ngrok_twisted.upstream.forward import Forward

#: The account that everything belongs to, and what time it is, in seconds since the epoch.
ACCOUNT, NOW = "ac_1", 1_700_000_000

#: Settings of modules, by the names of their kinds.
Modules = Mapping[str, Mapping[str, Any]]


class OneRoute:
    """
    One visitor that keeps its connection. Each request is answered before `ask` returns.
    """

    def __init__(
        self,
        modules: Modules,
        request: bytes,
        answer: bytes,
        records: Iterable[Record] = (),
        certificate: bytes | None = None,
        enabled: bool = True,
    ) -> None:
        """
        :param modules: what stands on the route.
        :param request: what the visitor sends, again and again.
        :param answer: what the service does.
        :param records: what modules refer to.
        :param certificate: the visitor's, in DER.
        :param enabled: whether the modules are switched on.
        """
        known = kinds.discover("ngrok_twisted.modules", IModuleKind)
        clock = Clock()
        clock.advance(NOW)
        held = Snapshot().with_changes([Put(record) for record in records])
        context = ModuleContext(
            runtime=Runtime(reactor=clock, random=Random(1)), account_id=ACCOUNT, records=held, place="edghtsrt_1"
        )
        made = {name: module(parse(_config(known[name]), data), enabled) for name, data in modules.items()}
        resource = Chain(made, known, context).around_resource(Forward(_Only(_Service(answer)), clock))
        self._channel = HTTPChannel(_OneSite(resource, clock))
        self._wire = _Wire(certificate)
        self._channel.makeConnection(self._wire)
        self._request = request

    def ask(self) -> None:
        """One request, answered."""
        self._channel.dataReceived(self._request)

    def answered(self) -> bytes:
        """All that the visitor gets for one more request."""
        kept: list[bytes] = []
        self._wire.kept = kept
        self.ask()
        self._wire.kept = None
        return b"".join(kept)


def _config(kind: Any) -> type:
    """The config of a kind on a route, or where it stands instead."""
    return config_type(kind, next(place for place in ("route", "https") if place in kind.attaches))


class _OneSite(Site):
    """Everything goes to one resource."""

    def __init__(self, resource: Any, clock: Any) -> None:
        super().__init__("https", clock)
        self._resource = resource

    def resource_for(self, request: Any) -> Any:
        return self._resource


class _Only:
    """A backend with one target."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def candidates(self, flow: Any) -> Iterator[Any]:
        yield self._target


class _Wire:
    """
    The visitor's end of a connection.

    :ivar kept: takes what is written; ``None`` while nobody wants it.
    """

    def __init__(self, certificate: bytes | None = None) -> None:
        self.kept: list[bytes] | None = None
        self._certificate = certificate

    def write(self, data: bytes) -> None:
        self.writeBatch([data])

    def writeBatch(self, buffers: list[Any]) -> None:
        if self.kept is not None:
            self.kept += map(bytes, buffers)

    def getPeerCertificate(self) -> bytes | None:
        return self._certificate

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "203.0.113.1", 443)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def loseConnection(self) -> None:
        pass


class _Answering(_Wire):
    """The way to a service that answers when the last bytes of a request are written."""

    def __init__(self, protocol: Any, answer: bytes) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer = answer
        self._owed = 0

    def writeBatch(self, buffers: list[Any]) -> None:
        """Heads come alone or with the body, which is as long as they say."""
        data = b"".join(map(bytes, buffers)) if len(buffers) > 1 else bytes(buffers[0])
        if self._owed:
            self._owed -= len(data)
        else:
            head, _, body = data.partition(b"\r\n\r\n")
            self._owed = _length(head) - len(body)
        if self._owed <= 0:
            self._owed = 0
            self._protocol.dataReceived(self._answer)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


@implementer(IStreamClientEndpoint)
class _Service:
    """A target."""

    upstream = Upstream()

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connect(self, factory: Any) -> Deferred[Any]:
        """IStreamClientEndpoint."""
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(_Answering(protocol, self._answer))
        return succeed(protocol)
