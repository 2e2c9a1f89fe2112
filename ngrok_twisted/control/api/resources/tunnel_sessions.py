"""
``/tunnel_sessions``: the agents that are connected, and orders to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Iterator

from twisted.internet.defer import maybeDeferred

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.live import LiveList, credential_ref
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import Ref, timestamp
from ngrok_twisted.errors import Refused

_ORDERS = {
    "restart": "Have the agent end and begin again. SSH clients refuse it (1122).",
    "stop": "End the session, and with it what it publishes.",
    "update": "Have the agent update itself. SSH clients refuse it (1121).",
}


#: Characters of a version; longer ones are nobody's.
VERSION_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelSessionUpdate:
    """
    :ivar version: what the agent is to become; without it the newest.
    """

    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelSessionView:
    """
    :ivar id: the public id, ``ts_…``.
    :ivar uri: where it is.
    :ivar agent_version: what the agent calls itself; SSH clients name their program.
    :ivar credential: the key that let it in.
    :ivar ip: where it connected from.
    :ivar metadata: opaque, as its user gave it.
    :ivar os: the agent's operating system; empty where it did not say, as SSH clients do not.
    :ivar region: the one that this server is.
    :ivar started_at: RFC 3339, UTC.
    :ivar transport: ``ssh``; ``ngrok/2`` or ``ngrok/3`` for ngrok's agents and SDKs, by the protocol that they speak.
    """

    id: str
    uri: str
    agent_version: str
    credential: Ref
    ip: str
    metadata: str
    os: str
    region: str
    started_at: str
    transport: str


class TunnelSessions(LiveList):
    """The sessions of the caller's account."""

    name = "tunnel_sessions"
    path = "/tunnel_sessions"
    list_key = "tunnel_sessions"
    noun = "tunnel session"
    prefix = "ts"
    View = TunnelSessionView
    filterable = ("id", "metadata", "agent_version", "ip", "os", "region", "started_at", "credential")

    def items(self, call: Call) -> Iterator[Any]:
        """LiveList."""
        found: Iterator[Any] = call.parts.sessions.of(call.account_id)
        return found

    def view(self, call: Call, item: Any) -> TunnelSessionView:
        """LiveList."""
        return TunnelSessionView(
            id=item.id,
            uri=call.uri(self.path, item.id),
            agent_version=item.agent_version,
            credential=credential_ref(call, item.principal.credential_id),
            ip=item.peer_host,
            metadata=item.metadata,
            os=item.os,
            region=call.parts.settings.region,
            started_at=timestamp(item.started_at),
            transport=item.transport,
        )

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield from super().methods()
        for order, summary in _ORDERS.items():
            yield Method(
                verb="POST",
                path=f"{self.path}/{{id}}/{order}",
                action=order,
                perform=partial(self._order, order),
                summary=summary,
                status=204,
                body=TunnelSessionUpdate if order == "update" else None,
                body_ignored=order != "update",
                body_lenient=True,
            )

    async def _order(self, order: str, call: Call) -> Answer:
        session = self.find(call)
        try:
            await maybeDeferred(session.order, order, _version(call.data))
        except Refused as refused:
            raise APIError.refused(refused) from None
        return Answer(204)


def _version(data: Any) -> str:
    """Clients send all kinds of bodies with an order, and most of them mean nothing by it."""
    version = data.get("version") if isinstance(data, dict) else None
    return version if isinstance(version, str) and len(version) <= VERSION_MAX else ""


tunnel_sessions = TunnelSessions()
