"""
Tests of `ngrok_twisted.control.api.reference`, and of what is written by hand in ``docs/api.md``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.reference import MARK, page
from ngrok_twisted.control.api.routes import named_methods, resources
from tests.control.declaring import KEY, ConfigCase, make_pair

FILE = Path(__file__).resolve().parents[3] / "docs" / "api.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """The code in one language that stands above the mark."""
    return [text for word, text in _BLOCK.findall(FILE.read_text().partition(MARK)[0]) if word == language]


@lru_cache(maxsize=None)
def made_page() -> str:
    """The page without what is written by hand."""
    return page("")


def section(name: str) -> str:
    """What the page says of one resource."""
    made = made_page()
    start = made.index(f"\n### {name}\n")
    ends = [end for mark in ("\n### ", "\n## ") if (end := made.find(mark, start + 1)) > 0]
    return made[start : min(ends, default=len(made))]


class PageTests(SynchronousTestCase):
    """What is made."""

    def test_up_to_date(self) -> None:
        """The page in the repository is the one that the code gives."""
        said = "it is old: python -m ngrok_twisted.control.api.reference docs/api.md"
        self.assertEqual(FILE.read_text(), page(FILE.read_text()), said)

    def test_by_hand(self) -> None:
        """What stands above the mark stays; what stands below is replaced."""
        made = page(f"by hand\n{MARK}\nold")
        self.assertTrue(made.startswith(f"by hand\n{MARK}\n"))
        self.assertNotIn("old\n", made)

    def test_every_method(self) -> None:
        """Every method is told of: modules with the path of what holds them."""
        for name, method in named_methods():
            self.assertTrue(_tells(section(name), method), f"{method.verb} {method.path}")

    def test_contents(self) -> None:
        """Each resource is in one of the tables at the top, with a link to what is said of it."""
        made = made_page()
        for name in resources():
            self.assertEqual(made.count(f"\n| [{name}](#{name}) |"), 1, name)
            self.assertEqual(made.count(f"\n### {name}\n"), 1, name)

    def test_deprecated(self) -> None:
        """What ngrok calls deprecated comes last."""
        made = made_page()
        start = made.index("## Resources that ngrok calls deprecated")
        self.assertLess(made.index("\n### vaults\n"), start)
        self.assertGreater(made.index("\n### https_edges\n"), start)

    def test_links(self) -> None:
        """Every link to a heading of the page has one."""
        made = FILE.read_text()
        titles = (re.sub(r"[^\w -]", "", title).lower() for title in re.findall(r"^#+ (.*)$", made, re.MULTILINE))
        self.assertEqual(
            set(re.findall(r"\]\(#([\w-]+)\)", made)) - {title.replace(" ", "-") for title in titles}, set()
        )


class FieldTests(SynchronousTestCase):
    """What is said of fields."""

    def test_body(self) -> None:
        """A field of a body is required, or has a default, or neither."""
        said = section("kubernetes_operators")
        self.assertIn("| `region` | text, default `global` |", said)
        self.assertIn("| `name` | text, required |", section("vaults"))

    def test_answer(self) -> None:
        """A field of an answer may be null where it can be; it is never called required."""
        said = section("api_keys").partition("\nAnswer")[2]
        self.assertIn("| `token` | text or null |", said)
        self.assertNotIn("required", said)

    def test_inside(self) -> None:
        """What stands in an object, or in the objects of a list, has rows of its own."""
        said = section("abuse_reports")
        self.assertIn("| `hostnames` | list of objects |", said)
        self.assertIn("| `hostnames[].status` | text |", said)

    def test_told_once(self) -> None:
        """A shape that stands inside of others is told at one place."""
        self.assertIn("| `routes` | list of [https_edge_routes](#https_edge_routes) |", section("https_edges"))
        self.assertIn("| `backend` | [backend](#backend) |", section("tls_edges"))
        self.assertNotIn("backend_id", section("tls_edges"))

    def test_references(self) -> None:
        """An id with its URL is a reference."""
        self.assertIn("| `certificate` | reference or null |", section("reserved_domains"))

    def test_usual(self) -> None:
        """What nearly all have is named, and explained at the top only."""
        self.assertIn("Body of `PATCH`: `description`, `metadata`, as usual.", section("tls_certificates"))
        self.assertNotIn("| `metadata` |", section("tls_certificates"))

    def test_null(self) -> None:
        """Null is spelled as in JSON."""
        self.assertNotIn("`None`", made_page())


class ExampleTests(ConfigCase):
    """The examples that are written by hand."""

    def test_config(self) -> None:
        """Every config on the page is one without a problem."""
        certificate, key = make_pair()
        (self.folder / "shop.pem").write_text(certificate)
        (self.folder / "shop.key").write_text(key)
        (self.folder / "home" / ".ssh").mkdir(parents=True)
        (self.folder / "home" / ".ssh" / "id_ed25519.pub").write_text(KEY)
        found = blocks("yaml")
        self.assertTrue(found)
        for text in found:
            data = {"domain": "ngrok.localhost", **yaml.safe_load(text)}
            self.assertTrue(self.load(yaml.safe_dump(data), {"NGROK_API_KEY": "a-key-of-the-tests"}).declared.records)

    def test_python(self) -> None:
        """Every program in Python on the page is one."""
        found = blocks("python")
        self.assertTrue(found)
        for text in found:
            compile(text, "docs/api.md", "exec")


def _tells(said: str, method: Method) -> bool:
    plain = f"{method.verb:<7}{method.path}" in said
    holder, _, name = method.path.rpartition("/")
    as_module = f"`{name}`" in said or f"\n#### {name}\n" in said and f"`{holder}`" in said
    return plain or as_module
