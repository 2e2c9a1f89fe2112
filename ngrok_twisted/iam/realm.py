"""
The realm of the cred portal: credential ids in, principals out.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.cred.portal import IRealm
from zope.interface import implementer

from ngrok_twisted.authtoken_login import LoginRefused
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.certified import CertifiedId, find_certifier
from ngrok_twisted.iam.owners import principal_of
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Snapshot

#: The families whose records are credentials of agents: each has ``acl``.
CREDENTIAL_FAMILIES = ("ssh_credentials", "credentials")

#: ngrok's code: the credential was revoked while it was in use.
REVOKED = 300

#: What the user of a session reads when its credential is taken away.
DELETED = "The credential of this session was deleted."


@implementer(IRealm)
class Realm:
    """
    Makes a `Principal` from a credential's record and its account's.

    A principal is a value without behaviour, so it is the same avatar whatever interface is asked for; a transport
    that needs another avatar, such as Conch's user, puts its own around it.
    """

    def __init__(
        self,
        records: Callable[[], Snapshot],
        clock: Any = None,
        used: Callable[[str, float], None] = lambda id, seconds: None,
    ) -> None:
        """
        :param records: gives the current records.
        :param clock: an ``IReactorTime``; without one no use is told.
        :param used: called with the id of a credential that let somebody in, and with the seconds since the epoch.
        """
        self._records = records
        self._clock = clock
        self._used = used

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> tuple[Any, Principal, Callable[[], None]]:
        """
        IRealm.

        :raises LoginRefused: the credential or its account was deleted since it was checked, or its owner is disabled.
        """
        if not interfaces or not isinstance(avatarId, str):
            raise NotImplementedError("a principal is asked for by the id of a credential and some interface")
        try:
            principal = require_principal(self._records(), avatarId)
        except Refused as refused:
            raise LoginRefused(refused) from None
        if isinstance(avatarId, CertifiedId):
            principal = avatarId.applied(principal)
        if self._clock is not None:
            self._used(avatarId, self._clock.seconds())
        return interfaces[0], principal, _leave


def _leave() -> None:
    """A session that ends leaves nothing behind here."""


def find_credential(snapshot: Snapshot, id: str) -> Any:
    """The record of the credential with this id, whatever its kind, or ``None``."""
    for family in CREDENTIAL_FAMILIES:
        record = snapshot.tables.get(family, {}).get(id)
        if record is not None:
            return record
    return find_certifier(snapshot, id)


def find_principal(snapshot: Snapshot, credential_id: str) -> Principal | None:
    """Who this credential of an agent stands for, or ``None`` if nobody may use it any more."""
    try:
        return require_principal(snapshot, credential_id)
    except Refused:
        return None


def require_principal(snapshot: Snapshot, credential_id: str) -> Principal:
    """
    Who this credential of an agent stands for.

    :raises Refused: `REVOKED`, or as `ngrok_twisted.iam.owners.principal_of`.
    """
    credential = find_credential(snapshot, credential_id)
    try:
        if credential is not None:
            return principal_of(snapshot, credential)
    except LookupError:
        pass
    raise Refused(REVOKED, DELETED)
