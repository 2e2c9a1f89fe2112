"""
Doubles for tests of the reservations: agent sessions, and an edge that serves endpoints when it is told to.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from zope.interface import implementer

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IAgentSession
from ngrok_twisted.records.endpoint import Endpoint


@implementer(IAgentSession)
class FakeSession:
    """
    An agent session.

    :ivar alive: ``True`` answers a probe at once, ``False`` fails at once, ``None`` never answers.
    :ivar revoked: pairs of a grant that was taken away and the reason.
    """

    peer_host = "192.0.2.7"

    def __init__(self, id: str, account: str = "ac_1", credential: str = "c1", acl: tuple[str, ...] = ()) -> None:
        self.id = id
        self.principal = Principal(account_id=account, account_name=account, credential_id=credential, acl=acl)
        self.alive: bool | None = True
        self.probes: list[Deferred[None]] = []
        self.revoked: list[tuple[Grant, str]] = []
        self.on_revoke: Callable[[Grant], Any] = lambda grant: None

    def probe(self) -> Deferred[None]:
        """IAgentSession."""
        probe: Deferred[None] = Deferred()
        self.probes.append(probe)
        if self.alive:
            probe.callback(None)
        elif self.alive is False:
            probe.errback(ConnectionLost())
        return probe

    def revoke(self, grant: Grant, reason: str) -> None:
        """IAgentSession."""
        self.revoked.append((grant, reason))
        self.on_revoke(grant)

    def close(self, reason: str) -> None:
        """IAgentSession."""


class FakeEdge:
    """
    Applies changes in order: at once, or while ``slow`` when `turn` is called.

    :ivar live: the endpoints that are served, by id.
    :ivar refuses: tells whether an endpoint cannot be served.
    """

    def __init__(self) -> None:
        self.live: dict[str, Endpoint] = {}
        self.slow = False
        self.refuses: Callable[[Endpoint], bool] = lambda endpoint: False
        self._waiting: list[tuple[Endpoint | None, Endpoint | None, Deferred[None]]] = []

    def publish(self, put: Endpoint | None, delete: Endpoint | None) -> Deferred[None]:
        """What the reservations call."""
        done: Deferred[None] = Deferred()
        self._waiting.append((put, delete, done))
        if not self.slow:
            self.turn()
        return done

    def turn(self) -> None:
        """Apply what waits."""
        while self._waiting:
            put, delete, done = self._waiting.pop(0)
            if put is not None and self.refuses(put):
                if not done.called:
                    done.errback(Refused(None, "the port is taken"))
                continue
            if put is not None:
                self.live[put.id] = put
            if delete is not None:
                self.live.pop(delete.id, None)
            if not done.called:
                done.callback(None)

    def places(self) -> list[tuple[str, str, int]]:
        """Protocol, host and port of all that is served."""
        return [(endpoint.proto, endpoint.host, endpoint.port) for endpoint in self.live.values()]
