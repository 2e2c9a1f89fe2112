"""
``/reserved_domains``: names that belong to an account.

A server of one's own is ready for a domain as soon as it is reserved: it shows the certificate that is attached, or
else one of its own authority. It asks no public authority, so that a policy for certificates is refused and never
shown, which is how ngrok's operator for Kubernetes knows that it need not wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Iterator

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, CertificateStatus, Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.uses import agents_on_domain, called, served_on_domain, uses_of_domain
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.hostnames import RESERVATION_CODES, is_below, normalise
from ngrok_twisted.records.agent_ingress import CONNECT_LABEL
from ngrok_twisted.records.base import Delete, Problem, Put, Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain

#: The label under the base domain that leads to this server wherever it is (``docs/operating.md``, DNS).

_THEIRS, _ONLINE, _BOTH_CERTIFICATES, _AUTHORITY, _OWN_NAME = 414, 430, 434, 435, 439
_USED, _SHORT, _BOTH_NAMES = 446, 448, 449


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePolicy:
    """
    :ivar authority: who is to issue certificates; this server asks nobody, so that any is refused.
    :ivar private_key_type: ``ecdsa`` or ``rsa``.
    """

    authority: str = ""
    private_key_type: str = "ecdsa"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvesTo:
    """
    :ivar value: the server's region, or ``global``.
    """

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredDomain(Texts):
    """
    :ivar domain: a name, or ``*.`` and a name for every name below it.
    :ivar certificate_id: one of the ``tls_certificates``; without it the server shows one of its own authority.
    :ivar resolves_to: where the name leads; the server's region or ``global``, which are the same here.
    """

    domain: str
    certificate_id: str = ""
    resolves_to: tuple[ResolvesTo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedDomainCreate(Texts):
    """
    :ivar domain: a name, or ``*.`` and a name for every name below it. Required, unless ``name`` is given.
    :ivar name: the same in older clients; a single label means a name under the server's domain.
    :ivar region: empty, or the server's.
    :ivar certificate_id: a TLS certificate; without it the server shows one of its own authority.
    :ivar certificate_management_policy: refused, since this server asks no public authority for certificates.
    :ivar resolves_to: where the name leads; the server's region or ``global``, which are the same here.
    """

    domain: str = ""
    name: str = ""
    region: str = ""
    certificate_id: str = ""
    certificate_management_policy: CertificatePolicy | None = None
    resolves_to: tuple[ResolvesTo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedDomainUpdate(TextsUpdate):
    """
    :ivar region: empty, or the server's.
    :ivar certificate_id: another TLS certificate; empty changes nothing.
    :ivar certificate_management_policy: refused, since this server asks no public authority for certificates.
    :ivar resolves_to: where the name leads; empty clears it.
    """

    region: Annotated[str | None, EMPTY_KEEPS] = None
    certificate_id: Annotated[str | None, EMPTY_KEEPS] = None
    certificate_management_policy: Annotated[CertificatePolicy | None, EMPTY_KEEPS] = None
    resolves_to: tuple[ResolvesTo, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedDomainView(Seen):
    """
    :ivar domain: lower case; international names in their ASCII form.
    :ivar region: as it was given.
    :ivar cname_target: what a CNAME record of the name points to; ``None`` for names under the server's domain.
    :ivar certificate: the attached TLS certificate; ``None`` while the server shows one of its own authority.
    :ivar certificate_management_policy: ``None``: no public authority is asked for certificates.
    :ivar certificate_management_status: ``None`` likewise.
    :ivar acme_challenge_cname_target: ``None`` likewise.
    :ivar resolves_to: as it was given; ``None`` for nothing.
    :ivar http_endpoint_configuration: always ``None``.
    :ivar https_endpoint_configuration: always ``None``.
    :ivar error_redirect_url: always ``None``.
    :ivar is_dev: whether the server assigned it to the account; it never does.
    """

    domain: str
    region: str
    cname_target: str | None
    certificate: Ref | None
    certificate_management_policy: CertificatePolicy | None = None
    certificate_management_status: CertificateStatus | None = None
    acme_challenge_cname_target: str | None = None
    resolves_to: tuple[ResolvesTo, ...] | None
    http_endpoint_configuration: Ref | None = None
    https_endpoint_configuration: Ref | None = None
    error_redirect_url: str | None = None
    is_dev: bool = False


class ReservedDomains(Collection[ReservedDomain]):
    """The collection of reserved domains."""

    name = "reserved_domains"
    path = "/reserved_domains"
    list_key = "reserved_domains"
    noun = "reserved domain"
    record = ReservedDomain
    View = ReservedDomainView
    Create = ReservedDomainCreate
    Update = ReservedDomainUpdate
    Declared = DeclaredDomain
    declared_at = "reserved_domains"
    filterable = (
        "id",
        "created_at",
        "description",
        "metadata",
        "domain",
        "region",
        "cname_target",
        "certificate.id",
        "acme_challenge_cname_target",
    )
    codes = {"description": 420, "metadata": 421, "{}": 422}

    def about(self, body: Any) -> str:
        """Collection."""
        try:
            return normalise(body.domain)
        except Refused:
            return str(body.domain)

    def make(self, making: Making, body: Any) -> ReservedDomain:
        """Collection."""
        domain, problems = _wanted(body, making.settings)
        problems += [*_policy_problems(body, domain, "", making.settings), *_use_problems(domain, making)]
        if problems:
            raise InvalidConfig(problems)
        return ReservedDomain(
            **self.common(making, body),
            domain=domain,
            certificate_id=body.certificate_id,
            region=getattr(body, "region", ""),
            resolves_to=tuple(entry.value for entry in body.resolves_to),
        )

    def changed(self, call: Call, record: ReservedDomain, body: Any, records: Snapshot) -> ReservedDomain:
        """Collection."""
        problems = list(_policy_problems(body, record.domain, record.certificate_id, call.parts.settings))
        if problems:
            raise InvalidConfig(problems)
        given = {
            name: value
            for name in ("description", "metadata", "region", "certificate_id")
            if (value := getattr(body, name)) is not None
        }
        if body.resolves_to is not None:
            given["resolves_to"] = tuple(entry.value for entry in body.resolves_to)
        return replace(record, **given)

    def removed(self, call: Call, record: ReservedDomain, records: Snapshot) -> Changes:
        """Collection."""
        used = next(uses_of_domain(record, records), None)
        if used is not None:
            message = f"{record.domain} is used by {called(used)}: take it out there first, or delete that."
            raise Refused(_USED, message)
        return (Delete(ReservedDomain, record.id),)

    def view(self, call: Call, record: ReservedDomain) -> ReservedDomainView:
        """Collection."""
        settings = call.parts.settings
        return ReservedDomainView(
            **self.seen(call, record),
            domain=record.domain,
            region=record.region,
            cname_target=None if is_own(record.domain, settings) else f"{CONNECT_LABEL}.{settings.base_domain}",
            certificate=call.optional_ref("/tls_certificates", record.certificate_id),
            resolves_to=tuple(ResolvesTo(value=value) for value in record.resolves_to) or None,
        )

    def more_methods(self) -> Iterator[Method]:
        """Collection."""
        yield self._method(
            "DELETE",
            self.path + "/{id}/certificate",
            "delete_certificate",
            self._detach,
            "Take the certificate away; the server shows one of its own authority again.",
            status=204,
        )
        yield self._method(
            "DELETE",
            self.path + "/{id}/certificate_management_policy",
            "delete_certificate_management_policy",
            self._detach_policy,
            "Take the policy for certificates away. No domain has one here.",
            status=204,
        )

    async def _detach(self, call: Call) -> Answer:
        def build(records: Snapshot) -> Changes:
            record = self.find(call, records, call.params["id"])
            return (Put(replace(record, certificate_id="")),) if record.certificate_id else ()

        await self.write(call, build)
        return Answer(204)

    def _detach_policy(self, call: Call) -> Answer:
        self.find(call, call.records, call.params["id"])
        return Answer(204)


def _wanted(body: Any, settings: ReservationSettings) -> tuple[str, list[Problem]]:
    """
    The domain in a body, normalised, and what is wrong with it: exactly one of ``domain`` and the older ``name`` is due.
    """
    older = getattr(body, "name", "")
    if body.domain and older:
        return "", [Problem("name", "is the older word for domain; give only one of them", code=_BOTH_NAMES)]
    if not body.domain and not older:
        return "", [Problem("domain", "is required: the name to reserve", code=_SHORT)]
    text = body.domain or (older if "." in older else f"{older}.{settings.base_domain}")
    try:
        return normalise(text, RESERVATION_CODES), []
    except Refused as refused:
        return "", [Problem("domain" if body.domain else "name", refused.message, code=refused.code or 0)]


def _policy_problems(body: Any, domain: str, attached: str, settings: ReservationSettings) -> Iterator[Problem]:
    """
    :param attached: the certificate that the domain has; to name it again is no change.
    """
    policy, path = getattr(body, "certificate_management_policy", None), "certificate_management_policy"
    if policy is None:
        return
    if body.certificate_id and body.certificate_id != attached:
        yield Problem(path, "give either a certificate or a policy for certificates", code=_BOTH_CERTIFICATES)
    if is_own(domain, settings):
        yield Problem(path, f"{domain} has a certificate of this server; leave the policy out", code=_OWN_NAME)
        return
    message = (
        f"this server gets no certificates from {policy.authority[:60] or 'elsewhere'}: leave the policy out, and it "
        "shows one of its own authority; or upload a certificate and give its id as certificate_id"
    )
    yield Problem(path, message, code=_AUTHORITY)


def is_own(domain: str, settings: ReservationSettings) -> bool:
    """Whether a name or wildcard is the server's domain, or below it."""
    exact = domain.removeprefix("*.")
    return exact == settings.base_domain or is_below(exact, settings.base_domain)


def _use_problems(domain: str, making: Making) -> Iterator[Problem]:
    """Nobody loses a name that they are using, though nobody had reserved it."""
    if any(endpoint.account_id != making.account_id for endpoint in agents_on_domain(domain, making.live.values())):
        message = f"an agent of another account is online on {domain}, or on a name below it"
        yield Problem("domain", message, code=_ONLINE)
    elif any(record.account_id != making.account_id for record in served_on_domain(domain, making.records)):
        message = f"another account has an edge or endpoint on {domain}, or on a name below it"
        yield Problem("domain", message, code=_THEIRS)


reserved_domains = ReservedDomains()
