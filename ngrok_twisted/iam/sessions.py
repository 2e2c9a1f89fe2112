"""
`Sessions`: which agent sessions use which credential, so that they end when it is deleted or may bind less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterable, Iterator

from twisted.logger import Logger

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.permissions import is_narrower
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.realm import find_credential, require_principal
from ngrok_twisted.records.base import KEY_FAMILIES, Snapshot
from ngrok_twisted.restrictions import Restrictions

#: What the user of a session reads when its credential, though still there, does not let it stay.
NARROWED = "The permissions of this session's credential were changed: connect again."
REPLACED = "The token of this session's credential was replaced: connect with the new one."
MOVED = "The credential of this session belongs to another account now: connect again."

#: What an agent is told where it was, when it has come back.
CAME_BACK = "The agent has come on another connection."

#: ngrok's number for an agent whose address the account's restriction of agents does not admit.
TURNED_AWAY = 115


class _Over:
    """What `Sessions.track` returns: a closure would take five times as much memory, for each of ten thousand agents."""

    __slots__ = ("_sessions", "_credential_id", "_session")

    def __init__(self, sessions: Sessions, credential_id: str, session: Any) -> None:
        self._sessions = sessions
        self._credential_id = credential_id
        self._session = session

    def __call__(self) -> None:
        self._sessions.forget(self._credential_id, self._session)


class Sessions:
    """
    Every connected agent session, by the credential that let it in.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._by_credential: dict[str, dict[str, Any]] = {}
        self._by_id: dict[str, Any] = {}
        self._listeners: list[Callable[[Any, bool, str], None]] = []
        self._reasons: dict[str, str] = {}
        self._restrictions = Restrictions("agent")
        self._seen = Snapshot()

    def __len__(self) -> int:
        return sum(map(len, self._by_credential.values()))

    def count(self, credential_id: str) -> int:
        """How many sessions this credential has."""
        return len(self._by_credential.get(credential_id, ()))

    def credential_ids(self) -> tuple[str, ...]:
        """The credentials that have sessions."""
        return tuple(self._by_credential)

    def of(self, account_id: str) -> Iterator[Any]:
        """The sessions of an account, each an `ngrok_twisted.interfaces.IAgentSession`."""
        for sessions in tuple(self._by_credential.values()):
            for session in tuple(sessions.values()):
                if session.principal.account_id == account_id:
                    yield session

    def refusal(self, account_id: str, peer_host: str) -> Refused | None:
        """
        Why no session of an account may come from this address, or ``None``.

        :param peer_host: the agent's IP address.
        """
        if not self._restrictions.turn_away(account_id, peer_host):
            return None
        return Refused(TURNED_AWAY, f"An IP restriction of this account turns your address, {peer_host}, away.")

    def subscribe(self, listener: Callable[[Any, bool, str], None]) -> None:
        """
        :param listener: called with each session that begins (``False`` and an empty text) and that ends (``True`` and why
            this server ended it; empty where it did not).
        """
        self._listeners.append(listener)

    def track(self, session: Any) -> Callable[[], None]:
        """
        An agent that has come back under its id, before it is known in another process that it had gone, goes there first.

        :param session: an `ngrok_twisted.interfaces.IAgentSession` that was let in.
        :return: a callable to be called when it has ended; calling it again does nothing.
        """
        before = self._by_id.get(session.id)
        if before is not None:
            self._close(before, CAME_BACK)
        self._by_id[session.id] = session
        credential_id: str = session.principal.credential_id
        self._by_credential.setdefault(credential_id, {})[session.id] = session
        self._tell(session, False, "")
        return _Over(self, credential_id, session)

    def update(self, snapshot: Snapshot) -> None:
        """
        Close the sessions that these records would not let in any more, only for less, or for another account.
        """
        restricted = self._restrictions.update(snapshot)
        before, self._seen = self._seen, snapshot
        only_keys = snapshot.is_same_but(before, KEY_FAMILIES)
        for credential_id, sessions in tuple(self._by_credential.items()):
            if only_keys and _is_same_key(credential_id, before, snapshot):
                continue
            try:
                principal = require_principal(snapshot, credential_id)
            except Refused as refused:
                self.revoke((credential_id,), refused.message)
                continue
            for session in tuple(sessions.values()):
                reason = _why_not(session.principal, principal) or (self._shut_out(session) if restricted else "")
                if reason:
                    self._close(session, reason)

    def revoke(self, credential_ids: Iterable[str], reason: str) -> None:
        """
        Close every session of these credentials.

        :param reason: what their users read.
        """
        for credential_id in credential_ids:
            for session in tuple(self._by_credential.get(credential_id, {}).values()):
                self._close(session, reason)

    def _shut_out(self, session: Any) -> str:
        """Why a session's address may not be here any more; empty if it may."""
        refused = self.refusal(session.principal.account_id, session.peer_host)
        return "" if refused is None else refused.message

    def _close(self, session: Any, reason: str) -> None:
        id: str = session.id
        self._reasons[id] = reason
        self._log.info("session {id} is closed: {reason}", id=id, reason=reason)
        try:
            session.close(reason)
        except Exception:
            self._log.failure("session {id} could not be closed", id=id)

    def forget(self, credential_id: str, session: Any) -> None:
        """A session is over. Harmless when repeated: see `track`."""
        id: str = session.id
        if self._by_id.get(id) is session:
            del self._by_id[id]
        sessions = self._by_credential.get(credential_id, {})
        if sessions.get(id) is session:
            del sessions[id]
            self._tell(session, True, self._reasons.pop(id, ""))
        if not sessions:
            self._by_credential.pop(credential_id, None)

    def _tell(self, session: Any, ended: bool, reason: str) -> None:
        for listener in self._listeners:
            try:
                listener(session, ended, reason)
            except Exception:
                self._log.failure("a listener to agent sessions failed")


def _is_same_key(id: str, before: Snapshot, now: Snapshot) -> bool:
    """Whether a credential is what it was, but for its last use: among ten thousand few have changed otherwise."""
    one, other = find_credential(before, id), find_credential(now, id)
    if one is None or other is None:
        return False
    return one is other or replace(one, last_used_at=other.last_used_at) == other


def _why_not(before: Principal, now: Principal) -> str:
    """Why what a session was let in for is not its any more; empty if it is."""
    if now.account_id != before.account_id:
        return MOVED
    if before.proof and now.proof != before.proof:
        return REPLACED
    return NARROWED if is_narrower(now.acl, before.acl) else ""
