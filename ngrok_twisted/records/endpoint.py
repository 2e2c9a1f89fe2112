"""
Endpoints: a URL and what stands behind it. Agent endpoints live as long as their session; cloud endpoints are stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Mapping

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """
    How the edge speaks to the local service behind a tunnel.

    :ivar protocol: ``http1`` or ``http2``; ignored for streams.
    :ivar host_header: what ``Host`` becomes; empty leaves it as the visitor sent it.
    :ivar proxy_protocol: 0 for none, 1 or 2 for that version of the PROXY header before each stream.
    :ivar tls: the edge speaks TLS to the service, through the tunnel.
    :ivar tls_verify: check the service's certificate against the system's authorities.
    :ivar tls_name: the name to ask for and check; empty for the endpoint's host.
    """

    protocol: str = "http1"
    host_header: str = ""
    proxy_protocol: int = 0
    tls: bool = False
    tls_verify: bool = False
    tls_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Record):
    """
    :ivar proto: ``https``, ``http``, ``tls`` or ``tcp``.
    :ivar host: the name, lower-case A-label form, possibly ``*.…``; for tcp the TCP host.
    :ivar port: the logical port: 443 or 80 for names, the public port for tcp.
    :ivar type: ``agent`` or ``cloud``.
    :ivar binding: ``public``, ``internal`` (reached by ``forward-internal`` of the account alone) or ``kubernetes``.
    :ivar pooling_enabled: may share its URL with others of the account.
    :ivar name: a label shown in listings.
    :ivar session_id: the agent session, empty for cloud endpoints.
    :ivar credential_id: the credential that opened the session.
    :ivar upstream: how to speak to the service.
    :ivar force_https: answer 307 to https instead of forwarding.
    :ivar traffic_policy: YAML or JSON, byte for byte as it was given; what happens to traffic on its way. Cloud endpoints
        have one, and it leaves nothing to forward.
    :ivar url: of a cloud endpoint: what its owner calls it, lower case and without the port of the scheme.
    :ivar owner_id: the user or service user that it belongs to; may be empty.
    :ivar updated_at: seconds since the epoch of the last change; 0 for agents' endpoints that never changed.
    :ivar forwards_to: what the agent said of the service behind it, such as ``http://localhost:3000``; empty where it said
        nothing, as SSH clients do not.
    :ivar modules: of an agent's endpoint: what stands before its service, the names of module kinds to
        `ngrok_twisted.records.edge.Module`, as on a configured edge. There are passwords among it.
    """

    family: ClassVar[str] = "endpoints"
    prefix: ClassVar[str] = "ep"

    proto: str
    host: str
    port: int
    type: str = "agent"
    binding: str = "public"
    pooling_enabled: bool = False
    name: str = ""
    session_id: str = ""
    credential_id: str = ""
    upstream: Upstream = Upstream()
    force_https: bool = False
    traffic_policy: str = ""
    url: str = ""
    owner_id: str = ""
    updated_at: float = 0.0
    forwards_to: str = ""
    modules: Mapping[str, Any] = field(default_factory=dict, repr=False)
