"""
Tests of `ngrok_twisted.kinds`.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Attribute, Interface

from ngrok_twisted import kinds
from ngrok_twisted.interfaces import IBackendKind
from ngrok_twisted.kinds import BrokenKind, discover

_numbers = count(1)

CLASS = """
from zope.interface import provider
from tests.test_kinds import IGadgetKind

@provider(IGadgetKind)
class Gadget:
    name = "{name}"
    size = 1
"""

INSTANCE = """
from zope.interface import implementer
from tests.test_kinds import IGadgetKind

@implementer(IGadgetKind)
class Kind:
    def __init__(self, name):
        self.name = name
        self.size = 2

first = Kind("{name}")
again = first
second = Kind("{name}-2")
"""


class IGadgetKind(Interface):
    """What the kinds of these tests provide."""

    name = Attribute("the name")
    size = Attribute("something else that is promised")


class DiscoverTests(SynchronousTestCase):
    """`discover`."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.package = f"gadgets{next(_numbers)}"
        self.folder = self.root / self.package
        self.folder.mkdir(parents=True)
        (self.folder / "__init__.py").write_text("")
        sys.path.insert(0, str(self.root))
        self.addCleanup(sys.path.remove, str(self.root))

    def add(self, name: str, text: str) -> Path:
        """Put a file into the folder of kinds."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def broken(self) -> str:
        """:return: why the folder is refused."""
        return str(self.assertRaises(BrokenKind, discover, self.package, IGadgetKind))

    def test_class(self) -> None:
        """A class that provides the interface is found by its name."""
        self.add("red.py", CLASS.format(name="red"))
        found = discover(self.package, IGadgetKind)
        self.assertEqual([(name, kind.__name__) for name, kind in found.items()], [("red", "Gadget")])

    def test_instances(self) -> None:
        """One file may offer several instances; two names for one instance are no duplicate."""
        self.add("red.py", INSTANCE.format(name="red"))
        self.assertEqual([kind.size for kind in discover(self.package, IGadgetKind).values()], [2, 2])

    def test_order(self) -> None:
        """Kinds come in the order of their names, whatever their files are called."""
        self.add("a.py", CLASS.format(name="z"))
        self.add("b.py", CLASS.format(name="y"))
        self.assertEqual(list(discover(self.package, IGadgetKind)), ["y", "z"])

    def test_folder(self) -> None:
        """A large kind is a folder with a kind.py."""
        self.add("big/__init__.py", "")
        self.add("big/kind.py", CLASS.format(name="big"))
        self.assertEqual(list(discover(self.package, IGadgetKind)), ["big"])

    def test_private(self) -> None:
        """Files and folders whose names start with an underscore are no kinds."""
        self.add("_words.py", "1 / 0")
        self.add("_more/words.py", "1 / 0")
        self.assertEqual(discover(self.package, IGadgetKind), {})

    def test_other_distribution(self) -> None:
        """The folders that another distribution adds to the package's path are searched too."""
        other = self.root / "elsewhere"
        other.mkdir()
        (other / "blue.py").write_text(CLASS.format(name="blue"))
        (self.folder / "__init__.py").write_text(f"__path__.append({str(other)!r})")
        self.add("red.py", CLASS.format(name="red"))
        self.assertEqual(list(discover(self.package, IGadgetKind)), ["blue", "red"])

    def test_shadowed(self) -> None:
        """A file that another distribution's file of the same name would hide is an error."""
        other = self.root / "elsewhere"
        other.mkdir()
        (other / "red.py").write_text(CLASS.format(name="blue"))
        (self.folder / "__init__.py").write_text(f"__path__.append({str(other)!r})")
        self.add("red.py", CLASS.format(name="red"))
        self.assertIn("the name 'red' is taken by", self.broken())

    def test_import_error(self) -> None:
        """A file that does not import is named with the cause."""
        file = self.add("bad.py", "import no_such_module_anywhere")
        said = self.broken()
        self.assertIn(str(file), said)
        self.assertIn("ModuleNotFoundError: No module named 'no_such_module_anywhere'", said)

    def test_repaired(self) -> None:
        """Once the file is repaired it is found: an error is not remembered."""
        file = self.add("bad.py", "1 / 0")
        self.broken()
        file.write_text(CLASS.format(name="good") + "\n# longer, so that no cached bytecode is taken for it\n" * 9)
        self.assertEqual(list(discover(self.package, IGadgetKind)), ["good"])

    def test_nothing(self) -> None:
        """A file that provides nothing is an error; what it imports from another kind does not count."""
        self.add("red.py", CLASS.format(name="red"))
        file = self.add("zero.py", f"from {self.package}.red import Gadget")
        self.assertIn(f"{file}: provides no IGadgetKind", self.broken())

    def test_duplicate(self) -> None:
        """Two kinds of one name are an error that names both files."""
        first = self.add("a.py", CLASS.format(name="red"))
        second = self.add("b.py", CLASS.format(name="red"))
        self.assertEqual(self.broken(), f"{second}: the name 'red' is taken by {first}")

    def test_incomplete(self) -> None:
        """A kind without something that the interface promises is an error."""
        self.add("a.py", CLASS.format(name="red").replace("size = 1", ""))
        self.assertIn("has no size", self.broken())

    def test_nameless(self) -> None:
        """An empty name is an error."""
        self.add("a.py", CLASS.format(name=""))
        self.assertIn("must be text", self.broken())

    def test_folder_without_kind(self) -> None:
        """A folder of modules without a kind.py is an error; one without any module is not."""
        (self.folder / "empty").mkdir()
        self.assertEqual(discover(self.package, IGadgetKind), {})
        folder = self.add("big/words.py", "").parent
        self.assertIn(f"{folder}: ", self.assertRaises(BrokenKind, kinds._kind_file, folder).args[0])

    def test_real(self) -> None:
        """The backends of this distribution are found, with dataclasses as their configs."""
        found = discover("ngrok_twisted.backends", IBackendKind)
        self.assertLessEqual({"failover", "http_response", "tunnel_group", "weighted"}, set(found))


class RecordsTests(SynchronousTestCase):
    """`records`."""

    def test_families(self) -> None:
        """Every record class is found by its family."""
        found = kinds.records()
        self.assertTrue({"accounts", "backends", "https_edges", "reserved_domains"} <= set(found))
        self.assertEqual([cls.family for cls in found.values()], list(found))
