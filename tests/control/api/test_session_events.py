"""
Tests for `ngrok_twisted.control.api.session_events`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.session_events import SessionEvents
from ngrok_twisted.records.base import Snapshot
from tests.control.api.harness import START, principal
from tests.control.api.test_audit import Publisher

BASE = "https://api.example.com"


class Session:
    """An agent session as far as it is shown."""

    id, peer_host, transport, agent_version, os, metadata, started_at = "ts_1", "192.0.2.1", "ssh", "X", "", "m", START
    principal = principal(credential_id="sshcr_1")


class SessionEventTests(SynchronousTestCase):
    """Beginnings and ends."""

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(START + 60)
        self.publisher = Publisher()
        self.tell = SessionEvents(self.publisher, Snapshot, clock, BASE, "us", "connect.example.com")

    def test_start(self) -> None:
        """A session that begins is told with all that is known of it."""
        self.tell(Session(), False, "")
        ((type, account_id, told, who),) = self.publisher.published
        self.assertEqual((type, account_id), ("agent_session_start.v0", Session.principal.account_id))
        credential = {"id": "sshcr_1", "uri": f"{BASE}/ssh_credentials/sshcr_1"}
        self.assertEqual(
            told,
            {
                "session": {"id": "ts_1", "uri": f"{BASE}/tunnel_sessions/ts_1"},
                "credential": credential,
                "agent_ip": "192.0.2.1",
                "ingress_server_ip": None,
                "region": "us",
                "ingress_hostname": "connect.example.com",
                "user_agent": "X",
                "metadata": "m",
                "os": "",
                "arch": "",
                "transport": "ssh",
                "started_at": "2026-01-01T00:00:00Z",
                "expires_at": None,
                "stopped_at": None,
                "deprecated": None,
                "error": "",
            },
        )
        self.assertEqual((who["source"], who["credential"]), ("Agent", credential))

    def test_stop(self) -> None:
        """The end has its time and its reason."""
        self.tell(Session(), True, "The credential was deleted.")
        ((type, _, told, _),) = self.publisher.published
        self.assertEqual(type, "agent_session_stop.v0")
        self.assertEqual((told["stopped_at"], told["error"]), ("2026-01-01T00:01:00Z", "The credential was deleted."))

    def test_unwanted(self) -> None:
        """Where nobody subscribed there is nothing to tell."""
        self.publisher.unwanted = frozenset({"agent_session_start.v0"})
        self.tell(Session(), False, "")
        self.assertEqual(self.publisher.published, [])
