"""
Tests for `ngrok_twisted.control.api.resources.tunnel_sessions`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from ngrok_twisted.errors import Refused
from ngrok_twisted.records.ids import declared_id
from tests.control.api.harness import ACCOUNT, OTHER, START, APITestCase, principal

KSUID, OTHERS = "2" * 27, "3" * 27
KEY = declared_id("sshcr", "ssh_credentials", "mine")


class Session:
    """An agent session that takes orders."""

    transport = "ssh"
    agent_version = "OpenSSH_9.9"
    os = ""
    metadata = "m"
    peer_host = "192.0.2.1"
    started_at = START

    def __init__(self, ksuid: str, account_id: str, credential_id: str = KEY) -> None:
        self.id = f"ts_{ksuid}"
        self.principal = principal(account_id, credential_id=credential_id)
        self.orders: list[tuple[str, str]] = []
        self.answer: Refused | None = None

    def order(self, command: str, version: str) -> Deferred[None]:
        """IAgentSession."""
        self.orders.append((command, version))
        return succeed(None) if self.answer is None else fail(self.answer)


class TunnelSessionsTests(APITestCase):
    """Sessions are read, and take orders."""

    def setUp(self) -> None:
        super().setUp()
        self.session = Session(KSUID, ACCOUNT)
        self.theirs = Session(OTHERS, OTHER)
        for session in (self.session, self.theirs):
            self.api.sessions.track(session)

    def test_shown(self) -> None:
        """A session says who it is and where it came from."""
        expected = {
            "id": f"ts_{KSUID}",
            "uri": f"https://api.example.com/tunnel_sessions/ts_{KSUID}",
            "agent_version": "OpenSSH_9.9",
            "credential": {"id": KEY, "uri": f"https://api.example.com/ssh_credentials/{KEY}"},
            "ip": "192.0.2.1",
            "metadata": "m",
            "os": "",
            "region": "us",
            "started_at": "2026-01-01T00:00:00Z",
            "transport": "ssh",
        }
        self.assertEqual(self.ok("GET", f"/tunnel_sessions/ts_{KSUID}"), expected)
        self.assertEqual(self.ok("GET", "/tunnel_sessions")["tunnel_sessions"], [expected])

    def test_credentials(self) -> None:
        """The credential is named where its kind is."""
        for prefix, path in (("cr", "/credentials"), ("x", "")):
            id = declared_id(prefix, "", "")
            forget = self.api.sessions.track(Session("4" * 27, ACCOUNT, id))
            uri = self.ok("GET", f"/tunnel_sessions/ts_{'4' * 27}")["credential"]["uri"]
            self.assertEqual(uri, f"https://api.example.com{path}/{id}" if path else "")
            forget()

    def test_filter(self) -> None:
        """Sessions can be filtered."""
        for text, count in (('obj.ip == "192.0.2.1"', 1), ('obj.agent_version.startsWith("Drop")', 0)):
            self.assertEqual(len(self.ok("GET", "/tunnel_sessions", filter=text)["tunnel_sessions"]), count)

    def test_orders(self) -> None:
        """A session is told what to do, whatever stands in the body."""
        for order in ("stop", "restart", "update"):
            self.assertEqual(self.status("POST", f"/tunnel_sessions/ts_{KSUID}/{order}", "ts_1"), 204)
        self.assertEqual(self.session.orders, [("stop", ""), ("restart", ""), ("update", "")])

    def test_version(self) -> None:
        """For an update the body may name a version; what is none does not count."""
        for body in (
            {"version": "3.5.0"},
            {},
            {"version": None},
            {"version": 3},
            {"version": "x" * 300},
            {"other": "1"},
        ):
            self.assertEqual(self.status("POST", f"/tunnel_sessions/ts_{KSUID}/update", body), 204)
        self.assertEqual([version for _, version in self.session.orders], ["3.5.0", "", "", "", "", ""])

    def test_agent(self) -> None:
        """An agent that does not speak SSH says more of itself; its credential is an authtoken."""
        agent = Session("5" * 27, ACCOUNT, declared_id("cr", "credentials", "mine"))
        agent.transport, agent.agent_version, agent.os = "ngrok/3", "ngrok-python/1.7.0", "linux"
        self.api.sessions.track(agent)
        shown = self.ok("GET", f"/tunnel_sessions/{agent.id}")
        self.assertEqual(
            (shown["transport"], shown["agent_version"], shown["os"]), ("ngrok/3", "ngrok-python/1.7.0", "linux")
        )
        self.assertTrue(shown["credential"]["uri"].startswith("https://api.example.com/credentials/cr_"))

    def test_refused(self) -> None:
        """What the agent cannot do is answered with its own code."""
        for code, status in ((1122, 400), (1121, 400), (804, 502), (810, 502)):
            self.session.answer = Refused(code, "No.")
            error = self.refused("POST", f"/tunnel_sessions/ts_{KSUID}/restart")
            self.assertEqual((error.code, error.status), (code, status))

    def test_whose(self) -> None:
        """Sessions of another account do not exist, and cannot be stopped."""
        for verb, path in (("GET", ""), ("POST", "/stop")):
            self.assertEqual(self.refused(verb, f"/tunnel_sessions/ts_{OTHERS}{path}").status, 404)
        self.assertEqual(self.theirs.orders, [])
        self.assertEqual(self.refused("POST", "/tunnel_sessions/x/stop").code, 222)
