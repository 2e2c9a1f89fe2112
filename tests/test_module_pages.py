"""
Tests of `ngrok_twisted.module_pages` and `ngrok_twisted.module_examples`, and of the pages in ``docs/modules/``.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import module_pages
from ngrok_twisted.describe import describe, field_docs
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.module_examples import COMMANDS, EXAMPLES, HOSTPORTS, NOTES, REFERRED
from ngrok_twisted.module_pages import BEGIN, END, INDEX, module_kinds, pages, refusals, updated
from ngrok_twisted.policy.document import parse_policy
from ngrok_twisted.records.edge import config_type
from ngrok_twisted.transports.ssh.command import parse
from ngrok_twisted.transports.ssh.flags import FLAGS
from ngrok_twisted.transports.ssh.modules import modules_of
from tests.control.api.resources.edge_case import CA, POLICY, EdgeCase
from tests.control.declaring import ConfigCase
from tests.tls.authority import Made

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "modules"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: What the variables in the examples for a shell stand for.
_IDS = {"OFFICE": POLICY, "STAFF": CA, "KEY": "a-key"}


def blocks(name: str, language: str) -> list[str]:
    """The code in one language that a page has, made or written by hand."""
    return [text for word, text in _BLOCK.findall((FOLDER / f"{name}.md").read_text("utf-8")) if word == language]


def lines(name: str, program: str) -> list[list[str]]:
    """The words of the commands on a page that call a program."""
    found = []
    for text in blocks(name, "sh"):
        for variable, id in _IDS.items():
            text = text.replace(f"${variable}", id)
        found += [
            shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.startswith(program + " ")
        ]
    return found


class PageTests(SynchronousTestCase):
    """The pages in the repository."""

    def test_up_to_date(self) -> None:
        """What is made in each page is what the code gives; the first mark says how it is made."""
        for name, made in pages().items():
            page = (FOLDER / f"{name}.md").read_text("utf-8")
            self.assertEqual(
                page, updated(page, made, name), f"{name}: python -m ngrok_twisted.module_pages docs/modules"
            )

    def test_every_kind(self) -> None:
        """Every kind has a page and a line in the index, with every flag that it does the work of."""
        index = pages()[INDEX]
        self.assertEqual(set(pages()), {INDEX, *module_kinds()})
        for name in module_kinds():
            self.assertEqual(index.count(f"[`{name}`]({name}.md)"), 1)
            for flag in FLAGS:
                if flag.needs == name:
                    self.assertIn(f"| `--{flag.name}`", pages()[name])

    def test_introduction(self) -> None:
        """Every page begins with what the module does, written by hand."""
        for name in pages():
            page = (FOLDER / f"{name}.md").read_text("utf-8")
            title, introduction = page.partition(BEGIN)[0].split("\n\n", 1)
            self.assertTrue(title.startswith("# "), name)
            self.assertGreaterEqual(introduction.count("."), 1, name)

    def test_links(self) -> None:
        """Every link to another page leads to one, and to a heading there if it names one."""
        for file in FOLDER.glob("*.md"):
            for target, anchor in re.findall(r"\]\(([\w./-]*?)(?:#([\w-]+))?\)", file.read_text("utf-8")):
                page = (FOLDER / target).resolve() if target else file
                self.assertTrue(page.exists(), f"{file.name}: {target}")
                if anchor:
                    self.assertIn(anchor, _anchors(page), f"{file.name}: {target}#{anchor}")


class WordsTests(SynchronousTestCase):
    """What is said of modules."""

    def test_fields(self) -> None:
        """Every field of every config has a meaning, and a row."""
        for name, kind in module_kinds().items():
            for place in kind.attaches:
                config = config_type(kind, place)
                for field in describe(config)["properties"]:
                    self.assertTrue(field_docs(config).get(field), f"{config.__name__}.{field}")
                    self.assertIn(f"| `{field}` |", pages()[name])

    def test_refusals(self) -> None:
        """Every error that a module defines is told, with its status and its sentence."""
        codes = {name: {error.code for error in refusals(kind)} for name, kind in module_kinds().items()}
        self.assertEqual(codes["ip_restriction"], {3203})
        self.assertEqual(codes["basic_auth"], set())
        self.assertIn(
            "| `ERR_NGROK_3206` | 426 | This version of WebSocket is not spoken here. |",
            pages()["websocket_tcp_converter"],
        )

    def test_notes(self) -> None:
        """All that a module notes is told, and nothing else."""
        for name, kind in module_kinds().items():
            self.assertEqual(module_pages.noted(kind), set(NOTES.get(name, {})), name)

    def test_order(self) -> None:
        """The handshake comes first, then who may come in, and what is sent to the service last."""
        order = list(module_kinds())
        self.assertEqual(order[:2], ["tls_termination", "mutual_tls"])
        self.assertLess(order.index("ip_restriction"), order.index("basic_auth"))
        self.assertEqual(order[-1], "request_headers")


class ExampleTests(ConfigCase):
    """The examples for configs and for ssh."""

    def test_every_place(self) -> None:
        """There is an example for each place of each kind, and a command for each kind that has flags."""
        for name, kind in module_kinds().items():
            self.assertEqual(set(EXAMPLES[name]), set(kind.attaches), name)
            self.assertEqual(name in COMMANDS, any(flag.needs == name for flag in FLAGS), name)

    def test_configs(self) -> None:
        """Every config on a page has no problem, and the module stands in it wherever it may."""
        (self.folder / "staff-ca.pem").write_text(Made("staff").pem)
        (self.folder / "ann.password").write_text("correct horse battery\n")
        for name in module_kinds():
            (text,) = blocks(name, "yaml")
            records = self.load(text, {"GITHUB_SECRET": "hush"}).declared.records
            edges = {record.hostports: record for record in records if record.family.endswith("_edges")}
            for place in EXAMPLES[name]:
                edge: Any = edges[(HOSTPORTS["https" if place == "route" else place],)]
                holder = edge.routes[0] if place == "route" else edge
                self.assertTrue(holder.modules[name].enabled, f"{name} on {place}")

    def test_commands(self) -> None:
        """Every ssh command on a page is one, and makes the module."""
        kinds = module_kinds()
        for name in COMMANDS:
            found = lines(name, "ssh")
            self.assertTrue(found, name)
            for words in found:
                words = words[: words.index("<")] if "<" in words else words
                said = " ".join(words[words.index("connect.example.com") + 1 :])
                (command,) = parse(said.encode(), modules=kinds)
                made = modules_of(command.options, kinds)
                self.assertTrue(name in made or name == "traffic_policy", said)
                self.assertEqual(set(made) - {name, "tls_termination"}, set())

    def test_policies(self) -> None:
        """The policies in the examples are some, each for its place."""
        for place, example in EXAMPLES["traffic_policy"].items():
            proto = "https" if place == "route" else place
            parse_policy(example.settings["value"], proto, place="route" if place == "route" else "")
        with self.assertRaises(InvalidConfig):
            parse_policy(EXAMPLES["traffic_policy"]["route"].settings["value"], "tcp")

    def test_referred(self) -> None:
        """What examples refer to has the name that they use."""
        for name, (_, record) in REFERRED.items():
            self.assertEqual(record["name"], name)


class CurlTests(EdgeCase):
    """The examples for the API."""

    def test_put(self) -> None:
        """Every call of the API on a page is answered, and says the same as the config beside it."""
        for name in module_kinds():
            ((_, _, verb, url, *rest),) = lines(name, "curl")
            self.assertEqual(verb, "PUT")
            self.assertIn("ngrok-version: 2", rest)
            edge = self.edge()
            route = self.ok("POST", edge + "/routes", {"match": "/", "match_type": "path_prefix"})["id"]
            path = (
                url.removeprefix("https://api.example.com").replace("/edges/https/$EDGE", edge).replace("$ROUTE", route)
            )
            body = json.loads(rest[rest.index("-d") + 1])
            answer = self.ok("PUT", path, body)
            self.assertTrue(answer["enabled"])
            self.assertEqual(set(body), set(next(iter(EXAMPLES[name].values())).settings))


class UpdatedTests(SynchronousTestCase):
    """Writing what is made into a page."""

    def test_between_the_marks(self) -> None:
        """What was between the marks is replaced; what is around them stays byte for byte."""
        page = updated(f"before\n\n{BEGIN}\nyesterday\n{END}\nafter\n", "today\n", "x")
        self.assertEqual(page, f"before\n\n{BEGIN}\n\ntoday\n\n{END}\nafter\n")
        self.assertEqual(updated(page, "today", "x"), page)

    def test_new(self) -> None:
        """A page that is not there is begun with its title."""
        self.assertEqual(updated("", "today", "x"), f"# x\n\n{BEGIN}\n\ntoday\n\n{END}\n")

    def test_without_marks(self) -> None:
        """A page by hand alone gets its marks behind the first paragraph."""
        page = updated("# x\n\nWhat it does.\n\n## More\n\nWords.\n", "today", "x")
        self.assertEqual(page, f"# x\n\nWhat it does.\n\n{BEGIN}\n\ntoday\n\n{END}\n\n## More\n\nWords.\n")
        self.assertEqual(updated("# x\n\nIt.\n", "today", "x"), f"# x\n\nIt.\n\n{BEGIN}\n\ntoday\n\n{END}\n")

    def test_broken_marks(self) -> None:
        """A page with one mark, or with one twice, is refused rather than overwritten."""
        for page in (BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"):
            self.assertRaises(ValueError, updated, page, "", "x")

    def test_main(self) -> None:
        """The command writes all pages into a folder."""
        folder = Path(self.mktemp())
        folder.mkdir()
        module_pages.main(str(folder))
        self.assertEqual({file.stem for file in folder.iterdir()}, set(pages()))
        self.assertIn(pages()["compression"].strip(), (folder / "compression.md").read_text("utf-8"))


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
