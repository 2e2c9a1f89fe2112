"""
Edges from ``config.yaml``: routes, backends, and the labelled tunnels behind them.
"""

from __future__ import annotations

from tests.functional.case import EdgeTestCase
from tests.functional.clients import fetch, full_name
from tests.functional.service import Service

SHOP = full_name("shop")


class EdgesTests(EdgeTestCase):
    """An https edge with two routes, and a failover from tunnels to a fixed answer."""

    config = {
        "backends": {
            "tunnel_group": [{"name": "web", "labels": {"app": "web"}}],
            "http_response": [
                {"name": "sorry", "status_code": 503, "headers": {"content-type": "text/plain"}, "body": "back soon\n"}
            ],
            "failover": [{"name": "main", "backends": ["web", "sorry"]}],
        },
        "edges": {
            "https": [
                {
                    "name": "shop",
                    "hostports": [f"{SHOP}:443"],
                    "routes": [
                        {"match_type": "exact_path", "match": "/health", "backend": {"backend_id": "sorry"}},
                        {"match_type": "path_prefix", "match": "/", "backend": {"backend_id": "main"}},
                    ],
                }
            ]
        },
    }

    def label(self, service: Service, *words: str) -> None:
        """Bring a labelled tunnel online, and wait for it."""
        agent = self.ssh(f"0:127.0.0.1:{service.port}", command="tunnel --label app=web" + "".join(words))
        self.eventually(lambda: "app=web" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())

    def test_nobody(self) -> None:
        """Without a tunnel the last member of the failover answers."""
        answer = self.get(f"https://{SHOP}/")
        self.assertEqual((answer.status, answer.body), (503, b"back soon\n"))

    def test_labelled(self) -> None:
        """A labelled tunnel takes the traffic; two share it."""
        self.label(self.web("one"))
        self.assertEqual(self.get(f"https://{SHOP}/").headers.get("x-service"), "one")
        self.label(self.web("two"))
        self.eventually(
            lambda: {self.get(f"https://{SHOP}/").headers.get("x-service") for _ in range(20)} == {"one", "two"},
            "traffic at both tunnels",
        )

    def test_exact_path(self) -> None:
        """The exact path has its own backend, tunnel or not."""
        self.label(self.web("one"))
        self.assertEqual(self.get(f"https://{SHOP}/health").body, b"back soon\n")
        self.assertEqual(self.get(f"https://{SHOP}/health/more").headers.get("x-service"), "one")

    def test_name_is_taken(self) -> None:
        """An agent cannot bind the name of an edge."""
        agent = self.ssh(f"{SHOP}:443:localhost:1", command="http")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_", agent.out + agent.err)
        self.assertIn(fetch(self.edge, f"https://{SHOP}/").status, (200, 503))
