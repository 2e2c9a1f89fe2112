"""
Tests for `ngrok_twisted.control.api.resources.openapi`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import succeed

from ngrok_twisted.control.api.routes import all_methods
from tests.control.api.harness import BASE_URL, APIHarness, APITestCase


class OpenAPITests(APITestCase):
    """``/openapi.json``."""

    def setUp(self) -> None:
        self.asked: list[Any] = []
        self.api = APIHarness(more={"in_thread": self.in_thread})

    def in_thread(self, work: Any) -> Any:
        self.asked.append(work)
        return succeed(work())

    def document(self) -> Any:
        """The document that the API serves."""
        answer = self.successResultOf(self.api.send("GET", "/openapi.json"))
        return json.loads(answer[1])

    def test_everything(self) -> None:
        """Every method is in it, and where the API is."""
        document = self.document()
        self.assertEqual(document["servers"], [{"url": BASE_URL}])
        found = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}
        self.assertEqual(found, {(method.verb, method.path) for method in all_methods()})

    def test_ids(self) -> None:
        """No two operations have the same name."""
        ids = [one["operationId"] for verbs in self.document()["paths"].values() for one in verbs.values()]
        self.assertEqual(len(set(ids)), len(ids))

    def test_elsewhere(self) -> None:
        """Half a megabyte is not written while everybody waits."""
        self.document()
        self.assertEqual(len(self.asked), 1)
