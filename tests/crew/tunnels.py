"""
Tunnels that the test plays.
"""

from __future__ import annotations

import socket
from typing import Any, Mapping

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IFlowFactory, ITunnel
from ngrok_twisted.net.passing import EagerPipe
from ngrok_twisted.records.endpoint import Upstream


@implementer(ITunnel)
class Tunnel:
    """
    A tunnel of this process.

    :ivar dialled: the flows of those who wanted to connect, ``None`` for whoever had none.
    :ivar results: what each of them waits for.
    :ivar seen: the flows that it was told of.
    :ivar closed: why it was closed.
    """

    account_id = "ac_1"
    principal = Principal(account_id="ac_1", account_name="one", credential_id="sshcr_1", proof="hash")
    session_id = "ts_1"
    metadata = "about it"
    forwards_to = "localhost:80"
    body_wait = 0.25
    crowded = False
    upstream = Upstream(host_header="inside.example")

    def __init__(
        self,
        id: str = "tn_1",
        endpoint_id: str | None = "ep_1",
        url: str = "https://app.example.com",
        labels: Mapping[str, str] = {},
        started_at: float = 1.0,
    ) -> None:
        self.id = id
        self.endpoint_id = endpoint_id
        self.url = url
        self.labels = labels
        self.started_at = started_at
        self.dialled: list[Flow | None] = []
        self.results: list[Deferred[Any]] = []
        self.factories: list[Any] = []
        self.cancelled = 0
        self.seen: list[Flow] = []
        self.closed: list[str] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        self.dialled.append(factory.flow if IFlowFactory.providedBy(factory) else None)
        self.factories.append(factory)
        self.results.append(Deferred(self._cancel))
        return self.results[-1]

    def _cancel(self, result: Any) -> None:
        self.cancelled += 1

    def succeed(self, service: Any, reactor: Any) -> Any:
        """Connect the one who waits longest with a service; give the protocol that speaks with it."""
        ours, theirs = socket.socketpair()
        service.makeConnection(EagerPipe(theirs, service, reactor))
        side = self.factories.pop(0).buildProtocol(None)
        side.makeConnection(EagerPipe(ours, side, reactor))
        self.results.pop(0).callback(side)
        return side

    def observe(self, flow: Flow) -> None:
        self.seen.append(flow)

    def close(self, reason: str) -> None:
        self.closed.append(reason)
