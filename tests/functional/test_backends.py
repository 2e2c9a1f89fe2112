"""
Backends that choose: weighted ones, and groups of tunnels of which one is out of order.
"""

from __future__ import annotations

import time
from collections import Counter

from tests.functional.case import EdgeTestCase
from tests.functional.clients import Answer, full_name, keep_open
from tests.functional.ports import free_port

MIX, GROUP = full_name("mix"), full_name("group")


class BackendsTests(EdgeTestCase):
    """An edge with a weighted backend of two answers, and one with a tunnel group."""

    config = {
        "backends": {
            "tunnel_group": [{"name": "workers", "labels": {"app": "workers"}}],
            "http_response": [
                {"name": "old", "headers": {"content-type": "text/html"}, "body": "<p>old ${req.url.path}"},
                {"name": "new", "status_code": 307, "headers": {"location": "https://new.example${req.url.raw_path}"}},
            ],
            "weighted": [{"name": "mix", "backends": {"old": 90, "new": 10}}],
        },
        "edges": {
            "https": [
                {
                    "name": name,
                    "hostports": [f"{host}:443"],
                    "routes": [{"match_type": "path_prefix", "match": "/", "backend": {"backend_id": backend}}],
                }
                for name, host, backend in (("mix", MIX, "mix"), ("group", GROUP, "workers"))
            ]
        },
    }

    def ask(self, host: str, path: str, count: int) -> list[Answer]:
        """The answers to so many requests on one connection."""
        connection = keep_open(self.edge, host)
        self.addCleanup(connection.close)
        answers = []
        for _ in range(count):
            connection.request("GET", path)
            answers.append(Answer(connection.getresponse()))
        return answers

    def test_weighted(self) -> None:
        """Over any whole number of rounds the shares are exact."""
        for _ in range(3):
            self.assertEqual(Counter(answer.status for answer in self.ask(MIX, "/", 100)), {200: 90, 307: 10})

    def test_templates(self) -> None:
        """Answers may speak of the request, and do not let it speak for them."""
        answers = {answer.status: answer for answer in self.ask(MIX, "/a%3Cscript%3E", 20)}
        self.assertEqual(answers[200].body, b"<p>old /a&lt;script&gt;")
        self.assertEqual(answers[307].headers["location"], "https://new.example/a%3Cscript%3E")

    def test_out_of_order(self) -> None:
        """A tunnel whose service is gone is noticed by no visitor, and is not even dialled for a while."""
        agents = []
        for port in (self.web("good").port, free_port()):
            agent = self.ssh(f"0:127.0.0.1:{port}", command="tunnel --label app=workers")
            self.eventually(lambda: "app=workers" in agent.out, "labelled tunnel")
            agents.append(agent)
        started = time.monotonic()
        answers = self.ask(GROUP, "/", 40)
        self.assertEqual({(answer.status, answer.headers.get("x-service")) for answer in answers}, {(200, "good")})
        dialled = agents[1].err.count("connect_to ")  # OpenSSH says so each time
        self.assertTrue(1 <= dialled <= 1 + (time.monotonic() - started) // 10, agents[1].said())
