"""
Tests for `ngrok_twisted.control.api.resources.tunnels`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put
from tests.control.api.harness import ACCOUNT, OTHER, START, APITestCase, principal

KSUID, OTHERS = "2" * 27, "3" * 27


class Tunnel:
    """What is asked of a tunnel here."""

    session_id = f"ts_{KSUID}"
    started_at = START
    metadata = "m"
    forwards_to = ""

    def __init__(self, ksuid: str, account_id: str, url: str = "", **labels: str) -> None:
        self.id = f"tn_{ksuid}"
        self.endpoint_id = f"ep_{ksuid}" if url else None
        self.account_id = account_id
        self.url = url
        self.labels = labels


class TunnelsTests(APITestCase):
    """Tunnels are read."""

    def online(self, *more: Any, **labels: str) -> Tunnel:
        """A tunnel."""
        tunnel = Tunnel(*more, **labels)
        self.api.tunnels.online(tunnel)
        return tunnel

    def test_endpoint(self) -> None:
        """A tunnel names its session and its endpoint, whose id is its own but for the prefix."""
        self.online(KSUID, ACCOUNT, "https://app.example.com")
        expected = {
            "id": f"tn_{KSUID}",
            "public_url": "https://app.example.com",
            "started_at": "2026-01-01T00:00:00Z",
            "metadata": "m",
            "proto": "https",
            "region": "us",
            "tunnel_session": {"id": f"ts_{KSUID}", "uri": f"https://api.example.com/tunnel_sessions/ts_{KSUID}"},
            "endpoint": {"id": f"ep_{KSUID}", "uri": f"https://api.example.com/endpoints/ep_{KSUID}"},
            "labels": None,
            "backends": [],
            "forwards_to": "",
        }
        self.assertEqual(self.ok("GET", f"/tunnels/tn_{KSUID}"), expected)
        self.assertEqual(self.ok("GET", "/tunnels")["tunnels"], [expected])

    def test_labels(self) -> None:
        """A labelled tunnel has labels and the account's groups that want them in place of a URL."""
        groups = [
            Backend(
                id=f"bkdtg_{number}", account_id=account, kind="tunnel_group", config=TunnelGroupConfig(labels=labels)
            )
            for number, account, labels in (
                (1, ACCOUNT, {"app": "web"}),
                (2, ACCOUNT, {"app": "api"}),
                (3, OTHER, {"app": "web"}),
            )
        ]
        change = self.api.control.change(lambda _: [Put(group) for group in groups])
        self.successResultOf(Deferred.fromCoroutine(change))
        self.online(KSUID, ACCOUNT, app="web", at="home")
        shown = self.ok("GET", f"/tunnels/tn_{KSUID}")
        self.assertEqual((shown["public_url"], shown["proto"], shown["endpoint"]), ("", "", None))
        self.assertEqual(shown["labels"], {"app": "web", "at": "home"})
        self.assertEqual([backend["id"] for backend in shown["backends"]], ["bkdtg_1"])

    def test_whose(self) -> None:
        """Tunnels of another account do not exist."""
        self.online(KSUID, ACCOUNT, "https://app.example.com")
        self.online(OTHERS, OTHER, "https://their.example.com")
        self.assertEqual([one["id"] for one in self.ok("GET", "/tunnels")["tunnels"]], [f"tn_{KSUID}"])
        error = self.refused("GET", f"/tunnels/tn_{OTHERS}")
        self.assertEqual((error.status, error.code), (404, 333))
        self.assertEqual(self.refused("GET", "/tunnels/x").code, 222)
        self.api.caller = principal(OTHER)
        self.ok("GET", f"/tunnels/tn_{OTHERS}")

    def test_pages(self) -> None:
        """The newest is first, a page at a time."""
        ids = [self.online(f"{number}" * 27, ACCOUNT, f"https://{number}.example.com").id for number in range(1, 4)]
        first = self.ok("GET", "/tunnels", limit=2)
        self.assertEqual([one["id"] for one in first["tunnels"]], ids[:0:-1])
        self.assertEqual(first["next_page_uri"], f"https://api.example.com/tunnels?before_id={ids[1]}&limit=2")
