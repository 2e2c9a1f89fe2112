"""
`Management`: the management API of a running edge, called plainly, for tests of what a change does to visitors.
"""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.functional.clients import ANSWER
from tests.functional.edge import Edge

API_KEY = "an-operator-made-this-key-for-changes"

#: Keys of ``config.yaml`` that let `Management` in, as often as it likes.
MANAGED: dict[str, Any] = {
    "api_keys": [{"name": "tests", "token": API_KEY}],
    "limits": {"api_requests_per_minute": 0},
}


class Refusal(Exception):
    """
    What the API says of a call that it does not perform.

    :ivar status: the HTTP status.
    :ivar code: ngrok's code, such as ``ERR_NGROK_7122``; empty where there is none.
    """

    def __init__(self, call: str, status: int, told: Any) -> None:
        self.status = status
        self.code = str(told.get("error_code", ""))
        super().__init__(f"{call}: {status} {told}")


class Management:
    """One connection to the plain listener, which is kept alive."""

    def __init__(self, edge: Edge, key: str = API_KEY) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", edge.api, timeout=ANSWER)
        self._headers = {
            "authorization": f"Bearer {key}",
            "ngrok-version": "2",
            "content-type": "application/json",
        }

    def __call__(self, verb: str, path: str, body: Any = None) -> Any:
        """
        :return: the JSON of the answer; ``None`` where there is none.
        :raises Refusal: it was not performed.
        """
        text = None if body is None else json.dumps(body).encode()
        self._connection.request(verb, path, text, self._headers)
        answer = self._connection.getresponse()
        told = json.loads(answer.read() or b"null")
        if answer.status >= 300:
            raise Refusal(f"{verb} {path}", answer.status, told)
        return told

    def make(self, path: str, **body: Any) -> str:
        """POST; the id of what was made."""
        return str(self("POST", path, body)["id"])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
