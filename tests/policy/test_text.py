"""
Tests for `ngrok_twisted.policy.text`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.text import header_fields, header_problems, literal, template_problems


class TemplateTests(SynchronousTestCase):
    """Templates are refused, and their characters can be written."""

    def test_templates(self) -> None:
        """Only what would be worked out is refused."""
        for text, refused in (("${a}", True), ("a ${", True), ("$$${a}", False), ("$1 {a} $", False), ("$${a}", False)):
            self.assertEqual(bool(list(template_problems("x", text))), refused, text)

    def test_literal(self) -> None:
        """What is written for the characters themselves stands for them."""
        self.assertEqual(literal("$${a} $1"), "${a} $1")


class HeaderTests(SynchronousTestCase):
    """Headers of actions."""

    def test_fields(self) -> None:
        """Names are sent in lower case, values as UTF-8."""
        self.assertEqual(header_fields({"X-A": "ü$${b}"}), [(b"x-a", "ü${b}".encode())])

    def test_long(self) -> None:
        """Names and values have bounds."""
        codes = [problem.code for problem in header_problems({"n" * 257: "v", "n": "v" * 4097})]
        self.assertEqual(codes, [2208, 2209])
