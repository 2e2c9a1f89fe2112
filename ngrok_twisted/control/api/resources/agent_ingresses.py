"""
``/agent_ingresses``: names of an account's own under which its agents reach the server.

Agents dial ``connect.`` below the domain, and whoever owns it points that name at the server. There the server shows the
certificate that was uploaded for the name, or one of the local CA's; with SSH the name that was dialled means nothing, and
the host key proves who the server is. The server runs no name servers to delegate to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Iterator

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, CertificateStatus, Seen, Texts, TextsUpdate
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.hostnames import normalise
from ngrok_twisted.records.agent_ingress import CONNECT_LABEL, AgentIngress
from ngrok_twisted.records.base import Problem, Snapshot

_INVALID = 6704


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressPolicy:
    """
    :ivar authority: who is to issue certificates; this server asks nobody, so that any is refused.
    :ivar private_key_type: ``rsa`` or ``ecdsa``.
    """

    authority: str = ""
    private_key_type: str = "rsa"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredIngress(Texts):
    """
    :ivar domain: a domain of your own, outside of the server's; agents dial ``connect.`` below it.
    """

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentIngressCreate(DeclaredIngress):
    """
    :ivar certificate_management_policy: refused, since this server asks no public authority for certificates.
    """

    certificate_management_policy: IngressPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentIngressUpdate(TextsUpdate):
    """
    :ivar certificate_management_policy: refused, since this server asks no public authority for certificates.
    """

    certificate_management_policy: Annotated[IngressPolicy | None, EMPTY_KEEPS] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentIngressView(Seen):
    """
    :ivar domain: lower case.
    :ivar ns_targets: empty: the server runs no name servers.
    :ivar region_domains: what agents dial, to be pointed at the server.
    :ivar certificate_management_policy: ``None``: no public authority is asked for certificates.
    :ivar certificate_management_status: ``None`` likewise.
    """

    domain: str
    ns_targets: tuple[str, ...] = ()
    region_domains: tuple[str, ...]
    certificate_management_policy: IngressPolicy | None = None
    certificate_management_status: CertificateStatus | None = None


class AgentIngresses(Collection[AgentIngress]):
    """The collection of ingresses."""

    name = "agent_ingresses"
    path = "/agent_ingresses"
    list_key = "ingresses"
    noun = "agent ingress"
    record = AgentIngress
    View = AgentIngressView
    Create = AgentIngressCreate
    Update = AgentIngressUpdate
    Declared = DeclaredIngress
    declared_at = "agent_ingresses"
    filterable = ("id", "created_at", "description", "metadata", "domain")
    codes = {"description": 6700, "metadata": 6701, "domain": _INVALID}

    def about(self, body: Any) -> str:
        """Collection."""
        return str(body.domain).lower()

    def make(self, making: Making, body: Any) -> AgentIngress:
        """Collection."""
        problems, domain = list(_policy_problems(body)), ""
        try:
            domain = normalise(body.domain)
        except Refused as refused:
            problems.append(Problem("domain", refused.message, code=_INVALID))
        if problems:
            raise InvalidConfig(problems)
        return AgentIngress(**self.common(making, body), domain=domain)

    def changed(self, call: Call, record: AgentIngress, body: Any, records: Snapshot) -> AgentIngress:
        """Collection."""
        problems = list(_policy_problems(body))
        if problems:
            raise InvalidConfig(problems)
        texts = {name: value for name in ("description", "metadata") if (value := getattr(body, name)) is not None}
        return replace(record, **texts)

    def view(self, call: Call, record: AgentIngress) -> AgentIngressView:
        """Collection."""
        return AgentIngressView(
            **self.seen(call, record), domain=record.domain, region_domains=(f"{CONNECT_LABEL}.{record.domain}",)
        )


def _policy_problems(body: Any) -> Iterator[Problem]:
    policy = getattr(body, "certificate_management_policy", None)
    if policy is not None:
        authority = policy.authority[:60] or "elsewhere"
        message = f"this server gets no certificates from {authority}; agents check its host key instead: leave it out"
        yield Problem("certificate_management_policy", message)


agent_ingresses = AgentIngresses()
