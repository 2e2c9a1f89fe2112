"""
What a claim asks for, worked out: the place it wants, or that any will do; and the endpoint that it becomes there.

Pure. It knows the rules for ports and bindings; who may have the place is not asked here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ngrok_twisted import kinds
from ngrok_twisted.claim import Claim
from ngrok_twisted.control.ownership import Place, ReservationSettings, is_service_name
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise
from ngrok_twisted.iam.permissions import (
    require_address,
    require_name,
    require_random_address,
    require_random_name,
)
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.references import lost_references

#: The port of each kind of public name.
DEFAULT_PORTS = {"https": 443, "tls": 443, "http": 80}

#: The most parts of an internal name.
INTERNAL_PARTS_MAX = 5

_INTERNAL = ".internal"


def wanted_place(claim: Claim, account_id: str, settings: ReservationSettings) -> Place | None:
    """
    :return: the place, or ``None`` if any will do.
    :raises Refused: no place can be meant by this.
    """
    if claim.proto not in (*DEFAULT_PORTS, "tcp"):
        raise Refused(332, f"There are no '{claim.proto}' endpoints.")
    host = _wanted_host(claim, settings)
    if claim.binding == "internal" or host is not None and host.endswith(_INTERNAL):
        return Place(account_id, _internal_host(host), _internal_port(claim))
    if claim.binding != "public":
        raise Refused(15005, f"There is no binding '{claim.binding}' here: use public or internal.")
    if claim.proto == "tcp":
        return _address(host, claim.port, settings)
    port = _public_port(claim, settings)
    return None if host is None else Place("", host, port)


def is_by_chance(claim: Claim, place: Place | None) -> bool:
    """
    Whether no place is asked for, or none but the random one that the claim had before.

    :param place: what `wanted_place` made of the claim.
    """
    former = claim.former
    if place is None or former is None:
        return place is None
    return former.random and place == Place("", former.host, former.port)


def former_place(claim: Claim, settings: ReservationSettings) -> Place | None:
    """
    The random place that the claim had before, if the like of it is still drawn for such claims.
    """
    former = claim.former
    if former is None or not former.random:
        return None
    if claim.proto == "tcp":
        drawn = former.host == settings.tcp_host and former.port in settings.tcp_ports
    else:
        drawn = former.host.partition(".")[2] == settings.base_domain and not is_service_name(former.host, settings)
        drawn = drawn and former.port == DEFAULT_PORTS[claim.proto]
    return Place("", former.host, former.port) if drawn else None


def check_permission(claim: Claim, acl: tuple[str, ...], place: Place | None) -> None:
    """
    :raises Refused: the credential's rules do not permit it.
    """
    if place is None:
        (require_random_address if claim.proto == "tcp" else require_random_name)(acl)
    elif claim.proto == "tcp" and not place.namespace:
        require_address(acl, place.host, place.port)
    else:
        require_name(acl, place.host)


def check_references(claim: Claim, account_id: str, records: Snapshot) -> None:
    """
    :raises Refused: a module of the claim names a record that the account does not have.
    """
    for name, field, id in lost_references(claim.modules, account_id, records):
        kind = kinds.discover("ngrok_twisted.modules", IModuleKind)[name]
        what = field.removesuffix("s").removesuffix("_id").replace("_", " ")
        raise Refused(getattr(kind, "codes", {}).get(field), f"Your account has no {what} '{id}'.")


def endpoint_of(claim: Claim, place: Place, session: Any, id: str, now: float) -> Endpoint:
    """
    The endpoint that a claim becomes.

    :param session: the `IAgentSession` that asks.
    :param now: seconds since the epoch.
    """
    principal = session.principal
    return Endpoint(
        id=id,
        account_id=principal.account_id,
        created_at=now,
        description=claim.description,
        metadata=claim.metadata,
        proto=claim.proto,
        host=place.host,
        port=place.port,
        binding="internal" if place.namespace else "public",
        pooling_enabled=claim.pooling,
        name=claim.name,
        session_id=session.id,
        credential_id=principal.credential_id,
        upstream=claim.upstream,
        force_https=claim.force_https,
        owner_id=principal.owner_id,
        forwards_to=claim.forwards_to,
        modules=claim.modules,
        traffic_policy=claim.traffic_policy,
    )


def amended_claim(before: Claim, wanted: Claim) -> Claim:
    """What was asked for, with what may change about it as it is wanted now."""
    return replace(
        before,
        description=wanted.description,
        metadata=wanted.metadata,
        name=wanted.name,
        pooling=wanted.pooling,
        traffic_policy=wanted.traffic_policy,
    )


def amended(endpoint: Endpoint, claim: Claim, now: float) -> Endpoint:
    """
    A live endpoint with what may change about it as the claim has it now.

    :param now: seconds since the epoch.
    """
    return replace(
        endpoint,
        description=claim.description,
        metadata=claim.metadata,
        name=claim.name,
        pooling_enabled=claim.pooling,
        traffic_policy=claim.traffic_policy,
        updated_at=now,
    )


def url_of(proto: str, place: Place, settings: ReservationSettings) -> str:
    """What a visitor types, with the port only where it is not the scheme's own."""
    port = place.port if place.namespace or proto == "tcp" else settings.public_ports[proto]
    return f"{proto}://{place.host}" if port == DEFAULT_PORTS.get(proto) else f"{proto}://{place.host}:{port}"


def _wanted_host(claim: Claim, settings: ReservationSettings) -> str | None:
    if claim.host is not None and claim.label is not None:
        raise Refused(9021, "Ask for a name either whole or as a label, not both.")
    if claim.label is None:
        return claim.host if claim.host in (None, settings.tcp_host) else normalise(claim.host)
    if "." in claim.label:
        raise Refused(326, "A label under the base domain has no dots.")
    return normalise(f"{claim.label}.{settings.base_domain}")


def _internal_host(host: str | None) -> str:
    if host is None:
        raise Refused(9028, "An internal endpoint needs a name that ends in '.internal'.")
    if not host.endswith(_INTERNAL):
        raise Refused(9029, f"'{host}' does not end in '.internal', as the name of an internal endpoint does.")
    if host.count(".") >= INTERNAL_PARTS_MAX:
        raise Refused(9031, f"'{host}' has more than {INTERNAL_PARTS_MAX} parts.")
    return host


def _internal_port(claim: Claim) -> int:
    port = claim.port or DEFAULT_PORTS.get(claim.proto)
    if port is None:
        raise Refused(18003, "An internal tcp endpoint needs a port.")
    return port


def _address(host: str | None, port: int | None, settings: ReservationSettings) -> Place | None:
    if port:
        return Place("", host or settings.tcp_host, port)
    if host is None:
        return None
    raise Refused(1117, f"The address '{host}' needs a port: a random one is not possible with it.")


def _public_port(claim: Claim, settings: ReservationSettings) -> int:
    """The logical port; the one that visitors really dial is understood too."""
    port, dialled = DEFAULT_PORTS[claim.proto], settings.public_ports.get(claim.proto)
    if dialled is None:
        raise Refused(None, f"This server does not listen for {claim.proto}.")
    if claim.port not in (None, 0, port, dialled):
        raise Refused(9035, f"A public {claim.proto} endpoint has port {port}; {claim.port} is not possible.")
    return port
