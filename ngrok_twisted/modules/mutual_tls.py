"""
``mutual_tls``: only visitors with a certificate of certain authorities pass.

The check is part of the handshake: no byte of a request is read from a visitor without such a certificate. It must be
within its validity, lead to one of the authorities by itself or with the certificates that the visitor sends along, and, if
it names purposes, name that of a TLS client. Nobody is asked whether it was revoked.

Who the visitor is by its certificate is told to the service behind an HTTPS edge, in fields whose names begin with
``ngrok-mtls-``; what a visitor itself says there is taken out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Iterator

from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind, ITLSModule
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.tls.identity import FIELDS, identity_fields
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.tls.pem import blocks, check_authority
from ngrok_twisted.wrapper import Phase, Wrapper

#: Authorities of one module (specification of edges, section 6.2).
AUTHORITIES_MAX = 10

#: ngrok's numbers for an authority that is not there, or none at all, and for too many.
_UNKNOWN, _TOO_MANY = 7072, 7075


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualTLSConfig:
    """
    :ivar certificate_authority_ids: whose certificates are accepted: 1 to 10 certificate authorities.
    """

    certificate_authority_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: there is none, or there are too many.
        """
        found = [*_counted(len(self.certificate_authority_ids))]
        if found:
            raise InvalidConfig(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsMutualTLSConfig:
    """
    The same for the endpoints of agents, which may bring their authorities along.

    :ivar certificate_authority_ids: certificate authorities of the account.
    :ivar certificates: further authorities: their certificates in PEM, one behind the other.
    """

    certificate_authority_ids: tuple[str, ...] = ()
    certificates: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: there is none, there are too many, or a certificate is not that of an authority.
        """
        found = [*_counted(len(self.certificate_authority_ids) + len(self.brought))]
        for pem in () if found else self.brought:
            found += [Problem("certificates", said, code=code) for code, said in check_authority(pem)]
        if found:
            raise InvalidConfig(found)

    @property
    def brought(self) -> tuple[str, ...]:
        """The certificates that the agent brought along, one by one; or what they are not."""
        texts = tuple(block.text for block in blocks(self.certificates))
        return texts or tuple(filter(str.strip, (self.certificates,)))


def _counted(count: int) -> Iterator[Problem]:
    if not count:
        message = "needs at least one certificate authority, or nobody could come in"
        yield Problem("certificate_authority_ids", message, code=_UNKNOWN)
    if count > AUTHORITIES_MAX:
        message = f"names more than {AUTHORITIES_MAX} certificate authorities"
        yield Problem("certificate_authority_ids", message, code=_TOO_MANY)


@provider(IModuleKind)
@implementer(ITLSModule, IHTTPModule)
class MutualTLS:
    """Asks for the visitor's certificate. Where TLS does not end at the edge there is nothing that it could ask."""

    name = "mutual_tls"
    Config = AgentsMutualTLSConfig
    configs = dict.fromkeys(("https", "tls"), MutualTLSConfig)
    codes = {"certificate_authority_ids": _UNKNOWN}
    needs_termination = True
    phase = Phase.ADMIT
    attaches = frozenset({"https", "tls"})

    def __init__(self, config: MutualTLSConfig | AgentsMutualTLSConfig, context: ModuleContext) -> None:
        found = {context.find(CertificateAuthority, id).ca_pem for id in config.certificate_authority_ids}
        if isinstance(config, AgentsMutualTLSConfig):
            found |= {*config.brought}
        # In one order and once each, so that edges that trust the same authorities may share connections and contexts.
        self._authorities = tuple(sorted(found))

    def amend(self, options: TLSOptions) -> TLSOptions:
        """ITLSModule."""
        return replace(options, client_cas=self._authorities)

    def wrap_resource(self, inner: Any) -> Introduced:
        """IHTTPModule."""
        return Introduced(inner)


class Introduced(Wrapper):
    """Tells whoever answers what the visitor's certificate says."""

    def render(self, request: Any) -> Any:
        """IResource."""
        # Some services take an underscore for a hyphen (RFC 3875 section 4.1.18).
        for name in {name for name, _ in request.fields if name.lower().replace(b"_", b"-") in FIELDS}:
            request.set_request_header(name, None)
        certificate = request.channel.get_peer_certificate()
        for name, value in () if certificate is None else identity_fields(certificate):
            request.add_request_header(name, value)
        return self.inner.render(request)
