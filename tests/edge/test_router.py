"""
Tests for `ngrok_twisted.edge.router`.
"""

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.router import NameTable, Router


class NameTableTests(SynchronousTestCase):
    """An exact name wins, then the most specific wildcard."""

    table = NameTable(
        {
            "app.example.com": "exact",
            "*.example.com": "wide",
            "*.deep.example.com": "narrow",
        }
    )

    def test_exact_wins(self) -> None:
        """A name of its own is not taken by a wildcard above it."""
        self.assertEqual(self.table.get("app.example.com"), "exact")

    def test_any_depth(self) -> None:
        """A wildcard matches names at every depth below it."""
        self.assertEqual(self.table.get("x.example.com"), "wide")
        self.assertEqual(self.table.get("a.b.c.example.com"), "wide")
        self.assertEqual(self.table.get("x.app.example.com"), "wide")

    def test_most_specific(self) -> None:
        """Of two wildcards the longer one wins."""
        self.assertEqual(self.table.get("x.deep.example.com"), "narrow")
        self.assertEqual(self.table.get("deep.example.com"), "wide")

    def test_not_itself(self) -> None:
        """A wildcard does not match the name it hangs under, nor an empty label or another name that ends alike."""
        for name in ("example.com", "", "com", "badexample.com", "*.com"):
            self.assertIsNone(self.table.get(name), name)

    def test_empty(self) -> None:
        """A router of nothing owns nothing."""
        router = Router()
        self.assertIsNone(router.secure.get("a.b"))
        self.assertIsNone(router.plain.get("a.b"))
        self.assertEqual(dict(router.ports), {})
