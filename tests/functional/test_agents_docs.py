"""
The lines of ``docs/agents.md``, as users copy them; only the places are this edge's.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Mapping

from tests.functional.agents import JavaScriptSDK, OldPythonSDK, PythonSDK, V2
from tests.functional.case import EdgeTestCase
from tests.functional.edge import AUTHTOKEN
from tests.functional.tools import PEERS, ROOT, program

#: A block of code, by its language.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Seconds for the Go compiler, which may have nothing at hand.
BUILD = 80


class DocumentTests(EdgeTestCase):
    """Each block of code that a client here can run."""

    seconds = 150

    def setUp(self) -> None:
        """A directory in which the files are that the examples read, and a service."""
        super().setUp()
        self.service = self.web()
        self.place = Path(self.mktemp()).absolute()
        (self.place / "var").mkdir(parents=True)
        (self.place / "var" / "authtoken").write_text(AUTHTOKEN + "\n")
        (self.place / "var" / "ca.pem").write_text(self.edge.ca.read_text())
        self.name = self.new_name()

    def blocks(self, language: str, *, holding: str = "") -> list[str]:
        """The blocks in a language, with what differs here."""
        text = (ROOT / "docs" / "agents.md").read_text()
        found = [code for name, code in BLOCK.findall(text) if name == language and holding in code]
        self.assertTrue(found, language)
        return [self.here(code) for code in found]

    def here(self, code: str) -> str:
        """One block with what differs here."""
        for there, here in (
            ("localhost:4443", f"localhost:{self.edge.agent}"),
            ("app.ngrok.localhost", self.name),
            ("subdomain: app", f"subdomain: {self.name.partition('.')[0]}"),
            ("3000", str(self.service.port)),
            ("2abc…", AUTHTOKEN),
        ):
            code = code.replace(there, here)
        return code

    def assert_publishes(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """A program is online, and leaves."""
        output = self.place / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                words,
                cwd=self.place,
                env={**os.environ, **(environment or {}), "HOME": str(self.place)},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )
        try:
            self.eventually(lambda: self.status() == 200, f"{words}, which said:\n{output.read_text()}")
        finally:
            process.kill()
            process.communicate()
        self.eventually(lambda: self.status() == 404, "offline endpoint")

    def status(self) -> int:
        """What a visitor gets."""
        return self.get(f"https://{self.name}/").status

    def test_python(self) -> None:
        """Both ways, with both versions."""
        for code in self.blocks("python"):
            (self.place / "example.py").write_text(code)
            for client in (PythonSDK, OldPythonSDK):
                self.assert_publishes(client.python(), "example.py")

    def test_javascript(self) -> None:
        """``forward``."""
        for code in self.blocks("js"):
            (self.place / "example.js").write_text(code)
            self.assert_publishes(program("node"), "example.js", environment={"NODE_PATH": JavaScriptSDK.modules()})

    def test_go(self) -> None:
        """The whole program."""
        (code,) = self.blocks("go")
        (self.place / "main.go").write_text(code)
        for name in ("go.mod", "go.sum"):
            (self.place / name).write_text((PEERS / "ngrok_agent_go" / name).read_text())
        build: Any = [program("go"), "build", "-o", "example", "."]
        subprocess.run(build, cwd=self.place, check=True, capture_output=True, timeout=BUILD)
        self.assert_publishes(str(self.place / "example"))

    def test_version_2(self) -> None:
        """The configuration file, with both commands."""
        (code,) = self.blocks("yaml", holding="update: false")
        (self.place / "ngrok.yml").write_text(code)
        self.assert_publishes(V2.program(), "start", "--all", "--config", "ngrok.yml", "--log", "stdout")
        label, port = self.name.partition(".")[0], str(self.service.port)
        words = ["http", "--config", "ngrok.yml", "--log", "stdout", "--subdomain", label, port]
        self.assert_publishes(V2.program(), *words)
