"""
Tests of `ngrok_twisted.iam.permissions`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.permissions import (
    is_narrower,
    parse_rule,
    permits_address,
    permits_labels,
    permits_name,
    permits_random_address,
    permits_random_name,
    require_address,
    require_labels,
    require_name,
    require_random_address,
    require_random_name,
)


class RuleTests(SynchronousTestCase):
    """`parse_rule`."""

    def test_refused(self) -> None:
        """What is not a rule is refused with code 600."""
        for text in (
            "",
            "bind:",
            "bind",
            "app.example.com",
            "bind:a b",
            "bind:*:443",
            "bind:*.example.com:443",
            "bind:example.com:0",
            "bind:=value",
            "bind:key=",
            "bind:a.*.example.com",
            "**",
            "bind:" + "a" * 700,
        ):
            self.assertEqual(self.assertRaises(Refused, parse_rule, text).code, 600, text)

    def test_normalised(self) -> None:
        """Names in rules are normalised."""
        self.assertEqual(parse_rule("bind:App.Example.com.").name, "app.example.com")
        self.assertEqual(parse_rule("bind:Tcp.Example.com:2000").address, ("tcp.example.com", 2000))


class PermitsTests(SynchronousTestCase):
    """What lists of rules permit."""

    def test_names(self) -> None:
        """Names are permitted by no rules at all, by ``*``, by ``bind:*``, exactly, and by a wildcard above."""
        for acl, name, answer in (
            ((), "a.example.com", True),
            (("*",), "a.example.com", True),
            (("bind:*",), "a.example.com", True),
            (("bind:a.example.com",), "a.example.com", True),
            (("bind:a.example.com",), "b.a.example.com", False),
            (("bind:*.example.com",), "b.a.example.com", True),
            (("bind:*.example.com",), "*.example.com", True),
            (("bind:*.example.com",), "example.com", False),
            (("bind:a=b", "bind:example.com"), "example.com", True),
            (("bind:a=b",), "example.com", False),
            (("bind:example.com:443",), "example.com", False),
        ):
            self.assertIs(permits_name(acl, name), answer, (acl, name))

    def test_addresses(self) -> None:
        """An address is permitted exactly, or by a rule for everything."""
        for acl, answer in (
            ((), True),
            (("*",), True),
            (("bind:*",), True),
            (("bind:tcp.example.com:2000",), True),
            (("bind:tcp.example.com:2001",), False),
            (("bind:tcp.example.com",), False),
            (("bind:*.example.com",), False),
        ):
            self.assertIs(permits_address(acl, "tcp.example.com", 2000), answer, acl)

    def test_random(self) -> None:
        """Random names and addresses take a rule for everything."""
        for permits in (permits_random_name, permits_random_address):
            self.assertTrue(permits(()))
            self.assertTrue(permits(("bind:x.example.com", "bind:*")))
            self.assertTrue(permits(("*",)))
            self.assertFalse(permits(("bind:*.example.com",)))
            self.assertFalse(permits(("bind:*=*",)))

    def test_labels(self) -> None:
        """Every label is permitted by some rule; ``bind:*`` is not about labels."""
        labels = {"app": "web", "zone": "eu"}
        for acl, answer in (
            ((), True),
            (("*",), True),
            (("bind:*",), False),
            (("bind:app=web",), False),
            (("bind:app=web", "bind:zone=*"), True),
            (("bind:app=web", "bind:*=eu"), True),
            (("bind:*=*",), True),
            (("bind:app=db", "bind:zone=*"), False),
        ):
            self.assertIs(permits_labels(acl, labels), answer, acl)

    def test_codes(self) -> None:
        """Each refusal has its own code and tells what is permitted instead."""
        acl = ("bind:a.example.com",)
        for code, require, arguments in (
            (316, require_name, ("b.example.com",)),
            (308, require_address, ("tcp.example.com", 1)),
            (316, require_random_name, ()),
            (356, require_random_address, ()),
            (399, require_labels, ({"a": "b"},)),
        ):
            refusal = self.assertRaises(Refused, require, acl, *arguments)
            self.assertEqual(refusal.code, code)
            self.assertIn("a.example.com", refusal.message)
            require((), *arguments)

    def test_narrower(self) -> None:
        """A list is narrower when a rule is gone from it, or when there was none before."""
        for acl, before, answer in (
            ((), ("bind:a.b",), False),
            (("bind:a.b",), (), True),
            (("bind:a.b", "bind:c.d"), ("bind:a.b",), False),
            (("bind:a.b",), ("bind:a.b", "bind:c.d"), True),
            (("*",), ("bind:a.b",), False),
            (("*",), (), False),
        ):
            self.assertIs(is_narrower(acl, before), answer, (acl, before))
