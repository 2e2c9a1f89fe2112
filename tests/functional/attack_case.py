"""
`AttackCase`: two accounts on one server, and what tests that attack the API have in common.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.functional.api_caller import APICaller, Answer, fill
from tests.functional.case import EdgeTestCase

KEYS = {name: f"an-operator-made-this-key-for-{name}" for name in ("ours", "theirs")}


class AttackCase(EdgeTestCase):
    """Two accounts on one server, each with a key."""

    config = {
        "accounts": [{"name": "theirs"}],
        "api_keys": [
            {"name": "ours", "token": KEYS["ours"]},
            {"name": "theirs", "token": KEYS["theirs"], "account": "theirs"},
        ],
        "vaults": [{"name": "declared"}],
        "limits": {"api_requests_per_minute": 0, "api_failures_per_minute": 0},
    }
    seconds = 180

    def setUp(self) -> None:
        super().setUp()
        self.ours, self.theirs = (self.caller(KEYS[name]) for name in ("ours", "theirs"))
        self.tag = "t" + secrets.token_hex(4)

    def caller(self, key: str) -> APICaller:
        """Somebody with a key."""
        made = APICaller(self.edge, key)
        self.addCleanup(made.close)
        return made

    def filled(self, caller: APICaller, tag: str) -> dict[str, str]:
        """One of everything. What there are few of is gone after the test."""
        ids = fill(caller, tag)
        for resource in ("ip_restrictions", "reserved_addrs"):
            self.addCleanup(caller, "DELETE", f"/{resource}/{ids[resource]}")
        return ids

    def made(self, path: str, body: Any, caller: APICaller | None = None) -> Any:
        """What was made of a body."""
        status, data = (caller or self.ours)("POST", path, body)
        self.assertEqual(status, 201, data)
        return data

    def refused(self, answer: Answer) -> Any:
        """The error of an answer, which has the one shape."""
        status, error = answer
        self.assertTrue(400 <= status < 500, answer)
        self.assertEqual(error["status_code"], status)
        self.assertTrue(error["msg"])
        self.assertEqual({type(value) for value in error["details"].values()}, {str})
        return error

    def everything(self, caller: APICaller) -> str:
        """All that the lists show to a caller, as text."""
        pages = []
        for path, verbs in caller("GET", "/openapi.json")[1]["paths"].items():
            target = path if "get" in verbs and "{" not in path and path != "/openapi.json" else None
            while target:
                status, data = caller("GET", target)
                self.assertEqual(status, 200, data)
                pages.append(json.dumps(data))
                target = data.get("next_page_uri")
        return "\n".join(pages)
