"""
Tests of `ngrok_twisted.control.names`.
"""

from __future__ import annotations

from ngrok_twisted.control.names import Names, account_id, declared_items, rewrite
from ngrok_twisted.records.edge import BackendRef
from tests.control.declaring import ConfigCase


class NamesTests(ConfigCase):
    """`Names`."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.load(
            "reserved_domains: [{name: b.example, domain: a.example}, {domain: b.example}]\n"
            "backends: {http_response: [{name: sorry}, {body: x}]}\n"
        )
        self.names = Names(self.config)

    def test_get(self) -> None:
        """Things are found by name and by id, in their own list only."""
        named = self.names.get("backends", "sorry")
        assert named is not None
        self.assertEqual((named.path, named.kind), ("backends.http_response[0]", "http_response"))
        self.assertIs(self.names.get("backends", named.id), named)
        self.assertIsNone(self.names.get("edges", "sorry"))
        self.assertEqual(self.names.all("backends"), ["sorry"])

    def test_ids(self) -> None:
        """A name and a thing of the same text have different ids."""
        ids = [named.id for named in declared_items(self.config)]
        self.assertEqual(len(set(ids)), 4)

    def test_resolved(self) -> None:
        """Names become ids; ids and unknown names stay."""
        named = self.names.get("backends", "sorry")
        assert named is not None
        for reference, expected in (("sorry", named.id), (named.id, named.id), ("else", "else")):
            self.assertEqual(
                self.names.resolved((BackendRef(backend_id=reference),)), (BackendRef(backend_id=expected),)
            )

    def test_rewrite(self) -> None:
        """Each reference is shown with its list and path."""
        seen: list[tuple[str, str, str]] = []

        def change(reference: str, list_: str, path: str) -> str:
            seen.append((reference, list_, path))
            return reference

        value = {"x": (BackendRef(backend_id="a"),)}
        self.assertEqual(rewrite(value, "edge", change), value)
        self.assertEqual(seen, [("a", "backends", "edge.x[0].backend_id")])

    def test_account(self) -> None:
        """No name means the default account."""
        self.assertEqual(account_id(""), account_id("default"))
        self.assertNotEqual(account_id(""), account_id("blue"))
