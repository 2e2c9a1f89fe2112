"""
``/tunnels``: the ways to agents that are open now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.live import LiveList
from ngrok_twisted.control.api.shapes import Ref, timestamp
from ngrok_twisted.records.backend import Backend

_GROUP = "tunnel_group"


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelView:
    """
    :ivar id: the public id, ``tn_…``; what follows the prefix is that of the endpoint's id too.
    :ivar public_url: what visitors type; empty for a labelled tunnel.
    :ivar started_at: RFC 3339, UTC.
    :ivar metadata: opaque, as its user gave it.
    :ivar proto: ``https``, ``http``, ``tls`` or ``tcp``; empty for a labelled tunnel.
    :ivar region: the one that this server is.
    :ivar tunnel_session: the agent that opened it.
    :ivar endpoint: the endpoint that it serves; null for a labelled tunnel.
    :ivar labels: of a labelled tunnel, else null.
    :ivar backends: the tunnel groups that a labelled tunnel belongs to.
    :ivar forwards_to: what the agent says of the service behind it; SSH clients say nothing.
    """

    id: str
    public_url: str
    started_at: str
    metadata: str
    proto: str
    region: str
    tunnel_session: Ref
    endpoint: Ref | None
    labels: Mapping[str, str] | None
    backends: tuple[Ref, ...]
    forwards_to: str


class TunnelList(LiveList):
    """The tunnels of the caller's account."""

    name = "tunnels"
    path = "/tunnels"
    list_key = "tunnels"
    noun = "tunnel"
    prefix = "tn"
    View = TunnelView
    missing = 333
    deprecated = True

    def items(self, call: Call) -> Iterator[Any]:
        """LiveList."""
        return (tunnel for tunnel in call.parts.tunnels if tunnel.account_id == call.account_id)

    def view(self, call: Call, item: Any) -> TunnelView:
        """LiveList."""
        return TunnelView(
            id=item.id,
            public_url=item.url,
            started_at=timestamp(item.started_at),
            metadata=item.metadata,
            proto=item.url.partition("://")[0],
            region=call.parts.settings.region,
            tunnel_session=call.ref("/tunnel_sessions", item.session_id),
            endpoint=call.optional_ref("/endpoints", item.endpoint_id or ""),
            labels=dict(item.labels) or None,
            backends=tuple(_groups(call, item.labels)) if item.labels else (),
            forwards_to=item.forwards_to,
        )


def _groups(call: Call, labels: Mapping[str, str]) -> Iterator[Ref]:
    for backend in call.records.all(Backend):
        if backend.kind == _GROUP and backend.account_id == call.account_id:
            if backend.config.labels.items() <= labels.items():
                yield call.ref("/backends/tunnel_group", backend.id)


tunnels = TunnelList()
