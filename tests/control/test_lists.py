"""
Tests of `ngrok_twisted.control.lists`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.routes import resources
from ngrok_twisted.control.lists import Item, Read, lists, read_items, take_lists
from ngrok_twisted.records.ids import declared_id


def domains(*items: Any) -> Read:
    """What is read of reserved domains."""
    return read_items({"reserved_domains": list(items)})


class ListsTests(SynchronousTestCase):
    """`lists` and `take_lists`."""

    def test_resources(self) -> None:
        """Every resource that says where its records are declared has its list, with the fields of the API."""
        places = {getattr(resource, "declared_at", "") for resource in resources().values()} - {""}
        self.assertEqual(set(lists()), places)
        self.assertIn("vaults", places)
        for list_ in lists().values():
            self.assertIn(list_.body, (list_.resource.Declared, list_.resource.Create))

    def test_take(self) -> None:
        """Lists are taken out of the rest, in the order of the file; what is no list stays."""
        data = {"edges": {"tls": [1], "https": 2, "x": 3}, "domain": "d", "vaults": [4], "reserved_domains": None}
        rest, taken = take_lists(data)
        self.assertEqual(rest, {"edges": {"https": 2, "x": 3}, "domain": "d", "reserved_domains": None})
        self.assertEqual(list(taken.items()), [("edges.tls", [1]), ("vaults", [4])])

    def test_odd_keys(self) -> None:
        """Keys that are no text belong to the rest, where they are refused."""
        self.assertEqual(take_lists({1: {"https": []}, "edges": {2: []}}), ({1: {"https": []}, "edges": {2: []}}, {}))


class ReadItemsTests(SynchronousTestCase):
    """`read_items`."""

    def one(self, read: Read) -> Item:
        """The only item."""
        (item,) = read.items
        return item

    def test_ids(self) -> None:
        """An id follows from the name, else from what the item is about, else from its place."""
        named, about = domains({"name": "shop", "domain": "a.example"}, {"domain": "A.example"}).items
        self.assertEqual(named.id, declared_id("rd", "reserved_domains", "shop"))
        self.assertEqual(about.id, declared_id("rd", "reserved_domains:", "a.example"))
        read = read_items({"backends.http_response": [{}, {}]})
        self.assertEqual(read.items[1].id, declared_id("bkdhr", "backends.http_response:", "1"))

    def test_own_name(self) -> None:
        """Where the API has a name of its own, it is the name of the item, and each account may use it."""
        one, other = read_items({"vaults": [{"name": "keys"}, {"name": "keys", "account": "blue"}]}).items
        self.assertEqual((one.name, other.name, other.account), ("keys", "keys", "blue"))
        self.assertEqual(one.body.name, "keys")
        self.assertNotEqual(one.id, other.id)

    def test_bad_value(self) -> None:
        """An item is read without the keys that are wrong, and of those nothing more is to be said."""
        read = domains({"domain": "a.example", "certificate_id": 1, "colour": "red"})
        self.assertEqual([problem.path.rpartition(".")[2] for problem in read.problems], ["certificate_id", "colour"])
        self.assertEqual(self.one(read).body.domain, "a.example")
        self.assertEqual(read.doubtful, {"reserved_domains[0].certificate_id", "reserved_domains[0].colour"})

    def test_unreadable(self) -> None:
        """An item without what it needs has no body, but a name, so that others may refer to it."""
        item = self.one(domains({"name": "shop", "domain": 1}))
        self.assertEqual((item.name, item.id, item.body), ("shop", "", None))
        self.assertIsNone(self.one(domains("a.example")).body)

    def test_others(self) -> None:
        """What is wrong with one item does not keep the others from being read."""
        self.assertEqual([item.body is None for item in domains({}, {"domain": "a.example"}).items], [True, False])

    def test_elsewhere(self) -> None:
        """A text that stands elsewhere is fetched where the field allows it, and no secret is shown."""
        data = {"certificate_pem": "file:a", "private_key_pem": "env:B", "description": "file:c"}
        read = read_items({"tls_certificates": [data]}, lambda text: f"<{text}>")
        body = self.one(read).body
        self.assertEqual((body.certificate_pem, body.private_key_pem), ("<file:a>", "<env:B>"))
        self.assertEqual(body.description, "file:c")
        self.assertNotIn("env:B", repr(read))
