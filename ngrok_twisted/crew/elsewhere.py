"""
`ElsewhereTunnel`: a tunnel whose agent is connected to another process of the same server.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Callable, Mapping, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from zope.interface import implementer

from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.crew.relay import dial
from ngrok_twisted.crew.relayed import Call, Visitor
from ngrok_twisted.errors import EdgeError, Overloaded
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IFlowFactory, ITunnel
from ngrok_twisted.net.bucket import Bucket
from ngrok_twisted.records.endpoint import Upstream

#: Of most tunnels.
NO_LABELS: Mapping[str, str] = MappingProxyType({})

#: Flows a second, after a burst of as many, that a tunnel is told of. It shows them to the agent's user: twice what a screen
#: takes, see `ngrok_twisted.transports.ssh.screen`.
SEEN_PER_SECOND = 40

#: Connections that are closed for the sake of visitors who wait; they wait for ten seconds or so.
OWED_MAX = 100

#: ``tell(kind, value, descriptor)`` brings a message to the process that has the tunnel.
Tell = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """
    A tunnel, as its process tells the others of it: see `ITunnel`.

    :ivar place: the number of that process.
    """

    place: int
    id: str
    endpoint_id: str | None
    account_id: str
    principal: Principal
    labels: Mapping[str, str]
    url: str
    upstream: Upstream
    session_id: str
    started_at: float
    metadata: str
    forwards_to: str
    body_wait: float

    @classmethod
    def of(cls, tunnel: Any, place: int) -> Advert:
        """
        :param tunnel: an `ITunnel` of this process.
        :param place: the number of this process.
        """
        return cls(
            place=place,
            id=tunnel.id,
            endpoint_id=tunnel.endpoint_id,
            account_id=tunnel.account_id,
            principal=tunnel.principal,
            labels=dict(tunnel.labels),
            url=tunnel.url,
            upstream=tunnel.upstream,
            session_id=tunnel.session_id,
            started_at=tunnel.started_at,
            metadata=tunnel.metadata,
            forwards_to=tunnel.forwards_to,
            body_wait=tunnel.body_wait,
        )


class Seen(NamedTuple):
    """A flow that was answered by a tunnel of another process, as far as the tunnel cares; see `Flow`."""

    peer_host: str
    peer_port: int
    proto: str
    host: str
    method: bytes
    target: bytes
    version: bytes
    status: int
    bytes_in: int
    bytes_out: int
    started: float
    ended: float
    error: EdgeError | None

    @classmethod
    def of(cls, flow: Flow) -> Seen:
        """What is told of a flow that has ended."""
        return cls(*(getattr(flow, name) for name in cls._fields))

    def flow(self) -> Flow:
        """The flow, as the tunnel sees it."""
        flow = Flow(self.peer_host, self.peer_port, self.proto, self.started)
        for name in self._fields:
            setattr(flow, name, getattr(self, name))
        return flow


@implementer(ITunnel)
class ElsewhereTunnel:
    """
    The attributes are those of the tunnel itself.

    :ivar place: the number of the process that has it.
    """

    __slots__ = (*Advert.__slots__, "_owed", "_seen", "_tell", "_reactor")

    def __init__(self, advert: Advert, tell: Tell, reactor: Any) -> None:
        self._owed = 0
        self._seen: Bucket | None = None
        self._tell = tell
        self._reactor = reactor
        self.be(advert)

    def be(self, advert: Advert) -> None:
        """Be what its process says of it."""
        self.place = advert.place
        self.id = advert.id
        self.endpoint_id = advert.endpoint_id
        self.account_id = advert.account_id
        self.principal = advert.principal
        self.labels = MappingProxyType(dict(advert.labels)) if advert.labels else NO_LABELS
        self.url = advert.url
        self.upstream = advert.upstream
        self.session_id = advert.session_id
        self.started_at = advert.started_at
        self.metadata = advert.metadata
        self.forwards_to = advert.forwards_to
        self.body_wait = advert.body_wait

    @property
    def crowded(self) -> bool:
        """ITunnel. Whoever asks is about to keep a connection, and does not if one is owed."""
        if not self._owed:
            return False
        self._owed -= 1
        return True

    def owe(self) -> None:
        """A visitor waits at the tunnel's process for a connection to end: the next that could be kept is not."""
        self._owed = min(self._owed + 1, OWED_MAX)

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """ITunnel. As a tunnel of this process, by way of the other one."""
        flow: Flow | None = factory.flow if IFlowFactory.providedBy(factory) else None  # type: ignore[attr-defined]
        call = Call(self.id, None if flow is None else Visitor.of(flow))
        try:
            return dial(factory, self._reactor, lambda descriptor: self._tell("relay", call, descriptor))
        except OSError:
            return fail(Overloaded())

    def observe(self, flow: Flow) -> None:
        """ITunnel. Of many, the tunnel is told of some."""
        if self._seen is None:
            self._seen = Bucket(self._reactor, SEEN_PER_SECOND, SEEN_PER_SECOND)
        if self._seen.spend(1):
            self._tell("observe", (self.id, Seen.of(flow)), NO_DESCRIPTOR)

    def close(self, reason: str) -> None:
        """ITunnel."""
        self._tell("close-tunnel", (self.id, reason), NO_DESCRIPTOR)
