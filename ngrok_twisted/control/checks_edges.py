"""
What must hold for declared edges: their names and addresses belong to their account and to no other edge, and each of
their routes is different.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterator

from ngrok_twisted.control.addresses import chosen_ports
from ngrok_twisted.control.config import SERVICE_LABELS, Config
from ngrok_twisted.control.names import DEFAULT_ACCOUNT
from ngrok_twisted.document import join
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import is_below, normalise, parents, split_hostport
from ngrok_twisted.records.base import Problem

#: The logical port of names, whatever port the listener really has.
HTTPS_PORT = 443

#: Characters of a route's path (ERR_NGROK_7135).
MATCH_MAX = 2048

Problems = Iterator[Problem]


def edge_problems(config: Config) -> Problems:
    """Everything that is wrong with the edges."""
    owners = _Owners(config)
    used: dict[tuple[str, int], str] = {}
    for kind in ("https", "tls", "tcp"):
        for number, edge in enumerate(getattr(config.edges, kind)):
            path = join(f"edges.{kind}", number)
            if not edge.hostports:
                yield Problem(join(path, "hostports"), "needs at least one host:port, or nobody reaches the edge")
            for count, text in enumerate(edge.hostports):
                yield from _hostport(owners, edge, kind, text, join(join(path, "hostports"), count), used)
    for number, edge in enumerate(config.edges.https):
        yield from _routes(edge, join("edges.https", number))


class _Owners:
    """Whose the names and addresses of a config are: looked up once for all edges."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ports = {port: item.account or DEFAULT_ACCOUNT for item, port in chosen_ports(config)}
        self._domains: dict[str, set[str]] = defaultdict(set)
        for item in config.reserved_domains:
            try:
                self._domains[normalise(item.domain)].add(item.account or DEFAULT_ACCOUNT)
            except Refused:
                continue  # told of where it stands

    def of_name(self, host: str) -> set[str]:
        """The accounts that reserved a name, a wildcard over it, or a name above it."""
        above = (domain for parent in parents(host) for domain in (parent, f"*.{parent}"))
        return {owner for domain in (host, *above) for owner in self._domains.get(domain, ())}


def _hostport(
    owners: _Owners, edge: Any, kind: str, text: str, path: str, used: dict[tuple[str, int], str]
) -> Problems:
    try:
        host, port = split_hostport(text)
    except Refused as refused:
        yield _problem(path, 7104, f"must be host:port: {refused.message}")
        return
    if (host, port) in used:
        yield _problem(path, 7122, f"{used[host, port]} has it already; an address belongs to one edge")
    used.setdefault((host, port), path)
    owner = edge.account or DEFAULT_ACCOUNT
    yield from _address(owners, owner, host, port, path) if kind == "tcp" else _name(owners, owner, host, port, path)


def _name(known: _Owners, owner: str, host: str, port: int, path: str) -> Problems:
    config = known.config
    if host == config.tcp.host and port != HTTPS_PORT:
        yield _problem(path, 7121, "is a TCP address; put it on an edge of edges.tcp")
        return
    if port != HTTPS_PORT:
        yield _problem(path, 7116, f"its port must be {HTTPS_PORT}, whatever port the listener has")
    if host in {f"{label}.{config.domain}" for label in SERVICE_LABELS}:
        yield _problem(path, 7117, f"{host} is the service's own name; choose another")
        return
    owners = known.of_name(host)
    if owners and owner not in owners:
        yield _problem(path, 7118, f"{host} is reserved by another account")
    elif not owners and not is_below(host, config.domain):
        yield _problem(path, 7117, f"{host} is not reserved: declare it, or *. and its parent, under reserved_domains")


def _address(known: _Owners, owner: str, host: str, port: int, path: str) -> Problems:
    config, owners = known.config, known.ports
    if host != config.tcp.host:
        code = 7120 if known.of_name(host) or is_below(host, config.domain) else 7113
        yield _problem(path, code, f"is no TCP address of this server: their host is {config.tcp.host}")
    elif port not in owners:
        yield _problem(path, 7113, "is not reserved: declare it under reserved_addrs")
    elif owners[port] != owner:
        yield _problem(path, 7114, "is reserved by another account")


def _routes(edge: Any, path: str) -> Problems:
    seen: dict[tuple[str, str], str] = {}
    for number, route in enumerate(edge.routes):
        inner = join(join(path, "routes"), number)
        if not route.match.startswith("/") or any(not 0x21 <= ord(letter) <= 0x7E for letter in route.match):
            yield _problem(join(inner, "match"), 7131, "must be a path that starts with '/', percent-encoded")
        if "?" in route.match or "#" in route.match:
            yield _problem(join(inner, "match"), 7131, "is compared with the path alone, without a query or fragment")
        if len(route.match) > MATCH_MAX:
            yield _problem(join(inner, "match"), 7135, f"is longer than {MATCH_MAX} characters")
        other = seen.setdefault((route.match_type, route.match), inner)
        if other != inner:
            yield _problem(join(inner, "match"), 7126, f"{other} matches the same paths")


def _problem(path: str, code: int, sentence: str) -> Problem:
    return Problem(path, f"{sentence} (ERR_NGROK_{code})")
