"""
Tests for `ngrok_twisted.transports.agent.members`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.agent.members import Members


class MembersTests(SynchronousTestCase):
    """Members of an object."""

    def refusal(self, call: Any, *arguments: Any) -> str:
        """What a refusal says; its number is the reader's."""
        refused = self.assertRaises(Refused, call, *arguments)
        self.assertEqual(refused.code, 301)
        return str(refused.message)

    def test_case(self) -> None:
        """Names are found whatever their case."""
        for name in ("AuthToken", "Authtoken", "authtoken"):
            self.assertEqual(Members({name: "x"}, 301).text("Authtoken"), "x")

    def test_absent(self) -> None:
        """What is left out, or null, has the value of nothing."""
        for data in ({}, {"A": None}):
            members = Members(data, 301)
            self.assertNotIn("A", members)
            self.assertFalse(members.says("A"))
            found = (members.text("A"), members.optional_text("A"), members.flag("A"), members.whole("A"))
            self.assertEqual(found, ("", None, False, 0))
            more = (members.number("A"), members.texts("A"), members.pairs("A"), members.mapping("A"))
            self.assertEqual(more, (0.0, (), {}, {}))
            self.assertEqual((members.inners("A"), members.base64("A")), ((), b""))
            self.assertEqual(members.inner("A").text("B"), "")

    def test_values(self) -> None:
        """Values of each shape."""
        data = {"T": "é", "F": True, "W": 7, "N": 0.5, "L": ["a", "b"], "P": {"K": "v"}, "B": "AQI=", "E": ""}
        members = Members(data, 301)
        self.assertEqual((members.text("T"), members.optional_text("E")), ("é", ""))
        self.assertEqual((members.flag("F"), members.whole("W")), (True, 7))
        self.assertEqual((members.number("N"), members.number("W")), (0.5, 7.0))
        self.assertEqual((members.texts("L"), members.pairs("P")), (("a", "b"), {"K": "v"}))
        self.assertEqual((members.mapping("P"), members.base64("B")), ({"K": "v"}, b"\x01\x02"))
        self.assertIn("E", members)
        self.assertEqual((members.says("E"), members.says("T"), members.says("P")), (False, True, True))

    def test_cut(self) -> None:
        """Text that is only shown may be cut off."""
        self.assertEqual(Members({"A": "12345"}, 301).text("A", 3), "123")

    def test_inner(self) -> None:
        """What is inside is named with its way there."""
        members = Members({"Opts": {"List": [{}, {"A": 1}]}}, 301)
        second = members.inner("Opts").inners("List")[1]
        self.assertEqual(self.refusal(second.text, "A"), "Opts.List[1].A must be text.")
        self.assertEqual(second.refused("A", "is odd").message, "Opts.List[1].A is odd.")
        self.assertIn("Opts.List[0]", self.refusal(Members({"List": [1]}, 301, "Opts").inners, "List"))

    def test_wrong(self) -> None:
        """A value of another shape is refused, and not repeated. A truth value is no number, nor the other way round."""
        for name, wanted, values in (
            ("text", "text", (1, True, [], {})),
            ("text", "Unicode text", ("\ud800",)),
            ("flag", "a truth value", (1, 0, "true", [])),
            ("whole", "a whole number", (True, 1.0, "1", [])),
            ("number", "a number", (False, "1", [], 10**400)),
            ("texts", "a list", ("a", [1], [None], ["\ud800"], {})),
            ("pairs", "an object", ([], {"a": 1}, {"a": None}, {"\ud800": "a"})),
            ("mapping", "an object", ([], "a")),
            ("inner", "an object", ([], "a")),
            ("inners", "a list", ({}, "a")),
            ("base64", "text", (1, [])),
            ("base64", "text in Base64", ("secret!", "secre", "é")),
        ):
            for value in values:
                said = self.refusal(getattr(Members({"A": value}, 301), name), "A")
                self.assertIn(f"A must be {wanted}", said)
                self.assertNotIn("secr", said)

    def test_no_object(self) -> None:
        """What is no object has no members."""
        for data in (None, 1, "a", [], True):
            self.assertEqual(self.refusal(Members, data, 301), "The request must be an object.")
