"""
Tests for `ngrok_twisted.welcome`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

from twisted.logger import Logger, LoggingFile
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import __version__
from ngrok_twisted.control.config import Config, Listen
from ngrok_twisted.control.load import load
from ngrok_twisted.welcome import say, shown, ssh_line, welcome
from tests.control.declaring import KEY, ConfigCase


class EmbeddedTests(ConfigCase):
    """What a newcomer reads."""

    def welcome(self, home: Path) -> str:
        """Of a server without a config."""
        return welcome(load(None, {}, home, folder=self.folder, ipv6=True), None)

    def test_with_key(self) -> None:
        """The command to type, word for word; where the names and the CA are; nothing else."""
        (self.folder / ".ssh").mkdir()
        (self.folder / ".ssh" / "id_ed25519.pub").write_text(KEY + " me\n")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.assertEqual(
            self.welcome(self.folder),
            f"ngrok_twisted {__version__} is ready (built-in configuration)\n"
            "\n"
            "  publish a local service:   ssh -p 2222 -R 443:localhost:3000 localhost\n"
            "  ngrok's agents and SDKs:   server_addr localhost:4443, root_cas var/ca.pem, authtoken in var/authtoken\n"
            "  names are made under:      ngrok.localhost\n"
            "  CA of the certificates:    var/ca.pem\n"
            "  management API:            http://127.0.0.1:4040, its key is in var/api-key\n",
        )

    def test_without_key(self) -> None:
        """Whoever has no key yet is told how to get one, and that nothing needs to be started again."""
        (line,) = [line for line in self.welcome(self.folder).splitlines() if "note:" in line]
        self.assertIn(f"no SSH key in {self.folder / '.ssh'} may connect yet", line)
        self.assertIn("ssh-keygen -t ed25519", line)
        self.assertIn("at once", line)


class ConfiguredTests(ConfigCase):
    """What an operator reads."""

    def test_public(self) -> None:
        """The usual port is not written, agents connect under the domain, warnings are shown."""
        (self.folder / "keys").write_text(f'from="x" {KEY}\n{KEY}\n')
        config = self.load(
            "domain: example.com\nlisten: {https: 'tcp:443', ssh: 'tcp:22'}\nssh: {authorized_keys: keys}\n"
        )
        text = welcome(config, "/etc/ngrok.yaml")
        self.assertIn("is ready (/etc/ngrok.yaml)\n", text)
        self.assertIn("ssh -R 443:localhost:3000 connect.example.com\n", text)
        ca = shown(self.folder / "var" / "ca.pem")
        self.assertIn(f"  ngrok's agents and SDKs:   server_addr connect.example.com:443, root_cas {ca}\n", text)
        self.assertIn("  management API:            https://api.example.com\n", text)
        self.assertIn(f"  note: {config.warnings[0]}\n", text)
        self.assertNotIn("ssh-keygen", text)

    def test_without_key(self) -> None:
        """An operator who has declared no key reads where to put one."""
        text = welcome(self.load("domain: example.com\n"), "c.yaml")
        self.assertIn("ssh-keygen -t ed25519", text)
        self.assertIn("ssh.authorized_keys", text)
        declared = welcome(self.load(f'ssh_credentials: [{{public_key: "{KEY}"}}]\n'), "c.yaml")
        self.assertNotIn("ssh-keygen", declared)

    def test_without_ssh(self) -> None:
        """Where no agent can connect, no command is shown, and no key is missed."""
        text = welcome(self.load("domain: example.com\nlisten: {https: 'tcp:443'}\n"), "c.yaml")
        self.assertNotIn("ssh -", text)
        self.assertNotIn("note:", text)
        text = welcome(self.load("domain: example.com\nlisten: {http: 'tcp:80'}\n"), "c.yaml")
        self.assertNotIn("agents", text)

    def test_ssh_line(self) -> None:
        """The port is that of the first listener that has one."""
        config = replace(Config(domain="example.com"), listen=Listen(ssh=("systemd:domain=INET:index=0", "tcp:2200")))
        self.assertEqual(ssh_line(config), "ssh -p 2200 -R 443:localhost:3000 connect.example.com")
        config = replace(config, listen=Listen(ssh=("systemd:domain=INET:index=0",)))
        self.assertEqual(ssh_line(config), "ssh -R 443:localhost:3000 connect.example.com")


class ShownTests(SynchronousTestCase):
    """Paths as one would type them."""

    def test_below(self) -> None:
        """What is below the current folder is shown from there, anything else whole."""
        self.assertEqual(shown(Path.cwd() / "var" / "ca.pem"), "var/ca.pem")
        self.assertEqual(shown(Path("/elsewhere/ca.pem")), "/elsewhere/ca.pem")


class SayTests(SynchronousTestCase):
    """The welcome is no log event."""

    def test_past_the_log(self) -> None:
        """Where twistd has taken standard output for its log, the text goes to the real one."""
        real = StringIO()
        self.patch(sys, "__stdout__", real)
        self.patch(sys, "stdout", LoggingFile(Logger(observer=lambda event: self.fail("logged"))))
        say("hello")
        self.assertEqual(real.getvalue(), "hello\n")

    def test_plain(self) -> None:
        """Anywhere else it goes to standard output."""
        out = StringIO()
        self.patch(sys, "stdout", out)
        say("hello")
        self.assertEqual(out.getvalue(), "hello\n")
