"""Tests of `benchmarks.agents`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.agents import AUTHTOKEN, Agent, GoSDK, PythonSDK, Server, online

SERVER = Server(port=4443, ca=Path("/x/ca.pem"))


def planned(agent: Agent, kind: str) -> dict[str, Any]:
    """What an agent is told to do."""
    plan: dict[str, Any] = json.loads(agent.line(SERVER, kind, 3000)[-1])
    return plan


class LineTests(SynchronousTestCase):
    """Tests of `Agent.line`."""

    def test_server(self) -> None:
        """Every agent is told where the server is, whom to trust and who it is."""
        for agent in (PythonSDK(), GoSDK()):
            plan = planned(agent, "tcp")
            del plan["endpoints"]
            expected = {"server_addr": "localhost:4443", "root_cas": "/x/ca.pem", "authtoken": AUTHTOKEN}
            self.assertEqual(plan, expected)

    def test_endpoints(self) -> None:
        """Each has the endpoint in its own words."""
        to = "http://127.0.0.1:3000"
        for scheme in ("https", "http"):
            expected = {"kind": "http", "to": to, "options": [["scheme", scheme]]}
            self.assertEqual(planned(PythonSDK(), scheme)["endpoints"], [expected])
            self.assertEqual(planned(GoSDK(), scheme)["endpoints"], [{"url": f"{scheme}://", "to": to}])
        self.assertEqual(planned(GoSDK(), "tcp")["endpoints"], [{"url": "tcp://", "to": "tcp://127.0.0.1:3000"}])

    def test_missing(self) -> None:
        """One that is not installed is named with the way to get it."""

        class Absent(PythonSDK):
            program = Path("/nowhere/python")

        self.assertIn("scripts/install-agents", Absent().missing())

    def test_programs(self) -> None:
        """What is run on their interpreters is there."""
        self.assertTrue(Path(PythonSDK().line(SERVER, "tcp", 3000)[1]).exists())


class OnlineTests(SynchronousTestCase):
    """Tests of `online`."""

    def test_url(self) -> None:
        """The URL is taken out of what the agent tells."""
        said = 'a log line\n{"event": "connected"}\n{"event": "online", "number": 0, "url": "tcp://localhost:20000"}\n'
        self.assertEqual(online(said), "tcp://localhost:20000")

    def test_not_yet(self) -> None:
        """Without that event, or with half of it, there is none."""
        self.assertIsNone(online('{"event": "connected"}\n{"event": "onl'))
