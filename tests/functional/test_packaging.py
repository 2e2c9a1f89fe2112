"""
The wheel: built from the checkout, installed into an empty environment, and run from there.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH, fetch
from tests.functional.edge import ALARMING, Edge
from tests.functional.tools import ROOT

SOURCES = ("ngrok_twisted", "twisted", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


class WheelTests(EdgeTestCase):
    """All of it in one go, since building and installing take long."""

    seconds = 400

    def setUp(self) -> None:
        """No edge of the checkout is started."""
        self.watch(self.seconds)
        self.directory = Path(tempfile.mkdtemp(prefix="wheel-"))
        self.addCleanup(shutil.rmtree, self.directory, True)

    def run_quietly(self, *words: str) -> str:
        """Run a program that must succeed, outside of the checkout."""
        hidden = ("PYTHONPATH", "VIRTUAL_ENV")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(words, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def build(self) -> Path:
        """Build the wheel from a copy of the sources, so that the checkout stays clean."""
        source = self.directory / "source"
        source.mkdir()
        for name in SOURCES:
            origin = ROOT / name
            if origin.is_dir():
                shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
            elif origin.exists():
                shutil.copy(origin, source / name)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
        self.run_quietly(*pip, "--wheel-dir", str(self.directory / "wheels"), str(source))
        (wheel,) = (self.directory / "wheels").glob("*.whl")
        return wheel

    def assert_contents(self, wheel: Path) -> None:
        """The wheel holds every file of the package, the plugin, and nothing that would shadow Twisted."""
        held = set(zipfile.ZipFile(wheel).namelist())
        self.assertIn("twisted/plugins/ngrok_plugin.py", held)
        self.assertFalse({"twisted/__init__.py", "twisted/plugins/__init__.py"} & held)
        self.assertEqual({name for name in held if name.startswith("tests")}, set())
        ours = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "ngrok_twisted").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        }
        self.assertEqual(ours - held, set())

    def test_wheel(self) -> None:
        """An installed wheel has the ``ngrok`` command of ``twistd``, and serves a tunnel."""
        wheel = self.build()
        self.assert_contents(wheel)
        home = self.directory / "venv"
        self.run_quietly(sys.executable, "-m", "venv", str(home))
        self.run_quietly(str(home / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet", str(wheel))
        twistd = str(home / "bin" / "twistd")
        self.assertRegex(self.run_quietly(twistd, "--help"), r"(?m)^ +ngrok +\S")
        self.assertIn("config", self.run_quietly(twistd, "ngrok", "--help"))
        environment = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(self.directory)}
        edge = Edge(command=(twistd,), environment=environment)
        self.addCleanup(edge.remove)
        edge.start()
        web = self.web()
        agent = SSH(edge, [f"443:127.0.0.1:{web.port}"], "http")
        self.addCleanup(agent.close)
        self.assertEqual(fetch(edge, agent.url()).headers.get("x-service"), "web")
        self.assertEqual(edge.stop(), 0)
        self.assertIsNone(ALARMING.search(edge.log_path.read_bytes()), edge.log())


class BoundsTests(EdgeTestCase):
    """The lower bounds are said in two places."""

    def setUp(self) -> None:
        """No edge is needed."""

    def bounds(self, file: str, section: str, key: str, sign: str) -> dict[str, str]:
        """The packages of one list and their versions."""
        parser = configparser.ConfigParser()
        parser.read(ROOT / file)
        lines = [line.strip() for line in parser[section][key].splitlines()]
        pattern = rf"([A-Za-z0-9_.\[\],-]+) *{sign} *([0-9.]+)"
        return dict(match.groups() for line in lines if (match := re.match(pattern, line)))

    def test_equal(self) -> None:
        """``tox -e lowest`` installs exactly what ``setup.cfg`` promises to work."""
        promised = self.bounds("setup.cfg", "options", "install_requires", ">=")
        self.assertEqual(promised, self.bounds("tox.ini", "testenv:lowest", "deps", "=="))
