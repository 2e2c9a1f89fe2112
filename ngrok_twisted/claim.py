"""
`Claim` and `Grant`: what an agent asks the reservations for, and what it gets; `Former`: what it had before.

Transports write claims, the reservations answer them; neither imports the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ngrok_twisted.records.endpoint import Endpoint, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """
    What a wish had before the agent came back, or before the server was started again. A transport makes one only of what
    this server itself has signed; see `ngrok_twisted.transports.agent.seals`.

    :ivar endpoint_id: the id of its `Endpoint`; empty for none.
    :ivar host: the name, or the TCP host.
    :ivar port: the logical port.
    :ivar random: it was not asked for by name: it may be had again without being reserved, but not taken from anybody.
    """

    endpoint_id: str
    host: str
    port: int
    random: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    One wish of an agent: an endpoint, or membership in tunnel groups.

    :ivar proto: ``https``, ``http``, ``tls``, ``tcp``; ``labels`` for a labelled tunnel.
    :ivar host: the wanted name or TCP host, lower-case A-label form; ``None`` for a random one.
    :ivar label: a single label to be put under the base domain (``--subdomain``, short names), or ``None``.
    :ivar port: the wanted public TCP port; ``None`` for the default of the protocol or a random one.
    :ivar binding: ``public``, ``internal`` or ``kubernetes``.
    :ivar labels: pairs of a labelled tunnel.
    :ivar pooling: may share its URL with other pooled endpoints of the account.
    :ivar takeover: ``auto`` (a dead session of the same credential loses), ``always`` (a live one too), ``never``.
    :ivar slot: names this wish among those of the credential, such as ``0:http``: a random name is remembered by it and
        handed out again; ``None`` for always new.
    :ivar name: a label shown in listings.
    :ivar description: at most 255 bytes.
    :ivar metadata: at most 4096 bytes, opaque.
    :ivar upstream: how to speak to the local service.
    :ivar forwards_to: what the agent says of the local service, for listings; may be empty.
    :ivar force_https: an ``http`` URL that answers 307 to https.
    :ivar expires_at: seconds since the epoch when the endpoint closes, or ``None``.
    :ivar modules: what stands before the service: the names of module kinds to `ngrok_twisted.records.edge.Module`, as on
        a configured edge. A transport fills it only with kinds that the edge has.
    :ivar traffic_policy: YAML or JSON, checked, byte for byte as it was given; empty for none.
    :ivar former: what this wish had before, proven; its id is kept if nobody else has it by now. A random one also gives
        the place, where the claim names none or names just that.
    """

    proto: str
    host: str | None = None
    label: str | None = None
    port: int | None = None
    binding: str = "public"
    labels: Mapping[str, str] = field(default_factory=dict)
    pooling: bool = False
    takeover: str = "auto"
    slot: str | None = None
    name: str = ""
    description: str = ""
    metadata: str = ""
    upstream: Upstream = Upstream()
    forwards_to: str = ""
    force_https: bool = False
    expires_at: float | None = None
    modules: Mapping[str, Any] = field(default_factory=dict, repr=False)
    traffic_policy: str = field(default="", repr=False)
    former: Former | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grant:
    """
    A claim that was granted. Two grants are equal only if they are the same object.

    :ivar endpoint: the live `Endpoint` record; ``None`` for a labelled tunnel.
    :ivar url: what to show the user, such as ``https://app.example.com:8443``; empty for a labelled tunnel.
    :ivar session_id: the session that holds it: the fence.
    :ivar claim: what was asked for.
    :ivar random: the place was drawn, now or when the claim's `Former` was made; it was not asked for by name.
    """

    endpoint: Endpoint | None
    url: str
    session_id: str
    claim: Claim
    random: bool = False
