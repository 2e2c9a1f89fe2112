"""
Tests for `ngrok_twisted.control.api.bodies`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Mapping

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.bodies import accepted, read_create, read_replace, read_update
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS
from ngrok_twisted.marks import REST, ByName


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """
    :ivar size: a number.
    """

    size: int = 0


_MODULES = ByName(lambda: {"known": Inner}, word="module", planned=frozenset({"planned"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """
    :ivar name: a text that is due.
    :ivar text: a text.
    :ivar number: a number.
    :ivar texts: a list.
    :ivar words: a mapping.
    :ivar inner: an object.
    :ivar kind: one of two.
    """

    name: str
    text: str = "default"
    number: int = 7
    texts: tuple[str, ...] = ("default",)
    words: Mapping[str, str] = field(default_factory=lambda: {"default": "d"})
    inner: Inner | None = None
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """
    :ivar text: a text.
    :ivar modules: each has a key of its own.
    """

    text: str = "default"
    modules: Annotated[Mapping[str, Any], _MODULES, REST] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """
    :ivar text: a text.
    :ivar kept: stays when it is empty.
    """

    text: str | None = None
    kept: Annotated[str | None, EMPTY_KEEPS] = None


class ReadCase(SynchronousTestCase):
    """Reads bodies."""

    def refused(self, read: Any, cls: type, data: Any) -> dict[str, int]:
        """The codes by field of a body that is refused."""
        error = self.assertRaises(APIError, read, cls, data, (), {})
        return {path: int(text.rpartition("_")[2].rstrip(")")) for path, text in error.details.items()}


class CreateTests(ReadCase):
    """`read_create`."""

    def test_empty(self) -> None:
        """What is absent, null or empty is not there."""
        wanted = Body(name="n")
        empties = {"text": "", "number": 0, "texts": [], "words": {}, "inner": {}, "kind": ""}
        for data in ({}, empties, dict.fromkeys(empties)):
            self.assertEqual(read_create(Body, {"name": "n", **data}, (), {}), wanted)

    def test_empty_of_another_kind(self) -> None:
        """What is empty and of another type is refused."""
        wrong = {"text": {}, "number": "", "texts": {}, "words": [], "inner": "", "kind": 0}
        self.assertEqual(self.refused(read_create, Body, {"name": "n", **wrong}), dict.fromkeys(wrong, 215))

    def test_required(self) -> None:
        """What is due is neither absent nor empty."""
        for data in ({}, {"name": ""}, {"name": None}):
            self.assertEqual(self.refused(read_create, Body, data), {"name": 215})

    def test_unknown(self) -> None:
        """An unknown field is refused, though it says nothing."""
        for value in (None, "", [], 1):
            self.assertEqual(self.refused(read_create, Body, {"name": "n", "bogus": value}), {"bogus": 214})
            self.assertEqual(self.refused(read_create, Holder, {"bogus": value}), {"bogus": 214})

    def test_modules(self) -> None:
        """A module is there though it says nothing, unless it is null; one that is not built may only be null."""
        self.assertEqual(read_create(Holder, {"known": {}}, (), {}).modules, {"known": Inner()})
        self.assertEqual(read_create(Holder, {"known": None, "planned": None}, (), {}), Holder())
        self.assertEqual(self.refused(read_create, Holder, {"planned": {}}), {"planned": 215})

    def test_no_object(self) -> None:
        """A body is an object; null is as good as none."""
        self.assertEqual(read_create(Holder, None, (), {}), Holder())
        for data in ([], "", 0, False, [{}]):
            self.assertRaises(APIError, read_create, Holder, data, (), {})

    def test_repeated_parameter(self) -> None:
        """Names in the path may be repeated in the body."""
        self.assertEqual(read_create(Holder, {"id": "x"}, ("id",), {}), Holder())


class UpdateTests(ReadCase):
    """`read_update`."""

    def test_absent(self) -> None:
        """Absent and null leave a field; empty clears it, or leaves it where some client always sends one."""
        self.assertEqual(read_update(Update, {"text": None, "kept": None}, (), {}), Update())
        self.assertEqual(read_update(Update, {"text": "", "kept": ""}, (), {}), Update(text=""))

    def test_empty_of_another_kind(self) -> None:
        """What is empty and of another type is refused."""
        self.assertEqual(
            self.refused(read_update, Update, {"text": [], "kept": []}), dict.fromkeys(("text", "kept"), 215)
        )

    def test_modules(self) -> None:
        """A module that is not built may be null, which leaves it out."""
        self.assertEqual(read_update(Holder, {"known": None, "planned": None}, (), {}), Holder())


class ReplaceTests(ReadCase):
    """`read_replace`."""

    def test_wrapped(self) -> None:
        """The module may be wrapped."""
        for data in ({"size": 3}, {"id": "x", "module": {"size": 3}}):
            self.assertEqual(read_replace(Inner, data, ("id",), {}), Inner(size=3))


class AcceptedTests(SynchronousTestCase):
    """`accepted`."""

    def test_nulls(self) -> None:
        """Null is as good as nothing, where something is not due."""
        shape = accepted(Body, "POST")["properties"]
        self.assertEqual(shape["text"]["type"], ["string", "null"])
        self.assertEqual(shape["name"]["type"], "string")
        self.assertEqual(shape["kind"]["enum"], ["a", "b", "", None])

    def test_required(self) -> None:
        """A text that is due is not empty."""
        self.assertEqual(accepted(Body, "POST")["properties"]["name"]["minLength"], 1)

    def test_modules(self) -> None:
        """A module may be null."""
        self.assertEqual(accepted(Holder, "PATCH")["properties"]["planned"]["type"], "null")
        self.assertIn({"type": "null"}, accepted(Holder, "PATCH")["properties"]["known"]["anyOf"])
