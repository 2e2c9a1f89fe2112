"""
Who uses what: the edges and cloud endpoints of a name or an address, the domains of a certificate and the modules of an
authority, which therefore cannot be deleted; and the agents on a name or an address that is to be reserved.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from ngrok_twisted.control.ownership import Ownership
from ngrok_twisted.hostnames import covers, is_below
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.references import references
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain

_EDGES: tuple[Any, ...] = (HTTPSEdge, TLSEdge, TCPEdge)


def uses_of_domain(domain: ReservedDomain, records: Snapshot) -> Iterator[Record]:
    """The edges and cloud endpoints of names that this reservation, and none nearer, gives to its account."""
    owned: Ownership | None = None
    for record, host, _ in public_places(records):
        if record.account_id == domain.account_id and covers(domain.domain, host):
            owned = owned or Ownership(records)
            if owned.domain_for(domain.account_id, host) == domain:
                yield record


def uses_of_address(address: ReservedAddr, records: Snapshot) -> Iterator[Record]:
    """The edges and cloud endpoints that have this address."""
    wanted = address.host, str(address.port)
    return (record for record, host, port in public_places(records) if (host, port) == wanted)


def agents_on_domain(domain: str, live: Iterable[Endpoint]) -> Iterator[Endpoint]:
    """The agents' endpoints of a name or wildcard and of all names below it, which are reserved together."""
    for endpoint in live:
        if endpoint.binding == "public" and endpoint.proto != "tcp" and _shares(domain, endpoint.host):
            yield endpoint


def served_on_domain(domain: str, records: Snapshot) -> Iterator[Record]:
    """The edges and cloud endpoints of a name or wildcard and of all names below it."""
    return (record for record, host, _ in public_places(records) if _shares(domain, host))


def _shares(domain: str, host: str) -> bool:
    exact = domain.removeprefix("*.")
    return bool(exact) and (host == exact or is_below(host, exact))


def agents_on_addresses(live: Iterable[Endpoint]) -> dict[tuple[str, int], Endpoint]:
    """The agents' endpoints by their public TCP addresses."""
    tcp = (endpoint for endpoint in live if endpoint.binding == "public" and endpoint.proto == "tcp")
    return {(endpoint.host, endpoint.port): endpoint for endpoint in tcp}


def uses_of_certificate(id: str, records: Snapshot) -> Iterator[ReservedDomain]:
    """The domains that this certificate is attached to."""
    return (domain for domain in records.all(ReservedDomain) if domain.certificate_id == id)


def uses_in_modules(family: str, id: str, records: Snapshot) -> Iterator[Record]:
    """
    The edges with a module, on the edge or on a route, that names this record.

    :param family: of the record, such as ``certificate_authorities``.
    """
    for cls in _EDGES:
        for edge in records.all(cls):
            if any(_names(module.config, family, id) for module in _modules(edge)):
                yield edge


def called(record: Record) -> str:
    """What a sentence calls an edge, an endpoint or a domain."""
    return str(getattr(record, "domain", "") or getattr(record, "url", "") or record.id)


def public_places(records: Snapshot) -> Iterator[tuple[Record, str, str]]:
    """The hosts and ports of edges and public cloud endpoints, each with its record."""
    for cls in _EDGES:
        for edge in records.all(cls):
            for hostport in edge.hostports:
                host, _, port = hostport.rpartition(":")
                yield edge, host, port
    for endpoint in records.all(Endpoint):
        if endpoint.type == "cloud" and endpoint.binding == "public":
            yield endpoint, endpoint.host, str(endpoint.port)


def _modules(edge: Any) -> Iterator[Any]:
    yield from edge.modules.values()
    for route in getattr(edge, "routes", ()):
        yield from route.modules.values()


def _names(config: Any, family: str, id: str) -> bool:
    cls: type = type(config)
    held = (reference.ids(config) for reference in references(cls) if reference.family == family)
    return any(known == id for ids in held for _, known in ids)
