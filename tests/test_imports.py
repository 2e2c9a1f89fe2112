"""
The import rule of ``docs/architecture.md``: imports go down, and the two planes never meet.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = "ngrok_twisted"
ROOT = Path(__file__).resolve().parents[1] / PACKAGE

#: ``docs/style.md``, rule 5.
MOST_LINES = 400

#: Top-level parts by layer, highest first. What is not named here is vocabulary: the lowest layer.
WIRING = frozenset({"tap", "server", "serving", "crew", "restart", "welcome", "management", "places", "module_pages"})
DATA_PLANE = frozenset({"edge", "upstream"})
CONTROL_PLANE = frozenset({"control", "iam"})
KINDS = frozenset({"modules", "backends", "transports", "actions"})
MACHINERY = frozenset({"net", "tls", "observability", "policy", "login", "webhook", "tunnels", "backend", "testing"})

#: Folders of kinds that live inside another part.
NESTED_KINDS = frozenset(
    {"control.stores", "observability.destinations", "tls.issuers", "login.providers", "webhook.providers"}
)

#: Values that stand in a plane's folder because they belong there, but are vocabulary: whoever may import them.
SHARED_VALUES = frozenset({"iam.principal"})


def part(module: str) -> str:
    """The top-level part of a dotted module inside the package: ``edge.front`` gives ``edge``."""
    return module.partition(".")[0]


def layer(module: str) -> int:
    """
    :return: the height of a module; imports go to the same height or lower.
    """
    if module in SHARED_VALUES or module in ("", "records", "interfaces"):
        return 0
    if any(module == nested or module.startswith(nested + ".") for nested in NESTED_KINDS):
        return 2
    name = part(module)
    for height, names in ((4, WIRING), (3, DATA_PLANE | CONTROL_PLANE), (2, KINDS), (1, MACHINERY)):
        if name in names:
            return height
    return 0


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package, with its name inside the package and its file."""
    for path in sorted(ROOT.rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield dotted.removesuffix("__init__").rstrip("."), path


def imports(path: Path) -> Iterator[tuple[str, str, int]]:
    """
    :return: what this file imports from the package: the module, the imported name if any, and the line.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield "." * node.level + (node.module or ""), alias.name, node.lineno


def inside(module: str, name: str) -> str | None:
    """The name inside the package of what is imported; ``None`` for other packages."""
    if module != PACKAGE and not module.startswith(PACKAGE + "."):
        return None
    short = module.removeprefix(PACKAGE).lstrip(".")
    longer = f"{short}.{name}".lstrip(".")
    return longer if name and (ROOT / longer.replace(".", "/")).with_suffix(".py").exists() else short


class ImportRuleTests(SynchronousTestCase):
    """Every import of every module."""

    def each(self) -> Iterator[tuple[str, str, str]]:
        """Every import inside the package: importing module, imported module, place."""
        for importer, path in modules():
            for module, name, line in imports(path):
                imported = inside(module, name)
                if imported is not None:
                    yield importer, imported, f"{path.relative_to(ROOT.parent)}:{line}"

    def test_absolute(self) -> None:
        """Imports are absolute."""
        relative = [
            f"{path}:{line}" for _, path in modules() for module, _, line in imports(path) if module.startswith(".")
        ]
        self.assertEqual(relative, [])

    def test_downwards(self) -> None:
        """No module imports a higher layer; kinds that live inside a part may stand on that part."""
        wrong = [
            f"{place}: {a} imports {b}" for a, b, place in self.each() if layer(a) < layer(b) and part(a) != part(b)
        ]
        self.assertEqual("\n".join(wrong), "")

    def test_planes(self) -> None:
        """The data plane and the control plane do not know one another."""
        planes = (DATA_PLANE, CONTROL_PLANE)
        wrong = [
            f"{place}: {a} imports {b}"
            for a, b, place in self.each()
            for here, there in (planes, planes[::-1])
            if part(a) in here and part(b) in there and b not in SHARED_VALUES
        ]
        self.assertEqual("\n".join(wrong), "")

    def test_kinds_are_discovered(self) -> None:
        """Nobody outside a folder of kinds imports one of its kinds by name, but for the wiring."""
        wrong = []
        for importer, imported, place in self.each():
            nested = {kinds for kinds in NESTED_KINDS if imported.startswith(kinds + ".")}
            plural = {part(imported)} & KINDS if "." in imported else set()
            for folder in nested | plural:
                if not importer.startswith(folder) and part(importer) not in WIRING | {"testing"}:
                    wrong.append(f"{place}: {importer} imports {imported}")
        self.assertEqual("\n".join(wrong), "")

    def test_reactor(self) -> None:
        """Only the wiring imports the reactor."""
        wrong = [
            f"{path}:{line}"
            for importer, path in modules()
            for module, name, line in imports(path)
            if part(importer) != "tap"
            and (module == "twisted.internet.reactor" or (module == "twisted.internet" and name == "reactor"))
        ]
        self.assertEqual("\n".join(wrong), "")

    def test_docstrings(self) -> None:
        """Every module says what it is."""
        silent = [str(path) for _, path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]
        self.assertEqual(silent, [])

    def test_size(self) -> None:
        """No file is longer than the house style allows."""
        long = [str(path) for _, path in modules() if len(path.read_text().splitlines()) > MOST_LINES]
        self.assertEqual("\n".join(long), "")

    def test_hidden_tests(self) -> None:
        """No test has the name of another in its class, which would then never run."""
        hidden = []
        for path in sorted(Path(__file__).parent.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    named = [
                        item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
                    ]
                    hidden += [
                        f"{path.name}: {name}"
                        for name in set(named)
                        if name.startswith("test") and named.count(name) > 1
                    ]
        self.assertEqual(hidden, [])
