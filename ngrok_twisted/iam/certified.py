"""
Whom a user certificate stands for: its principals, and the credential by which its sessions are known and ended.

A certificate that the API has issued is known by its own record, so that deleting the record ends what was begun with it.
One that an operator has signed elsewhere, with the key of a declared authority, is known by the authority.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.permissions import parse_rule
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.ssh_certificates import BadCertificate
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.service_user import BOT_PREFIX, ServiceUser, with_prefix
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate
from ngrok_twisted.records.user import User

#: The extension that says what the user may bind: rules as in a credential's ``acl``, with commas between them.
ACL = "acl@ngrok_twisted"


class CertifiedId(str):
    """
    The id of a credential, as a checker gives it, with what the certificate says beside it.

    :ivar acl: what the user may bind; empty is unrestricted.
    :ivar owner_id: the user or service user that a principal names; empty for the account's default user.
    :ivar command: what runs in place of every command that the user asks for, or ``None``.
    """

    acl: tuple[str, ...]
    owner_id: str
    command: str | None

    def __new__(cls, id: str, acl: tuple[str, ...], owner_id: str, command: str | None) -> CertifiedId:
        made = super().__new__(cls, id)
        made.acl, made.owner_id, made.command = acl, owner_id, command
        return made

    def __getnewargs__(self) -> tuple[str, tuple[str, ...], str, str | None]:  # type: ignore[override]
        return str(self), self.acl, self.owner_id, self.command

    def applied(self, principal: Principal) -> Principal:
        """The principal of the credential as the certificate lets it in."""
        owner_id = self.owner_id or principal.owner_id
        return replace(principal, acl=self.acl, owner_id=owner_id, command=self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certifier:
    """
    A record that lets certificates in, as a credential.

    :ivar id: the record's id.
    :ivar account_id: the owner account.
    :ivar owner_id: the user or service user that it belongs to; empty for the account's default user.
    :ivar acl: what it may bind; empty is unrestricted.
    """

    id: str
    account_id: str
    owner_id: str = ""
    acl: tuple[str, ...] = ()


def find_certifier(snapshot: Snapshot, id: str) -> Certifier | None:
    """
    :param id: of an authority, or of a user certificate.
    :return: ``None`` if it is gone, or its authority, or everybody whom it names.
    """
    certificate = snapshot.get(SSHUserCertificate, id)
    authority_id = id if certificate is None else certificate.ssh_certificate_authority_id
    authority = snapshot.get(SSHCertificateAuthority, authority_id)
    account = None if authority is None else snapshot.get(Account, authority.account_id)
    if account is None:
        return None
    if certificate is None:
        return Certifier(id=id, account_id=account.id)
    try:
        owner_id = owner_named(snapshot, account, certificate.principals)
        return Certifier(id=id, account_id=account.id, owner_id=owner_id, acl=acl_of(certificate.extensions))
    except BadCertificate:
        return None


def owner_named(snapshot: Snapshot, account: Account, principals: tuple[str, ...]) -> str:
    """
    The user or service user of the account that a certificate was made for. Principals may name the account itself, by its
    id or name; a user by e-mail address, name or id; an active service user by name or id.

    :param principals: none means anybody.
    :return: an id; empty for the account's default user.
    :raises BadCertificate: it was made for nobody here.
    """
    named = set(principals)
    if not named or named & {account.id, account.name}:
        return ""
    for user in snapshot.all(User):
        if user.account_id == account.id and named & ({user.id, user.email, user.name} - {""}):
            return user.id
    for service in snapshot.all(ServiceUser):
        names = {service.id, service.name, with_prefix(service.id, BOT_PREFIX)}
        if service.active and service.account_id == account.id and named & names:
            return service.id
    raise BadCertificate("none of its principals is the authority's account, a user or an active service user of it")


def acl_of(extensions: Mapping[str, str]) -> tuple[str, ...]:
    """
    What a certificate lets its user bind.

    :raises BadCertificate: it has a rule that cannot be read.
    """
    text = extensions.get(ACL)
    return () if text is None else tuple(_checked(rule.strip() for rule in text.split(",")))


def _checked(rules: Iterable[str]) -> Iterable[str]:
    for rule in rules:
        try:
            parse_rule(rule)
        except Refused:
            raise BadCertificate(f"its extension {ACL} has a rule that cannot be read") from None
        yield rule
