"""
From a config to the records it declares. Their ids follow from names, so that they are the same after every restart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator

from ngrok_twisted.control.addresses import chosen_ports
from ngrok_twisted.control.authorized_keys import canonical
from ngrok_twisted.control.config import Config
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, Named, Names, account_id, declared_items
from ngrok_twisted.hostnames import normalise, split_hostport
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Record
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute, TCPEdge, TLSEdge
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from ngrok_twisted.records.tls_certificate import TLSCertificate

#: The start of the ids of routes, as in ngrok's API.
ROUTE_PREFIX = "edghtsrt"


def declared(config: Config) -> list[Record]:
    """
    Every record that a config declares, accounts first. Nothing is read and nothing is random.

    :param config: as `ngrok_twisted.control.load.load` gave it: checked.
    """
    names = Names(config)
    ports = {id(item): port for item, port in chosen_ports(config)}
    records: list[Record] = [*_accounts(config), *_credentials(config)]
    for named in declared_items(config):
        records.append(_MAKERS[named.list](config, named, names.resolved(named.item), ports.get(id(named.item))))
    return records


def _accounts(config: Config) -> Iterator[Account]:
    items = {DEFAULT_ACCOUNT: "", **{item.name: item.description for item in config.accounts}}
    for name, description in items.items():
        yield Account(id=account_id(name), name=name, description=description, declared=True)


def _credentials(config: Config) -> Iterator[SSHCredential]:
    seen = set()
    for item in config.ssh_credentials:
        key, comment = canonical(item.public_key)
        seen.add(key)
        yield SSHCredential(
            **_common(item, item.description or _short(comment)), id=_key_id(key), public_key=key, acl=item.acl
        )
    for found in config.keys:
        if found.public_key not in seen:
            seen.add(found.public_key)
            yield SSHCredential(
                id=_key_id(found.public_key),
                account_id=account_id(""),
                description=_short(found.comment),
                declared=True,
                public_key=found.public_key,
            )


def _key_id(public_key: str) -> str:
    return declared_id(SSHCredential.prefix, SSHCredential.family, public_key)


def _short(comment: str) -> str:
    """A comment as a description, which has at most 255 bytes."""
    return comment.encode("utf-8")[:255].decode("utf-8", "ignore")


def _common(item: Any, description: str) -> dict[str, Any]:
    """The fields that every record has."""
    return {
        "account_id": account_id(item.account),
        "description": description,
        "metadata": item.metadata,
        "declared": True,
    }


def _certificate(config: Config, named: Named, item: Any, port: int | None) -> Record:
    return TLSCertificate(
        **_common(item, item.description),
        id=named.id,
        certificate_pem=item.certificate_pem,
        private_key_pem=item.private_key_pem,
    )


def _domain(config: Config, named: Named, item: Any, port: int | None) -> Record:
    return ReservedDomain(
        **_common(item, item.description),
        id=named.id,
        domain=normalise(item.domain),
        certificate_id=item.certificate_id,
    )


def _addr(config: Config, named: Named, item: Any, port: int | None) -> Record:
    assert port is not None, "the checks leave a port for each address"
    return ReservedAddr(**_common(item, item.description), id=named.id, host=config.tcp.host, port=port)


def _backend(config: Config, named: Named, item: Any, port: int | None) -> Record:
    return Backend(**_common(item, item.description), id=named.id, kind=named.kind, config=item.config, name=item.name)


def _edge(config: Config, named: Named, item: Any, port: int | None) -> Record:
    hostports = tuple("{}:{}".format(*split_hostport(text)) for text in item.hostports)
    common = {**_common(item, item.description), "id": named.id, "hostports": hostports, "modules": item.modules}
    if named.kind == "https":
        routes = tuple(replace(route, id=_route_id(named.id, route)) for route in item.routes)
        return HTTPSEdge(**common, routes=routes, name=item.name)
    made = TLSEdge if named.kind == "tls" else TCPEdge
    return made(**common, backend=item.backend, name=item.name)


def _route_id(edge_id: str, route: HTTPSEdgeRoute) -> str:
    return declared_id(ROUTE_PREFIX, edge_id, f"{route.match_type} {route.match}")


_MAKERS = {
    "tls_certificates": _certificate,
    "reserved_domains": _domain,
    "reserved_addrs": _addr,
    "backends": _backend,
    "edges": _edge,
}
