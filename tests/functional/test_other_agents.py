"""
Clients other than OpenSSH: Dropbear, PuTTY's plink, npm ``ssh2`` and paramiko.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Mapping, Sequence

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tcp
from tests.functional.edge import TCP_HOST
from tests.functional.service import Service, echo
from tests.functional.tools import node_module, peer, program, tool
from tests.functional.web import checksum


class Client:
    """A client process whose output goes to a file."""

    def __init__(self, words: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self._file = tempfile.NamedTemporaryFile(dir=directory)
        self.process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=self._file,
            stderr=self._file,
            env={**os.environ, "HOME": str(directory), **(environment or {})},
        )

    @property
    def said(self) -> str:
        """All that it has printed."""
        return Path(self._file.name).read_text(errors="replace")

    def close(self) -> None:
        """End it."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.terminate()
        self.process.wait(10)
        self._file.close()


class ClientTestCase(EdgeTestCase):
    """One client, in the forms it is used in."""

    def run_client(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> Client:
        """Start a client that ends with the test."""
        client = Client(words, self.edge.directory, environment)
        self.addCleanup(client.close)
        return client

    def wait_said(self, client: Client, pattern: str) -> re.Match[str]:
        """Wait until the client's output matches."""

        def look() -> re.Match[str] | None:
            match = re.search(pattern, client.said)
            if match is None and client.process.poll() is not None:
                raise AssertionError(f"exit code {client.process.returncode}: {client.said}")
            return match

        found = self.eventually(look, f"{pattern} from the client")
        assert found is not None
        return found

    def assert_serves(self, name: str) -> None:
        """The name leads to a service, small and large."""
        self.eventually(lambda: self.get(f"https://{name}/").status == 200, "answer from the service")
        answer = self.get(f"https://{name}/size/5000000")
        self.assertEqual(hashlib.sha1(answer.body).hexdigest(), checksum(5000000))
        self.assertIn(b'"length": 3000000', self.get(f"https://{name}/echo", method="POST", body=b"u" * 3000000).body)


class DropbearTests(ClientTestCase):
    """``dbclient``."""

    def command(self, *words: str) -> list[str]:
        """The command line."""
        converted = self.edge.directory / "user.dropbear"
        if not converted.exists():
            convert = [program("dropbearconvert"), "openssh", "dropbear", str(self.edge.key), str(converted)]
            subprocess.run(convert, check=True, capture_output=True, timeout=30)
        return [program("dbclient"), "-y", "-y", "-i", str(converted), "-p", str(self.edge.ssh), *words]

    def test_named(self) -> None:
        """A named forward without a session."""
        name = self.new_name()
        self.run_client(self.command("-N", "-R", f"{name}:443:127.0.0.1:{self.web().port}", "v2@127.0.0.1"))
        self.assert_serves(name)

    def test_command(self) -> None:
        """A forward with a command: its session is opened before the forward is asked for."""
        client = self.run_client(self.command("-R", f"443:127.0.0.1:{self.web().port}", "v2@127.0.0.1", "http"))
        self.assert_serves(self.wait_said(client, r"https://([^:\s]+)")[1])

    def test_tcp(self) -> None:
        """A reserved TCP address."""
        service, port = self.serve(Service(echo)), self.edge.tcp[0]
        forward = f"{TCP_HOST}:{port}:127.0.0.1:{service.port}"
        client = self.run_client(self.command("-R", forward, "v2@127.0.0.1", "tcp"))
        self.wait_said(client, rf"tcp://{re.escape(TCP_HOST)}:{port}")
        with open_tcp(port) as connection:
            connection.sendall(b"ping")
            self.assertEqual(connection.recv(10), b"ping")


class PlinkTests(ClientTestCase):
    """PuTTY's ``plink``, which never sends port 0."""

    def command(self, *words: str) -> list[str]:
        """The command line."""
        converted = self.edge.directory / "user.ppk"
        if not converted.exists():
            convert = [program("puttygen"), str(self.edge.key), "-o", str(converted)]
            subprocess.run(convert, check=True, capture_output=True, timeout=30)
        scan = ["-p", str(self.edge.ssh), "-t", "ed25519", "127.0.0.1"]
        found = subprocess.run([program("ssh-keyscan"), *scan], capture_output=True, check=True, timeout=30).stdout
        listed = subprocess.run(
            [program("ssh-keygen"), "-lf", "-"], input=found, capture_output=True, check=True
        ).stdout
        fingerprint = listed.decode().split()[1]
        return [
            *(program("plink"), "-ssh", "-batch", "-hostkey", fingerprint, "-i", str(converted)),
            *("-P", str(self.edge.ssh), *words),
        ]

    def test_named(self) -> None:
        """A named forward without a session."""
        name = self.new_name()
        self.run_client(self.command("-N", "-R", f"{name}:443:127.0.0.1:{self.web().port}", "v2@127.0.0.1"))
        self.assert_serves(name)

    def test_command(self) -> None:
        """A forward with a command."""
        client = self.run_client(self.command("-R", f"443:127.0.0.1:{self.web().port}", "v2@127.0.0.1", "http"))
        self.assert_serves(self.wait_said(client, r"https://([^:\s]+)")[1])

    def test_refused_service(self) -> None:
        """plink confirms a channel before it has dialled; a close before the first byte counts as refused."""
        name = self.new_name()
        self.run_client(self.command("-N", "-R", f"{name}:443:127.0.0.1:1", "v2@127.0.0.1"))
        self.eventually(lambda: self.get(f"https://{name}/").status == 502, "answer 502")


class SSH2Tests(ClientTestCase):
    """npm ``ssh2``, which drops channels that do not name the port it was told."""

    def start(self, name: str, remote: int, local: int, *command: str) -> Client:
        """Start the client."""
        environment = {"NODE_PATH": node_module("ssh2")}
        words = [str(self.edge.ssh), str(self.edge.key), name, str(remote), str(local), *command]
        return self.run_client([program("node"), peer("ssh2_forward.js"), *words], environment)

    def test_named(self) -> None:
        """A named forward without a session."""
        name = self.new_name()
        self.wait_said(self.start(name, 443, self.web().port), "ready")
        self.assert_serves(name)

    def test_port_zero(self) -> None:
        """Port 0: the answer carries the port, and the channels name it."""
        client = self.start("-", 0, self.web().port, "http")
        self.assert_serves(self.wait_said(client, r"https://([^:\s]+)")[1])
        self.wait_said(client, "ready 443")


class ParamikoTests(ClientTestCase):
    """paramiko, which asks and waits before it opens a session."""

    def start(self, name: str, remote: int, local: int, *command: str) -> Client:
        """Start the client."""
        words = [str(self.edge.ssh), str(self.edge.key), name, str(remote), str(local), *command]
        return self.run_client([tool("python"), peer("paramiko_forward.py"), *words])

    def test_named(self) -> None:
        """A named forward without a session."""
        name = self.new_name()
        self.wait_said(self.start(name, 443, self.web().port), "ready")
        self.assert_serves(name)

    def test_port_zero(self) -> None:
        """Port 0 is answered with the port."""
        self.wait_said(self.start("-", 0, self.web().port), "ready 443")
