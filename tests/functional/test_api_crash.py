"""
A server that is killed while it writes: nothing that was acknowledged is lost, and nothing is half there.
"""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.edge import Edge
from tests.functional.test_api_clients import API_KEY

#: How often the server is killed.
KILLS = 5

#: Seconds of writing before each kill, at most.
WRITING = 1.0


class Writer(threading.Thread):
    """
    Makes policies with two rules each, as fast as the server takes them.

    :ivar acknowledged: the ids that the server has said are there.
    """

    def __init__(self, port: int, acknowledged: list[str]) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.acknowledged = acknowledged

    def run(self) -> None:
        """Until the server is gone."""
        try:
            while True:
                made = request(self.port, "POST", "/ip_policies", {"description": "d", "metadata": "m" * 4000})
                self.acknowledged.append(made["id"])
                rule = {"ip_policy_id": made["id"], "cidr": "192.0.2.0/24", "action": "allow"}
                self.acknowledged.append(request(self.port, "POST", "/ip_policy_rules", rule)["id"])
        except (OSError, ValueError):
            return


def request(port: int, verb: str, path: str, data: object = None) -> dict:  # type: ignore[type-arg]
    """The JSON of one answer of the plain listener."""
    headers = {"authorization": f"Bearer {API_KEY}", "ngrok-version": "2", "content-type": "application/json"}
    body = None if data is None else json.dumps(data).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers, method=verb)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        told: dict[str, object] = json.loads(answer.read())
        return told


class CrashTests(SynchronousTestCase):
    """``kill -9`` in a loop."""

    def test_kill(self) -> None:
        """After each kill the server starts, and has everything that it has acknowledged."""
        edge = Edge({"api_keys": [{"name": "tests", "token": API_KEY}]})
        self.addCleanup(edge.remove)
        acknowledged: list[str] = []
        for _ in range(KILLS):
            edge.start()
            writer = Writer(edge.api, acknowledged)
            writer.start()
            time.sleep(random.uniform(0.2, WRITING))
            edge.kill()
            writer.join(30)
        edge.start()
        self.assertGreater(len(acknowledged), KILLS)
        for id in acknowledged:
            path = f"/ip_policy_rules/{id}" if id.startswith("ipr_") else f"/ip_policies/{id}"
            self.assertEqual(request(edge.api, "GET", path)["id"], id)
        self.assertEqual(edge.new_alarms(), "")
        self.assertEqual(edge.stop(), 0)
