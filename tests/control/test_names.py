"""
Tests of `ngrok_twisted.control.names`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.lists import Item, Read, read_items
from ngrok_twisted.control.names import Names, Resolving, account_id, rewrite
from ngrok_twisted.records.edge import BackendRef


def read(**lists: list[object]) -> Read:
    """The items of these lists; ``__`` stands for a dot in a list's place."""
    return read_items({place.replace("__", "."): items for place, items in lists.items()})


class NamesTests(SynchronousTestCase):
    """`Names`."""

    def setUp(self) -> None:
        self.read = read(
            reserved_domains=[{"name": "b.example", "domain": "a.example"}, {"domain": "b.example"}],
            backends__http_response=[{"name": "sorry"}, {"body": "x"}],
            backends__failover=[
                {"name": "main", "backends": ["sorry"]},
                {"name": "lost", "backends": ["srory"]},
                {"name": "far", "account": "blue", "backends": ["sorry"]},
                {"name": "broken", "backends": 1},
                {"name": "poor", "backends": ["broken"]},
            ],
            vaults=[{"name": "keys"}, {"name": "keys", "account": "blue"}],
        )
        self.items = {item.name: item for item in self.read.items}
        self.names = Names(self.read.items)

    def get(self, family: str, name: str, account: str = "") -> Item:
        """Something that is there."""
        found = self.names.get(family, name, account)
        assert found is not None
        return found

    def test_get(self) -> None:
        """Things are found by name and by id, in their own family only."""
        sorry = self.get("backends", "sorry")
        self.assertEqual(sorry.path, "backends.http_response[0]")
        self.assertIs(self.names.get("backends", sorry.id), sorry)
        self.assertIsNone(self.names.get("https_edges", "sorry"))
        self.assertEqual(self.names.all("backends"), ["sorry", "main", "lost", "far", "broken", "poor"])

    def test_own_account_first(self) -> None:
        """Where two accounts use a name, that of one's own counts."""
        self.assertEqual(self.get("vaults", "keys").path, "vaults[0]")
        self.assertEqual(self.get("vaults", "keys", "blue").path, "vaults[1]")

    def test_ids(self) -> None:
        """A name and a thing of the same text have different ids, and so have things of two accounts."""
        ids = [item.id for item in self.read.items]
        self.assertEqual(len(set(ids)), len(ids))

    def test_resolved(self) -> None:
        """Names become ids, and ids stay."""
        sorry, resolving = self.items["sorry"].id, Resolving()
        self.assertEqual(self.names.resolved(self.items["main"], resolving).backends, (sorry,))
        self.assertEqual(resolving.problems, [])
        self.assertIs(resolving.places["backends.failover[0].backends[0]"], self.items["sorry"])

    def test_nothing(self) -> None:
        """What leads nowhere, or to another account, is a problem."""
        for name, said in (
            ("lost", "there is nothing of this name or id in backends; did you mean 'sorry'?"),
            ("far", "backends.http_response[0] belongs to another account"),
        ):
            resolving = Resolving()
            self.names.resolved(self.items[name], resolving)
            (problem,) = resolving.problems
            self.assertEqual((problem.path, problem.message), (f"{self.items[name].path}.backends[0]", said))

    def test_broken(self) -> None:
        """Something that could not be read is known by its name all the same."""
        resolving = Resolving()
        self.names.resolved(self.items["poor"], resolving)
        self.assertEqual(resolving.problems, [])

    def test_rewrite(self) -> None:
        """Each reference is shown with its family and path."""
        seen: list[tuple[str, str, str]] = []

        def change(reference: str, family: str, path: str) -> str:
            seen.append((reference, family, path))
            return reference

        value = {"x": (BackendRef(backend_id="a"),)}
        self.assertEqual(rewrite(value, "edge", change), value)
        self.assertEqual(seen, [("a", "backends", "edge.x[0].backend_id")])

    def test_account(self) -> None:
        """No name means the default account."""
        self.assertEqual(account_id(""), account_id("default"))
        self.assertNotEqual(account_id(""), account_id("blue"))
