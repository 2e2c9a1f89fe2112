"""
How endpoints of every kind are shown: one shape for agents' endpoints, cloud endpoints and hostports of edges.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.edge_endpoints import EdgeEndpoint
from ngrok_twisted.control.api.reserved import Reserved
from ngrok_twisted.control.api.shapes import Ref, timestamp
from ngrok_twisted.control.cloud_urls import dialled
from ngrok_twisted.records.endpoint import Endpoint

#: The region of what is not tied to one.
_EVERYWHERE = "global"

_EDGE_PATHS = {"https": "/edges/https", "tls": "/edges/tls", "tcp": "/edges/tcp"}

#: What shares a URL: binding, scheme, host and port.
Pool = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """
    :ivar id: the public id.
    :ivar uri: where it is; empty for edge endpoints, which belong to their edge.
    :ivar region: ``global`` for cloud endpoints, else the one that this server is.
    :ivar created_at: RFC 3339, UTC.
    :ivar updated_at: RFC 3339, UTC.
    :ivar public_url: what visitors type.
    :ivar proto: ``https``, ``http``, ``tls`` or ``tcp``.
    :ivar scheme: the same.
    :ivar hostport: host and port, always spelled out.
    :ivar host: the name.
    :ivar port: the port.
    :ivar type: ``cloud``, ``ephemeral`` (an agent's; filters also know it as ``agent``) or ``edge``.
    :ivar metadata: opaque.
    :ivar description: for people.
    :ivar domain: the reserved domain behind the URL.
    :ivar tcp_addr: the reserved address behind the URL.
    :ivar tunnel: of an agent's endpoint.
    :ivar edge: of an edge endpoint.
    :ivar upstream_url: what the agent says of the service behind it.
    :ivar upstream_protocol: ``http1`` or ``http2`` for an agent's endpoint, else empty.
    :ivar url: lower case, and without the port of the scheme.
    :ivar principal: who started or made it.
    :ivar traffic_policy: byte for byte as it was given; empty without one.
    :ivar bindings: one of ``public``, ``internal`` and ``kubernetes``.
    :ivar tunnel_session: of an agent's endpoint.
    :ivar name: what the agent calls it.
    :ivar pooling_enabled: whether it may share its URL.
    :ivar pools: the other endpoints that share its URL now.
    """

    id: str
    uri: str
    region: str
    created_at: str
    updated_at: str
    public_url: str
    proto: str
    scheme: str
    hostport: str
    host: str
    port: int
    type: str
    metadata: str
    description: str
    domain: Ref | None
    tcp_addr: Ref | None
    tunnel: Ref | None
    edge: Ref | None
    upstream_url: str
    upstream_protocol: str
    url: str
    principal: Ref | None
    traffic_policy: str
    bindings: tuple[str, ...]
    tunnel_session: Ref | None
    name: str
    pooling_enabled: bool
    pools: tuple[Ref, ...]


class EndpointViews:
    """Makes views."""

    def __init__(self) -> None:
        self._reserved = Reserved()

    def show(self, call: Call, record: Any, together: Mapping[Pool, list[str]]) -> EndpointView:
        """
        :param record: an `Endpoint` or an `EdgeEndpoint`.
        :param together: the ids of the endpoints that share each URL; see `pools`.
        """
        common = self._located(call, record)
        if isinstance(record, EdgeEndpoint):
            return EndpointView(
                **common,
                **_EDGE,
                region=call.parts.settings.region,
                updated_at=timestamp(record.created_at),
                edge=call.ref(_EDGE_PATHS[record.proto], record.edge_id),
            )
        is_agent = record.type == "agent"
        tunnel = call.parts.tunnels.serving(record.id) if is_agent else None
        others = [id for id in together.get(_pool(record), ()) if id != record.id] if is_pooled(record) else []
        return EndpointView(
            **common,
            uri=call.uri("/endpoints", record.id),
            region=call.parts.settings.region if is_agent else _EVERYWHERE,
            updated_at=timestamp(record.updated_at or record.created_at),
            type="ephemeral" if is_agent else "cloud",
            tunnel=None if tunnel is None else call.ref("/tunnels", tunnel.id),
            edge=None,
            upstream_url=record.forwards_to,
            upstream_protocol=record.upstream.protocol if is_agent and record.proto in ("http", "https") else "",
            principal=Ref(id=record.owner_id) if record.owner_id else None,
            traffic_policy=record.traffic_policy,
            bindings=(record.binding,),
            tunnel_session=call.optional_ref("/tunnel_sessions", record.session_id),
            name=record.name,
            pooling_enabled=record.pooling_enabled,
            pools=tuple(call.ref("/endpoints", id) for id in sorted(others)),
        )

    def _located(self, call: Call, record: Any) -> dict[str, Any]:
        """What every kind of endpoint has."""
        public = getattr(record, "binding", "public") == "public"
        domain = addr = ""
        if public and record.proto == "tcp":
            addr = self._reserved.addr(call.records, record.account_id, record.host, record.port)
        elif public:
            domain = self._reserved.domain(call.records, record.account_id, record.host)
        return {
            "id": record.id,
            "created_at": timestamp(record.created_at),
            "public_url": dialled(record, call.parts.settings),
            "proto": record.proto,
            "scheme": record.proto,
            "hostport": f"{record.host}:{record.port}",
            "host": record.host,
            "port": record.port,
            "metadata": record.metadata,
            "description": record.description,
            "domain": call.optional_ref("/reserved_domains", domain),
            "tcp_addr": call.optional_ref("/reserved_addrs", addr),
            "url": shown_url(call, record),
        }


#: What an edge endpoint has not.
_EDGE: Mapping[str, Any] = {
    "uri": "",
    "type": "edge",
    "tunnel": None,
    "upstream_url": "",
    "upstream_protocol": "",
    "principal": None,
    "traffic_policy": "",
    "bindings": ("public",),
    "tunnel_session": None,
    "name": "",
    "pooling_enabled": False,
    "pools": (),
}


def pools(records: Iterable[Any]) -> Mapping[Pool, list[str]]:
    """The ids of the endpoints that may share each URL."""
    found: dict[Pool, list[str]] = defaultdict(list)
    for record in records:
        if is_pooled(record):
            found[_pool(record)].append(record.id)
    return found


def is_pooled(record: Any) -> bool:
    """Whether an endpoint may share its URL."""
    return bool(getattr(record, "pooling_enabled", False))


def shown_url(call: Call, record: Any) -> str:
    """The URL of an endpoint: of a cloud endpoint as its owner calls it, else what visitors type."""
    return getattr(record, "url", "") or dialled(record, call.parts.settings)


def _pool(record: Endpoint) -> Pool:
    return record.binding, record.proto, record.host, record.port
