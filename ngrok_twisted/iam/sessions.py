"""
`Sessions`: which agent sessions use which credential, so that they end when it is deleted or may bind less.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from twisted.logger import Logger

from ngrok_twisted.iam.permissions import is_narrower
from ngrok_twisted.iam.realm import find_principal
from ngrok_twisted.records.base import Snapshot

#: What the user of a session reads when its credential is taken away.
DELETED = "The credential of this session was deleted."
NARROWED = "The permissions of this session's credential were changed: connect again."
MOVED = "The credential of this session belongs to another account now: connect again."


class Sessions:
    """
    Every connected agent session, by the credential that let it in.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._by_credential: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_credential.values()))

    def count(self, credential_id: str) -> int:
        """How many sessions this credential has."""
        return len(self._by_credential.get(credential_id, ()))

    def track(self, session: Any) -> Callable[[], None]:
        """
        :param session: an `ngrok_twisted.interfaces.IAgentSession` that was let in.
        :return: a callable to be called when it has ended; calling it again does nothing.
        """
        credential_id: str = session.principal.credential_id
        self._by_credential.setdefault(credential_id, {})[session.id] = session
        return lambda: self._forget(credential_id, session)

    def update(self, snapshot: Snapshot) -> None:
        """
        Close the sessions that these records would not let in any more, only for less, or for another account.
        """
        for credential_id, sessions in tuple(self._by_credential.items()):
            principal = find_principal(snapshot, credential_id)
            if principal is None:
                self.revoke((credential_id,), DELETED)
                continue
            for session in tuple(sessions.values()):
                if principal.account_id != session.principal.account_id:
                    self._close(session, MOVED)
                elif is_narrower(principal.acl, session.principal.acl):
                    self._close(session, NARROWED)

    def revoke(self, credential_ids: Iterable[str], reason: str) -> None:
        """
        Close every session of these credentials.

        :param reason: what their users read.
        """
        for credential_id in credential_ids:
            for session in tuple(self._by_credential.get(credential_id, {}).values()):
                self._close(session, reason)

    def _close(self, session: Any, reason: str) -> None:
        id: str = session.id
        self._log.info("session {id} is closed: {reason}", id=id, reason=reason)
        try:
            session.close(reason)
        except Exception:
            self._log.failure("session {id} could not be closed", id=id)

    def _forget(self, credential_id: str, session: Any) -> None:
        id: str = session.id
        sessions = self._by_credential.get(credential_id, {})
        if sessions.get(id) is session:
            del sessions[id]
        if not sessions:
            self._by_credential.pop(credential_id, None)
