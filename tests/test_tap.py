"""
Tests for `ngrok_twisted.tap`.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.log_lines import TO_STDOUT
from ngrok_twisted.net import reactor as lean_reactor
from ngrok_twisted.tap import Options, makeService
from tests.edge.doubles import get
from tests.net.loop import LoopCase


def options(*arguments: str) -> Options:
    """The parsed command line."""
    parsed = Options()
    parsed.parseOptions(arguments)
    return parsed


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def test_defaults(self) -> None:
        """Nothing needs to be said."""
        self.assertEqual((options()["config"], options()["check"]), (None, 0))

    def test_config(self) -> None:
        """A file, short and long."""
        self.assertEqual(options("-c", "x.yaml")["config"], "x.yaml")
        self.assertEqual(options("--config", "x.yaml")["config"], "x.yaml")

    def test_unknown(self) -> None:
        """What is not known is refused."""
        self.assertRaises(UsageError, options, "--nonsense")
        self.assertRaises(UsageError, options, "surplus")

    def test_help(self) -> None:
        """The help shows the command that a newcomer types."""
        self.assertIn("ssh -p 2222 -R 443:localhost:3000 localhost", " ".join(str(Options()).split()))

    def test_reactor(self) -> None:
        """The lean reactor is installed where none is, and the user's choice is left alone."""
        installed: list[bool] = []
        self.patch(lean_reactor, "install", lambda: installed.append(True))
        options()
        self.assertEqual(installed, [])
        without = {name: module for name, module in sys.modules.items() if name != "twisted.internet.reactor"}
        self.patch(sys, "modules", without)
        options()
        self.assertEqual(installed, [True])

    def test_log(self) -> None:
        """Lines that go to standard output are ours; where they go elsewhere ``twistd`` goes on as ever."""
        for chosen, logger in (({}, TO_STDOUT), ({"logfile": "x.log"}, None), ({"logger": "a.b"}, "a.b")):
            made = Options()
            made.parent = {"nodaemon": 1, "logger": None, **chosen}  # type: ignore[assignment]
            made.parseOptions([])
            self.assertEqual(made.parent["logger"], logger)  # type: ignore[index]

    def test_plugin(self) -> None:
        """``twistd`` knows the command."""
        (found,) = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "ngrok"]
        self.assertEqual(found.module, "ngrok_twisted.tap")


class MakeServiceCase(SynchronousTestCase):
    """Builds a service from a file."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.path = str(self.folder / "config.yaml")
        self.out, self.error = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.error)
        mask = os.umask(0o022)
        self.addCleanup(os.umask, mask)

    def write(self, text: str) -> None:
        """The config."""
        Path(self.path).write_text(text)


class CheckTests(MakeServiceCase):
    """``--check``, and configs that cannot be used."""

    def exit_code(self, *arguments: str) -> Any:
        """What the process ends with."""
        return self.assertRaises(SystemExit, makeService, options(*arguments), MemoryReactorClock()).code

    def test_good(self) -> None:
        """A good config is said to be fine; nothing is made."""
        self.write("domain: example.com\n")
        self.assertEqual(self.exit_code("--check", "-c", self.path), 0)
        self.assertEqual((self.out.getvalue(), self.error.getvalue()), (f"{self.path} is fine\n", ""))
        self.assertEqual(os.listdir(self.folder), ["config.yaml"])

    def test_built_in(self) -> None:
        """So are the defaults."""
        self.assertEqual(self.exit_code("--check"), 0)
        self.assertEqual(self.out.getvalue(), "the built-in configuration is fine\n")

    def test_bad(self) -> None:
        """Every problem is printed with its line, with and without ``--check``, and nothing is made."""
        self.write("nonsuch: 1\nlisten: {nonsense: 2}\n")
        for arguments in (("--check", "-c", self.path), ("-c", self.path)):
            self.assertEqual(self.exit_code(*arguments), 1)
            lines = self.error.getvalue().splitlines()
            self.assertEqual(len(lines), 2, lines)
            self.assertTrue(lines[0].startswith(f"{self.path}:1: nonsuch: "), lines)
            self.assertTrue(lines[1].startswith(f"{self.path}:2: listen.nonsense: "), lines)
            self.error.seek(0)
            self.error.truncate()
        self.assertEqual(self.out.getvalue(), "")
        self.assertEqual(os.listdir(self.folder), ["config.yaml"])

    def test_missing(self) -> None:
        """A file that is not there is named."""
        self.assertEqual(self.exit_code("-c", self.path), 1)
        self.assertIn(self.path, self.error.getvalue())

    def test_state(self) -> None:
        """So is a state directory that cannot be had."""
        (self.folder / "file").write_text("")
        self.write("state: file\n")
        self.assertEqual(self.exit_code("-c", self.path), 1)
        self.assertIn(f"ngrok_twisted cannot start: the state directory {self.folder / 'file'}", self.error.getvalue())


class RunningTests(MakeServiceCase, LoopCase):
    """All the wiring, on loopback."""

    def setUp(self) -> None:
        super().setUp()
        for number in (signal.SIGHUP, signal.SIGUSR2):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def config(self) -> dict[str, int]:
        """Write a config; the ports that it names."""
        ports = {name: free_port() for name in ("https", "http", "ssh", "agent", "api", "metrics")}
        listen = ", ".join(f"{name}: 'tcp:{port}:interface=127.0.0.1'" for name, port in ports.items())
        self.write(f"domain: edge.localhost\nlisten: {{{listen}}}\nstore: memory\nstate: state\naccess_log: off\n")
        return ports

    def test_up_and_down(self) -> None:
        """It starts, says so, answers a visitor and greets an agent, and stops; its state is its own."""
        ports = self.config()
        server = makeService(options("-c", self.path), self.reactor)
        self.assertTrue(IService.providedBy(server))
        server.privilegedStartService()
        server.startService()
        self.reactor.fireSystemEvent("startup")
        self.until(lambda: "is ready" in self.out.getvalue())
        self.assertIn(f"ssh -p {ports['ssh']} -R 443:localhost:3000 localhost\n", self.out.getvalue())

        self.assertIn(
            b"The endpoint nobody.edge.localhost is offline.", self.talk(ports["http"], get("nobody.edge.localhost"))
        )
        self.assertIn(b"This port speaks HTTPS", self.talk(ports["https"], get("nobody.edge.localhost")))
        self.assertTrue(self.talk(ports["ssh"], b"").startswith(b"SSH-2.0-"))
        self.assertIn(b"for ngrok's agents", self.talk(ports["agent"], get("localhost")))
        self.assertIn(b'"error_code":"ERR_NGROK_200"', self.talk(ports["api"], get("localhost", "/vaults")))
        metrics = self.talk(ports["metrics"], get("localhost", "/metrics"))
        self.assertIn(b'\nngrok_http_requests_total{proto="http",status="4xx"} ', metrics)

        done: list[Any] = []
        server.stopService().addBoth(done.append)
        self.until(lambda: done)
        self.assertEqual(done, [None])
        state = self.folder / "state"
        self.assertEqual(state.stat().st_mode & 0o777, 0o700)
        self.assertEqual((state / "ca.pem").stat().st_mode & 0o777, 0o644)
        for file in ("ca.key", "agent-keyring"):
            self.assertEqual((state / file).stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.error.getvalue(), "")

    def talk(self, port: int, data: bytes) -> bytes:
        """What is answered to this, until the answer rests."""
        with socket.create_connection(("127.0.0.1", port), 5) as visitor:
            visitor.setblocking(False)
            visitor.sendall(data)
            received = bytearray()

            def more() -> bool:
                try:
                    received.extend(visitor.recv(65536))
                except BlockingIOError:
                    pass
                return bool(received)

            self.until(more)
            self.turn(20)
            more()
        self.turn(20)
        return bytes(received)
