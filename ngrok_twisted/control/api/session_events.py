"""
`SessionEvents`: agent sessions that begin and end, as audit events.
"""

from __future__ import annotations

from typing import Any, Callable

from ngrok_twisted.control.api.audit import event_principal
from ngrok_twisted.control.api.live import credential_path
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.event_types import SESSION_START, SESSION_STOP
from ngrok_twisted.records.base import Snapshot


class SessionEvents:
    """
    A listener of `ngrok_twisted.iam.sessions.Sessions`.
    """

    def __init__(
        self, publisher: Any, records: Callable[[], Snapshot], clock: Any, base_url: str, region: str, hostname: str
    ) -> None:
        """
        :param publisher: the `ngrok_twisted.observability.publisher.Publisher`.
        :param records: gives the records in force.
        :param clock: an ``IReactorTime`` whose seconds are those since the epoch.
        :param base_url: what URLs of the API start with.
        :param region: the one that this server is.
        :param hostname: the name that agents connect to.
        """
        self._publisher = publisher
        self._records = records
        self._clock = clock
        self._base_url = base_url
        self._region = region
        self._hostname = hostname

    def __call__(self, session: Any, ended: bool, reason: str) -> None:
        """
        :param session: an `ngrok_twisted.interfaces.IAgentSession`.
        :param ended: whether it ended; else it began.
        :param reason: why this server ended it; else empty.
        """
        type = SESSION_STOP if ended else SESSION_START
        account_id: str = session.principal.account_id
        if not self._publisher.wants(account_id, type):
            return
        id = session.principal.credential_id
        credential = {"id": id, "uri": self._uri(credential_path(id), id)}
        who = event_principal(self._records(), session.principal, "Agent", credential["uri"])
        self._publisher.publish(type, account_id, self._object(session, credential, ended, reason), who)

    def _object(self, session: Any, credential: dict[str, str], ended: bool, reason: str) -> dict[str, Any]:
        """Section 7.3 of the specification of events; what is not known is null."""
        return {
            "session": {"id": session.id, "uri": self._uri("/tunnel_sessions", session.id)},
            "credential": credential,
            "agent_ip": session.peer_host,
            "ingress_server_ip": None,
            "region": self._region,
            "ingress_hostname": self._hostname,
            "user_agent": session.agent_version,
            "metadata": session.metadata,
            "os": session.os,
            "arch": "",
            "transport": session.transport,
            "started_at": timestamp(session.started_at),
            "expires_at": None,
            "stopped_at": timestamp(self._clock.seconds()) if ended else None,
            "deprecated": None,
            "error": reason,
        }

    def _uri(self, path: str, id: str) -> str:
        return f"{self._base_url}{path}/{id}" if path else ""
