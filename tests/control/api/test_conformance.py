"""
The API against the facts of ngrok's own: every resource and method is there, and takes and gives the fields that the
official clients know.
"""

from __future__ import annotations

import re
from typing import Any, Iterator

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.routes import Routes, all_methods
from ngrok_twisted.describe import describe
from ngrok_twisted.interfaces import IModuleKind
from tests.control.api.ngrok import TYPES, methods

#: Body fields that no client sends and that mean nothing on a server of one's own.
UNUSED = frozenset({"endpoint_configuration_id", "http_endpoint_configuration_id", "https_endpoint_configuration_id"})

#: Modules of routes and edges that this version does not have. They are read as not set, and refused when they are put.
UNBUILT = frozenset(
    {
        "oauth",
        "oidc",
        "saml",
    }
)

_SCALARS = {"string": "string", "boolean": "boolean", "integer": "integer", "number": "number"}


class ConformanceTests(SynchronousTestCase):
    """One test walks over every method; it tells all that differs."""

    def setUp(self) -> None:
        self.routes = Routes(all_methods())

    def found(self, method: dict[str, Any]) -> Method | None:
        """Our method for one of ngrok's."""
        found = self.routes.find(method["verb"], re.sub(r"\{\w+\}", "x_1", method["path"]))
        return None if found is None else found[0]

    def test_methods(self) -> None:
        """Every method is routed, with ngrok's action, status and query."""
        wrong = []
        for resource, method in methods():
            ours = self.found(method)
            what = f"{method['verb']} {method['path']}"
            if ours is None:
                wrong.append(f"{what} is missing")
                continue
            theirs = method["action"], method["status"], set(method.get("query", ()))
            if (ours.action, ours.status, set(ours.query)) != theirs:
                wrong.append(f"{what}: {(ours.action, ours.status, ours.query)} is not {theirs}")
            if ours.path != method["path"]:
                wrong.append(f"{what}: the template is {ours.path}")
        self.assertEqual(wrong, [])

    def test_bodies(self) -> None:
        """Every field that a client may send is understood, with its type, and required where ngrok requires it."""
        wrong: list[str] = []
        for resource, method in methods():
            ours = self.found(method)
            if ours is None or not method["request_fields"] or ours.body_ignored or _is_unbuilt(method):
                continue
            shape = describe(ours.body) if ours.body else {"properties": {}}
            theirs = [field for field in method["request_fields"] if field["name"] not in UNUSED]
            wrong += _differences(f"{method['verb']} {method['path']}", shape, theirs)
        self.assertEqual(wrong, [])

    def test_unbuilt(self) -> None:
        """What counts as not built is not built."""
        found = kinds.discover("ngrok_twisted.modules", IModuleKind)
        self.assertEqual(UNBUILT & found.keys(), set())

    def test_answers(self) -> None:
        """Every field that a client reads is there, with its type."""
        wrong: list[str] = []
        for resource, method in methods():
            ours = self.found(method)
            if ours is None or "answer" not in method or _is_unbuilt(method):
                continue
            name, fields = method["answer"], TYPES[method["answer"]]
            if ours.list_key:
                keys = [field["name"] for field in fields]
                if ours.list_key not in keys:
                    wrong.append(
                        f"{method['verb']} {method['path']}: the list key is {ours.list_key}, not one of {keys}"
                    )
                    continue
                items = next(field for field in fields if field["name"] == ours.list_key)
                name = items["type"].removeprefix("array<").removesuffix(">")
            shape = describe(ours.answer) if ours.answer else {"properties": {}}
            wrong += _differences(f"{method['verb']} {method['path']} gives", shape, TYPES[name])
        self.assertEqual(sorted(set(wrong)), [])


def _is_unbuilt(method: dict[str, Any]) -> bool:
    return method["path"].rpartition("/")[2] in UNBUILT


def _differences(what: str, shape: dict[str, Any], fields: list[dict[str, Any]]) -> Iterator[str]:
    known = shape.get("properties", {})
    for field in fields:
        inner = f"{what}: {field['name']}"
        if field["name"] in UNBUILT:
            continue
        if field["name"] not in known:
            yield f"{inner} is missing"
        else:
            yield from _type_differences(inner, known[field["name"]], field["type"])


def _type_differences(what: str, ours: dict[str, Any], theirs: str) -> Iterator[str]:
    ours = next((option for option in ours.get("anyOf", ()) if option.get("type") == "array"), ours)
    if theirs in _SCALARS:
        is_text = theirs == "string" and "enum" in ours
        if not is_text and ours.get("type") != _SCALARS[theirs] and not (theirs == "number" and "integer" in str(ours)):
            yield f"{what} is {ours.get('type', ours)}, not {theirs}"
    elif theirs.startswith("array<"):
        if ours.get("type") != "array":
            yield f"{what} is {ours.get('type', ours)}, not a list"
        else:
            yield from _type_differences(f"{what}[]", ours["items"], theirs[6:-1])
    elif theirs.startswith("map<"):
        if ours.get("type") != "object" or "additionalProperties" not in ours:
            yield f"{what} is {ours.get('type', ours)}, not a map"
    elif ours.get("type") != "object":
        yield f"{what} is {ours.get('type', ours)}, not {theirs}"
    else:
        yield from _differences(what, ours, TYPES[theirs])
