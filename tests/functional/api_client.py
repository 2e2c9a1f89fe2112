"""
`OfficialClient`: one of ngrok's own API clients in a process of its own, asked call by call.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import Any, Mapping

from tests.functional.clients import open_tcp
from tests.functional.descriptors import readable
from tests.functional.edge import DOMAIN, Edge
from tests.functional.relay import Relay
from tests.functional.tools import NODE_MODULES, ROOT, node_module, peer, program, require

#: Seconds for one call, lists of several pages included.
CALL_TIMEOUT = 30

CLIENTS_PYTHON = ROOT / ".venv-ngrok-api" / "bin" / "python"
GO_CLIENT = ROOT / ".cache" / "go" / "ngrok_api_go"


class Complaint(Exception):
    """
    What a client says about a call that failed.

    :ivar status: the HTTP status that it read; 0 where the client itself failed.
    :ivar code: ngrok's code.
    """

    def __init__(self, call: str, told: Mapping[str, Any]) -> None:
        self.status, self.code = told["status"], told["code"]
        super().__init__(f"{call}: {told}")


class NameServer(Relay):
    """
    An HTTP proxy (``CONNECT``) to whom every name is the edge's: the names of tests are in no name service, and clients
    cannot be told where they are in any other way.
    """

    def __init__(self, edge: Edge) -> None:
        super().__init__(lambda: open_tcp(edge.https))

    def _join(self, client: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += client.recv(1) or b"\r\n\r\n"
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        super()._join(client)


class OfficialClient:
    """
    The Python and Go clients come to ``https://api.<domain>``; JavaScript's knows no proxies and comes to the plain
    listener.

    :ivar language: the key of its names in the table of methods: ``python``, ``javascript`` or ``go``.
    """

    def __init__(self, language: str, edge: Edge, api_key: str) -> None:
        self.language = language
        self._names = NameServer(edge)
        plain = language == "javascript"
        base_url = f"http://127.0.0.1:{edge.api}" if plain else f"https://api.{DOMAIN}:{edge.https}"
        environment = {
            **os.environ,
            "API_KEY": api_key,
            "NODE_PATH": str(NODE_MODULES),
            "REQUESTS_CA_BUNDLE": str(edge.ca),
            "SSL_CERT_FILE": str(edge.ca),
            "HTTPS_PROXY": f"http://127.0.0.1:{self._names.port}",
        }
        self._process = subprocess.Popen(
            [*_command(language), base_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def __call__(self, call: str, given: Mapping[str, Any] | None = None) -> Any:
        """
        :param call: the client's own name of a method.
        :raises Complaint: it did not work.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "given": given or {}}).encode() + b"\n")
        self._process.stdin.flush()
        out = self._process.stdout
        line = out.readline() if readable(CALL_TIMEOUT, out) else b""
        assert line, f"the {self.language} client gave no answer to {call}"
        answer = json.loads(line)
        if "error" in answer:
            raise Complaint(f"{self.language} {call}", answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._names.close()


def _command(language: str) -> list[str]:
    if language == "python":
        require(CLIENTS_PYTHON.exists(), "PyPI ngrok-api in .venv-ngrok-api")
        return [str(CLIENTS_PYTHON), peer("ngrok_api.py")]
    if language == "javascript":
        node_module("@ngrok/ngrok-api")
        return [program("node"), peer("ngrok_api.js")]
    program("go")
    require(GO_CLIENT.exists(), "the Go client in .cache/go")
    return [str(GO_CLIENT)]
