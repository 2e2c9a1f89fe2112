"""
Which names and addresses an edge may serve: what it is told to, if they belong to its account and to no other edge.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterator, Mapping

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.ownership import Ownership, Place, is_service_name, ownership
from ngrok_twisted.document import join
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import is_below, is_wildcard, split_hostport
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.endpoint import Endpoint

#: The logical port of names, whatever port the listener really has.
HTTPS_PORT = 443

#: Hostports of one edge (ERR_NGROK_7129).
HOSTPORTS_MAX = 1000

#: ngrok's numbers. The one for a TCP address where a name belongs depends on the edge.
_FORM, _PORT_RANGE, _PORT, _TAKEN, _TOO_MANY, _ONLINE = 7104, 7112, 7116, 7122, 7129, 7132
_NO_ADDRESS, _FOREIGN_ADDRESS, _NO_NAME, _FOREIGN_NAME, _NAME_ON_TCP = 7113, 7114, 7117, 7118, 7120
_ADDRESS = {HTTPSEdge: 7121, TLSEdge: 7133}

#: What `split_hostport` says of a port that is out of range.
_OUT_OF_RANGE = 9030

Problems = Iterator[Problem]


def hostport_problems(edge: Any, around: Around) -> Problems:
    """Everything that is wrong with the hostports of an edge."""
    if edge.declared and not edge.hostports:
        yield Problem("hostports", "needs at least one host:port, or nobody reaches the edge")
    if len(edge.hostports) > HOSTPORTS_MAX:
        yield Problem("hostports", f"are more than {HOSTPORTS_MAX}; make another edge", code=_TOO_MANY)
        return
    for number, text in enumerate(edge.hostports):
        path = join("hostports", number)
        if text in edge.hostports[:number]:
            yield Problem(path, f"{text} is there twice", code=_TAKEN)
            continue
        try:
            host, port = split_hostport(text)
        except Refused as refused:
            code = _PORT_RANGE if refused.code == _OUT_OF_RANGE else _FORM
            yield Problem(path, f"must be host:port: {refused.message}", code=code)
            continue
        check = _address if isinstance(edge, TCPEdge) else _name
        yield from check(edge, host, port, path, around)
        yield from _taken(edge, host, port, path, around)


def _name(edge: Any, host: str, port: int, path: str, around: Around) -> Problems:
    settings, owned = around.settings, around.index(ownership)
    if host == settings.tcp_host and port != HTTPS_PORT:
        yield Problem(path, "is a TCP address; put it on a TCP edge", code=_ADDRESS[type(edge)])
        return
    if port != HTTPS_PORT:
        yield Problem(path, f"its port must be {HTTPS_PORT}, whatever port the listener has", code=_PORT)
    if is_service_name(host, settings):
        yield Problem(path, f"{host} is the service's own name; choose another", code=_NO_NAME)
        return
    owner = owned.owner(host)
    if owner is None and not _is_free(edge, host, around):
        place = "declare it, or *. and its parent, under reserved_domains" if edge.declared else "reserve it first"
        yield Problem(path, f"{host} is not reserved: {place}", code=_NO_NAME)
    elif owner not in (None, edge.account_id) or not _covers_own(edge, host, owned, around):
        yield Problem(path, f"{host} is reserved by another account", code=_FOREIGN_NAME)
    elif any(account_id != edge.account_id for account_id in around.index(_on_other_ports).get(host, ())):
        # A page on http: could set cookies for that on https:.
        yield Problem(path, f"{host} is in use by another account", code=_FOREIGN_NAME)


def _is_free(edge: Any, host: str, around: Around) -> bool:
    """Whether a name that nobody reserved is anybody's: one right below the base domain."""
    base = around.settings.base_domain
    if not is_below(host, base):
        return False
    if edge.declared or edge.account_id in around.settings.open_account_ids:
        return True
    return host.partition(".")[2] == base and not is_wildcard(host)


def _covers_own(edge: Any, host: str, owned: Ownership, around: Around) -> bool:
    """Whether a wildcard covers no name of another account."""
    if not is_wildcard(host) or edge.declared:
        return True
    try:
        owned.check_name(edge.account_id, host, around.settings)
    except Refused:
        return False
    return True


def _address(edge: Any, host: str, port: int, path: str, around: Around) -> Problems:
    settings, owned = around.settings, around.index(ownership)
    record = owned.address(host, port)
    if host != settings.tcp_host:
        is_name = owned.owner(host) is not None or is_below(host, settings.base_domain)
        message = f"is no TCP address of this server: their host is {settings.tcp_host}"
        yield Problem(path, message, code=_NAME_ON_TCP if is_name else _NO_ADDRESS)
    elif record is None:
        place = "declare it under reserved_addrs" if edge.declared else "reserve it first"
        yield Problem(path, f"is not reserved: {place}", code=_NO_ADDRESS)
    elif record.account_id != edge.account_id:
        yield Problem(path, "is reserved by another account", code=_FOREIGN_ADDRESS)


def _taken(edge: Any, host: str, port: int, path: str, around: Around) -> Problems:
    earlier = True
    for other in around.index(_holders).get(f"{host}:{port}", ()):
        if other.id == edge.id:
            earlier = False
        elif earlier or not (edge.declared and other.declared):  # of two that are declared, the later one is told
            message = "another edge has it already; an address belongs to one edge"
            yield Problem(path, message, code=_TAKEN, other=other.id)
            return
    for endpoint in around.index(ownership).cloud_endpoints(Place("", host, port)):
        yield Problem(path, "a cloud endpoint has it already; delete that first", code=_TAKEN, other=endpoint.id)
        return
    if not edge.declared and (host, port) in around.index(_online):
        yield Problem(path, "an agent is online there right now; stop it first", code=_ONLINE)


def _holders(around: Around) -> Mapping[str, list[Any]]:
    """The edges that have each hostport."""
    found: dict[str, list[Any]] = defaultdict(list)
    for cls in (HTTPSEdge, TLSEdge, TCPEdge):
        for edge in around.records.all(cls):
            for text in edge.hostports:  # type: ignore[attr-defined]
                found[text].append(edge)
    return found


def _on_other_ports(around: Around) -> Mapping[str, set[str]]:
    """The accounts of the endpoints of each name that are not where an edge would be."""
    found: dict[str, set[str]] = defaultdict(set)
    for endpoint in (*around.records.all(Endpoint), *around.live.values()):
        if endpoint.binding == "public" and endpoint.proto == "http":
            found[endpoint.host].add(endpoint.account_id)
    return found


def _online(around: Around) -> frozenset[tuple[str, int]]:
    """The names and addresses of agents that are online."""
    return frozenset((one.host, one.port) for one in around.live.values() if one.binding == "public")
