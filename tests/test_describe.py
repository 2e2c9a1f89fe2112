"""
Tests of `ngrok_twisted.describe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Mapping

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.describe import describe, field_docs
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, REST


@dataclass(frozen=True, kw_only=True)
class Base:
    """
    :ivar name: what it
        is called.
    """

    name: str


@dataclass(frozen=True, kw_only=True)
class Thing(Base):
    """
    :ivar level: how loud.

    Something else.
    """

    level: Literal["low", "high"] = "low"
    token: Annotated[str, EXTERNAL] = ""
    names: Annotated[tuple[str, ...], ONE_OR_MANY] = ()
    labels: Mapping[str, int] | None = None
    id: Annotated[str, READ_ONLY] = ""


@dataclass(frozen=True, kw_only=True)
class Flat:
    """Takes the keys of another."""

    base: Annotated[Base, REST]


class DescribeTests(SynchronousTestCase):
    """`describe`."""

    def test_docs(self) -> None:
        """The meaning of a field comes from its docstring, that of a base class too."""
        self.assertEqual(field_docs(Thing), {"name": "what it is called.", "level": "how loud."})

    def test_thing(self) -> None:
        """Types, defaults, meanings and what is required are there; what the server sets is not."""
        text = {"type": "string"}
        self.assertEqual(
            describe(Thing),
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "description": "what it is called."},
                    "level": {"enum": ["low", "high"], "description": "how loud.", "default": "low"},
                    "token": {"type": "string", "external": True, "default": ""},
                    "names": {"anyOf": [text, {"type": "array", "items": text}], "default": []},
                    "labels": {"type": "object", "additionalProperties": {"type": "integer"}, "default": None},
                },
            },
        )

    def test_rest(self) -> None:
        """The keys of the rest stand beside the others."""
        self.assertEqual(describe(Flat)["required"], ["name"])
        self.assertEqual(list(describe(Flat)["properties"]), ["name"])
