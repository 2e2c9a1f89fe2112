"""
`APICaller`: calls the API of a running edge over one connection; `fill` makes one of everything.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier
from typing import Any, Callable, Mapping

from tests.control.api.ngrok import RESOURCES
from tests.functional.api_plan import filled, steps
from tests.functional.edge import DOMAIN, Edge

#: Seconds for one answer.
PATIENCE = 30

Answer = tuple[int, Any]


class APICaller:
    """
    One caller with a key, on the plain listener.
    """

    def __init__(self, edge: Edge, key: str) -> None:
        self._edge = edge
        self._key = key
        self._connection = HTTPConnection("127.0.0.1", edge.api, timeout=PATIENCE)

    def __call__(self, verb: str, path: str, body: Any = None, **headers: str) -> Answer:
        """
        :param path: with the query; or the URL of something.
        :param body: bytes as they are, anything else as JSON.
        :return: the status and the JSON of the answer.
        """
        fields = {"authorization": f"Bearer {self._key}", "ngrok-version": "2"}
        if body is not None:
            fields["content-type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        target = path.partition(f":{self._edge.api}")[2] or path
        self._connection.request(verb, target, body, {**fields, **headers})
        answer = self._connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def at_once(edge: Edge, key: str, count: int, call: Callable[[APICaller, int], Answer]) -> list[Answer]:
    """The answers to as many calls, each from a caller of its own, all at the same moment."""
    ready = Barrier(count)

    def one(number: int) -> Answer:
        caller = APICaller(edge, key)
        ready.wait(PATIENCE)
        try:
            return call(caller, number)
        finally:
            caller.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def create_path(resource: str, parent: Mapping[str, str], ids: Mapping[str, str]) -> str:
    """Where something is made."""
    path = str(next(one["path"] for one in RESOURCES[resource]["methods"] if one["action"] == "create"))
    for name, value in parent.items():
        path = path.replace("{" + name + "}", str(filled(value, ids)))
    return path


#: What only the operator's own accounts may have: a static backend.
OPERATORS_ONLY = "ERR_NGROK_7102"


def fill(caller: APICaller, tag: str) -> dict[str, str]:
    """
    Make one of everything.

    :param tag: makes names that nobody else uses.
    :return: its id by the name of its resource.
    """
    ids: dict[str, str] = {}
    for step in steps(tag, DOMAIN):
        status, made = caller("POST", create_path(step.resource, step.parent, ids), filled(step.create, ids))
        if made.get("error_code") == OPERATORS_ONLY:
            continue
        assert status == 201, f"{step.resource}: {status} {made}"
        ids[step.resource] = made.get("id") or made["type"]
    return ids
