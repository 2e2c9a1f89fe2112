"""
Tests for `ngrok_twisted.control.api.openapi`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.openapi import document


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingCreate:
    """
    :ivar name: what it is called.
    :ivar size: how large it is.
    """

    name: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingUpdate:
    """
    :ivar name: what it is called.
    """

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingView:
    """
    :ivar id: the public id.
    :ivar size: how large it is, if that is known.
    """

    id: str
    size: int | None = None


def method(verb: str, path: str, action: str, **more: Any) -> Method:
    """A method that nobody performs."""
    return Method(verb=verb, path=path, action=action, perform=lambda call: None, **more)


METHODS = [
    method("POST", "/things", "create", body=ThingCreate, answer=ThingView, status=201),
    method("GET", "/things", "list", answer=ThingView, list_key="things", query=("before_id", "limit")),
    method("PATCH", "/things/{id}", "update", body=ThingUpdate, answer=ThingView),
    method("DELETE", "/things/{id}", "delete", status=204, deprecated=True),
    method("POST", "/things/{id}/kick", "kick", body=ThingUpdate, status=204, body_ignored=True),
    method("GET", "/open", "get", public=True),
    method("GET", "/things/{id}/door", "look"),
    method("GET", "/things/{id}/window", "look"),
]


class DocumentTests(SynchronousTestCase):
    """`document`."""

    def setUp(self) -> None:
        self.made = document([("things", one) for one in METHODS], "https://api.example.com")
        self.schemas = self.made["components"]["schemas"]

    def operation(self, verb: str, path: str) -> Any:
        """One operation."""
        return self.made["paths"][path][verb]

    def body(self, verb: str, path: str) -> Any:
        """What is said of the body of an operation."""
        return self.operation(verb, path)["requestBody"]

    def test_ids(self) -> None:
        """Each operation has a name of its own."""
        ids = [one["operationId"] for path in self.made["paths"].values() for one in path.values()]
        self.assertEqual(len(set(ids)), len(METHODS))
        self.assertEqual(self.operation("post", "/things")["operationId"], "things_create")
        self.assertEqual(self.operation("get", "/things/{id}/door")["operationId"], "things_door_look")

    def test_body(self) -> None:
        """A body is due where one of its fields is; else null is as good as none."""
        self.assertTrue(self.body("post", "/things")["required"])
        self.assertEqual(
            self.body("post", "/things")["content"]["application/json"]["schema"],
            {"$ref": "#/components/schemas/ThingCreate"},
        )
        self.assertFalse(self.body("patch", "/things/{id}")["required"])
        self.assertIn(
            {"type": "null"}, self.body("patch", "/things/{id}")["content"]["application/json"]["schema"]["anyOf"]
        )
        for verb, path in (("delete", "/things/{id}"), ("post", "/things/{id}/kick")):
            self.assertNotIn("requestBody", self.operation(verb, path))

    def test_fields(self) -> None:
        """What is taken may be null or empty where it is not due; what is answered has every field."""
        create = self.schemas["ThingCreate"]
        self.assertEqual(create["required"], ["name"])
        self.assertEqual(create["properties"]["name"]["minLength"], 1)
        self.assertEqual(create["properties"]["size"]["type"], ["integer", "null"])
        self.assertEqual(self.schemas["ThingView"]["required"], ["id", "size"])

    def test_page(self) -> None:
        """A list is a page."""
        shape = self.operation("get", "/things")["responses"]["200"]["content"]["application/json"]["schema"]
        self.assertEqual(shape["required"], ["things", "uri", "next_page_uri"])

    def test_parameters(self) -> None:
        """Names in the path, the query and the version are there; ids look like ids."""
        named = {one["name"]: one for one in self.operation("patch", "/things/{id}")["parameters"]}
        self.assertEqual(set(named), {"id", "ngrok-version"})
        listed = {one["name"]: one for one in self.operation("get", "/things")["parameters"]}
        self.assertEqual(set(listed), {"before_id", "limit", "ngrok-version"})
        for pattern in (named["id"]["schema"]["pattern"], listed["before_id"]["schema"]["pattern"]):
            self.assertTrue(re.search(pattern, "rd_" + "a" * 27))
            self.assertFalse(re.search(pattern, "rd_a"))

    def test_public(self) -> None:
        """What needs no key says so, and takes no version."""
        self.assertEqual(
            (self.operation("get", "/open")["security"], self.operation("get", "/open")["parameters"]), ([], [])
        )

    def test_refusals(self) -> None:
        """Every status that a call may be refused with is told, with the shape of errors."""
        for path, verbs in self.made["paths"].items():
            for operation in verbs.values():
                for status in ("400", "403", "404", "408", "413", "429", "500", "502", "503"):
                    shape = operation["responses"][status]["content"]["application/json"]["schema"]
                    self.assertEqual(shape, {"$ref": "#/components/schemas/Error"})

    def test_namesakes(self) -> None:
        """Two classes of one name would be one in the document, and are refused."""
        other = type("ThingView", (), {"__doc__": "", "__annotations__": {"name": str}})
        view = dataclass(frozen=True)(other)
        self.assertRaises(ValueError, document, [("a", METHODS[0]), ("b", method("GET", "/b", "get", answer=view))], "")
