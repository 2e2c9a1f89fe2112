"""
What one item of each list in ``config.yaml`` looks like: ngrok's API fields, plus a name that other items use in place of
an id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from typing import Annotated, Any, Mapping

from ngrok_twisted.marks import EXTERNAL, REST
from ngrok_twisted.records.backend import backend_configs
from ngrok_twisted.records.edge import BackendRef, HTTPSEdgeRoute, HTTPSModules, TCPModules, TLSModules


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountItem:
    """
    :ivar name: what other items call it.
    :ivar description: at most 255 bytes, for people.
    """

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    :ivar name: what other items call it; unique in its list.
    :ivar account: the name of the account that owns it; without it the default account does.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque.
    """

    name: str = ""
    account: str = ""
    description: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCredentialItem(Item):
    """
    :ivar public_key: one line of an ``authorized_keys`` file, without options. It may stand elsewhere.
    :ivar acl: what the key may bind, such as ``bind:*.example.com``; empty is unrestricted.
    """

    public_key: Annotated[str, EXTERNAL]
    acl: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainItem(Item):
    """
    :ivar domain: a name, or ``*.`` and a name for every name below it.
    :ivar certificate_id: one of ``tls_certificates``; without it the issuer makes one.
    """

    domain: str
    certificate_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddrItem(Item):
    """
    :ivar addr: ``host:port``, with the host of ``tcp.host`` and a port of ``tcp.ports``. Without it a port is chosen by the
        item's name, the same one after every restart.
    """

    addr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateItem(Item):
    """
    :ivar certificate_pem: the certificate, then each issuer in order.
    :ivar private_key_pem: its key, not encrypted.
    """

    certificate_pem: Annotated[str, EXTERNAL]
    private_key_pem: Annotated[str, EXTERNAL] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdgeItem(Item):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar routes: what happens on which path.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    routes: tuple[HTTPSEdgeRoute, ...] = ()
    modules: HTTPSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSEdgeItem(Item):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TLSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPEdgeItem(Item):
    """
    :ivar hostports: the reserved addresses it serves.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TCPModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """
    :ivar https: names whose requests are routed by path.
    :ivar tls: names whose connections go to one backend.
    :ivar tcp: addresses whose connections go to one backend.
    """

    https: tuple[HTTPSEdgeItem, ...] = ()
    tls: tuple[TLSEdgeItem, ...] = ()
    tcp: tuple[TCPEdgeItem, ...] = ()


def backend_items() -> Mapping[str, Any]:
    """The type of each list under ``backends``, by backend kind."""
    return {name: tuple[backend_item(config), ...] for name, config in backend_configs().items()}  # type: ignore[misc]


@lru_cache(maxsize=None)
def backend_item(config: type) -> Any:
    """
    The class of one item: `Item`, and the fields of a backend kind's ``Config`` beside its own.
    """
    return make_dataclass(
        f"{config.__name__}Item",
        [("config", Annotated[config, REST])],
        bases=(Item,),
        frozen=True,
        slots=True,
        kw_only=True,
        namespace={"__doc__": config.__doc__},
    )
