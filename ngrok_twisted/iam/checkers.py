"""
Credentials checkers of the cred portal: they turn what an agent shows into the id of a credential.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.conch.error import ValidPublicKey
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.authtoken_login import IAuthtoken, LoginRefused
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.ssh_keys import check_blob, read_public_key, verifies
from ngrok_twisted.iam.tokens import TOKEN_MAX, TokenTable, looks_made
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ssh_credential import SSHCredential
from ngrok_twisted.ssh_login import VerifiedKey

SECONDS = 1.0

#: Unknown keys do not make us look for new ones more often than this: anyone may offer as many as they like.
REFRESH_INTERVAL = 1 * SECONDS

#: How long a login waits for new keys to be read; it happens on local files.
REFRESH_TIMEOUT = 5 * SECONDS


@implementer(ICredentialsChecker)
class SSHKeyChecker:
    """
    Knows SSH keys by their blob.

    Only the key that signs counts: a client may offer many keys, and what it gets is what the signing one may.
    """

    _log = Logger()
    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, records: Callable[[], Snapshot], clock: Any, refresh: Callable[[], Any] = lambda: None) -> None:
        """
        :param records: gives the current records.
        :param clock: an `IReactorTime`.
        :param refresh: called when an unknown key is offered, so that keys which the operator has just added count. It
            may return a Deferred; afterwards ``records`` is asked again.
        """
        self._records = records
        self._clock = clock
        self._refresh = refresh
        self._table: Any = None
        self._ids: dict[bytes, str] = {}
        self._blobs: dict[str, bytes] = {}
        self._refreshed_at: float | None = None
        self._waiting: list[Deferred[None]] | None = None

    def requestAvatarId(self, credentials: Any) -> Deferred[str]:  # type: ignore[override]
        """
        ICredentialsChecker.

        :return: a Deferred that fires with the `SSHCredential`'s id. It fails with `ValidPublicKey` if the key is known
            and nothing was signed yet, and with `UnauthorizedLogin` if it is not known or the signature is wrong.
        """
        if self._lookup(credentials.blob) is None and self._is_acceptable(credentials.blob):
            return self._refresh_now().addCallback(lambda ignored: self._identify(credentials))
        return self._identify(credentials)

    def _identify(self, credentials: Any) -> Deferred[str]:
        id = self._lookup(credentials.blob)
        if id is None:
            return fail(UnauthorizedLogin("the key is not known"))
        if not credentials.signature:
            return fail(ValidPublicKey())
        if not isinstance(credentials, VerifiedKey) and not _has_signed(credentials):
            return fail(UnauthorizedLogin("the signature is not the key's"))
        return succeed(id)

    def _lookup(self, blob: bytes) -> str | None:
        table = self._records().tables.get(SSHCredential.family)
        if table is not self._table:
            self._table = table
            self._ids = self._index()
        return self._ids.get(blob)

    def _index(self) -> dict[bytes, str]:
        """A key that stands twice belongs to the credential that was there first. No key is parsed twice."""
        ids: dict[bytes, str] = {}
        before, self._blobs = self._blobs, {}
        for record in self._records().all(SSHCredential):
            try:
                blob = before.get(record.public_key) or read_public_key(record.public_key)
            except ValueError as error:
                self._log.warn("credential {id} is not used: {error}", id=record.id, error=str(error))
                continue
            self._blobs[record.public_key] = blob
            ids.setdefault(blob, record.id)
        return ids

    @staticmethod
    def _is_acceptable(blob: bytes) -> bool:
        try:
            check_blob(blob)
        except ValueError:
            return False
        return True

    def _refresh_now(self) -> Deferred[None]:
        """
        :return: a Deferred that fires when the newest keys were read, by this call or by one shortly before. It never
            fails.
        """
        waiter: Deferred[None] = Deferred()
        if self._waiting is not None:
            self._waiting.append(waiter)
        elif self._refreshed_at is not None and self._clock.seconds() - self._refreshed_at < REFRESH_INTERVAL:
            waiter.callback(None)
        else:
            self._refreshed_at = self._clock.seconds()
            self._waiting = [waiter]
            d = maybeDeferred(self._refresh)
            d.addTimeout(REFRESH_TIMEOUT, self._clock)
            d.addErrback(lambda failure: self._log.failure("the SSH keys could not be read again", failure))
            d.addCallback(self._refreshed)
        return waiter

    def _refreshed(self, _: Any) -> None:
        waiting, self._waiting = self._waiting or [], None
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)


def _has_signed(credentials: Any) -> bool:
    return verifies(credentials.algName, credentials.blob, credentials.signature, credentials.sigData)


@implementer(ICredentialsChecker)
class AuthtokenChecker:
    """
    Knows authtokens by their hash.
    """

    credentialInterfaces = (IAuthtoken,)

    def __init__(self, records: Callable[[], Snapshot]) -> None:
        """
        :param records: gives the current records.
        """
        self._authtokens = TokenTable(records, Credential)
        self._keys = TokenTable(records, APIKey)

    def requestAvatarId(self, credentials: Any) -> str:  # type: ignore[override]
        """
        ICredentialsChecker.

        :return: the id of the `Credential`.
        :raises LoginRefused: 4018 there is no token, 105 it does not look like one, 107 it is unknown or an API key.
        """
        token: str = credentials.token.strip()
        found = self._authtokens.find(token) if len(token) <= TOKEN_MAX else None
        if found is not None:
            return found.id
        raise LoginRefused(self._refusal(token))

    def _refusal(self, token: str) -> Refused:
        if not token:
            return Refused(4018, "There is no authtoken: get one from the operator of this server.")
        if len(token) <= TOKEN_MAX and self._keys.find(token) is not None:
            return Refused(107, "This is an API key. Agents need an authtoken.")
        if looks_made(token):
            return Refused(107, "This authtoken is unknown: it was deleted, or belongs to another server.")
        return Refused(105, "What was sent does not look like an authtoken.")
