"""
`Names`: what each declared thing is called, its id and its owner, so that a name serves wherever an id is expected.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Callable, Iterator, Mapping

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.items import Item
from ngrok_twisted.document import join
from ngrok_twisted.hostnames import normalise
from ngrok_twisted.errors import Refused
from ngrok_twisted.marks import REST, specs
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.backend import PREFIXES, Backend
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate

#: The account that owns what names no other.
DEFAULT_ACCOUNT = "default"

#: The fields that hold ids, in any config, by the list of the items they mean. A list of ids, or the keys of a mapping,
#: count too. The names are those of ngrok's API.
REFERENCES: Mapping[str, str] = {
    "backend_id": "backends",
    "backends": "backends",
    "certificate_id": "tls_certificates",
    "certificate_authority_ids": "certificate_authorities",
    "ip_policy_ids": "ip_policies",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """
    One declared thing.

    :ivar list: its list, such as ``backends``.
    :ivar path: where it stands in the config.
    :ivar item: what is said of it.
    :ivar id: its public id.
    :ivar kind: the backend kind or edge type, else empty.
    """

    list: str
    path: str
    item: Any
    id: str
    kind: str = ""


def account_id(name: str) -> str:
    """The id of the account of this name; of the default account for none."""
    return declared_id(Account.prefix, "accounts", name or DEFAULT_ACCOUNT)


def declared_items(config: Config) -> Iterator[Named]:
    """Everything with an id that a config declares, except keys, in order."""
    yield from _listed("tls_certificates", TLSCertificate.prefix, config.tls_certificates, _no_key)
    yield from _listed("reserved_domains", ReservedDomain.prefix, config.reserved_domains, _domain_key)
    yield from _listed("reserved_addrs", ReservedAddr.prefix, config.reserved_addrs, lambda item: item.addr)
    for kind, items in config.backends.items():
        yield from _listed("backends", PREFIXES.get(kind, Backend.prefix), items, _no_key, kind)
    yield from _listed("edges", HTTPSEdge.prefix, config.edges.https, _edge_key, "https")
    yield from _listed("edges", TLSEdge.prefix, config.edges.tls, _edge_key, "tls")
    yield from _listed("edges", TCPEdge.prefix, config.edges.tcp, _edge_key, "tcp")


def _listed(
    list_: str, prefix: str, items: tuple[Any, ...], natural: Callable[[Any], str], kind: str = ""
) -> Iterator[Named]:
    """An item's id comes from its name, else from what it is about, else from its place in the list."""
    collection = f"{list_}.{kind}" if kind else list_
    for number, item in enumerate(items):
        # A name and a thing of the same text are not the same.
        source, key = ("", item.name) if item.name else (":", natural(item) or str(number))
        id = declared_id(prefix, collection + source, key)
        yield Named(list=list_, path=join(collection, number), item=item, id=id, kind=kind)


def _no_key(item: Item) -> str:
    return ""


def _domain_key(item: Any) -> str:
    try:
        return normalise(item.domain)
    except Refused:
        return str(item.domain)


def _edge_key(item: Any) -> str:
    return item.hostports[0] if item.hostports else ""


class Names:
    """
    Looks up what a reference means.
    """

    def __init__(self, config: Config) -> None:
        self._found: dict[tuple[str, str], Named] = {}
        for named in declared_items(config):
            for name in (named.id, named.item.name):
                if name:
                    self._found.setdefault((named.list, name), named)

    def get(self, list_: str, name: str) -> Named | None:
        """What an id or a name means, or ``None``."""
        return self._found.get((list_, name))

    def all(self, list_: str) -> list[str]:
        """The names of a list, for messages."""
        return [name for known, name in self._found if known == list_ and self._found[known, name].item.name == name]

    def resolved(self, value: Any) -> Any:
        """
        The same value with ids where it had names; unknown names stay.
        """

        def to_id(reference: str, list_: str, path: str) -> str:
            named = self.get(list_, reference)
            return reference if named is None else named.id

        return rewrite(value, "", to_id)


def rewrite(value: Any, path: str, change: Callable[[str, str, str], str]) -> Any:
    """
    Put other texts in the place of every reference inside a value.

    :param change: called with the reference, the list that it means, and its path.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _rewrite_fields(value, path, change)
    if isinstance(value, tuple):
        return tuple(rewrite(item, join(path, number), change) for number, item in enumerate(value))
    if isinstance(value, AbstractMapping):
        return {key: rewrite(item, join(path, key), change) for key, item in value.items()}
    return value


def _rewrite_fields(value: Any, path: str, change: Callable[[str, str, str], str]) -> Any:
    changed = {}
    cls: Any = type(value)
    for spec in specs(cls):
        before = getattr(value, spec.name)
        inner = path if REST in spec.marks else join(path, spec.name)
        list_ = REFERENCES.get(spec.name)
        after = rewrite(before, inner, change) if list_ is None else _references(before, inner, list_, change)
        if after is not before and after != before:
            changed[spec.name] = after
    return replace(value, **changed) if changed else value


def _references(value: Any, path: str, list_: str, change: Callable[[str, str, str], str]) -> Any:
    if isinstance(value, str):
        return change(value, list_, path) if value else value
    if isinstance(value, tuple):
        return tuple(change(item, list_, join(path, number)) for number, item in enumerate(value))
    if isinstance(value, AbstractMapping):
        return {change(key, list_, join(path, key)): item for key, item in value.items()}
    return value
