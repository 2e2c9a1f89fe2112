"""
`OfficialClient`: one of ngrok's own API clients in a process of its own, asked call by call.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from typing import Any, Mapping

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


class OfficialClient:
    """
    :ivar language: the key of its names in the table of methods: ``python``, ``javascript`` or ``go``.
    """

    def __init__(self, language: str, base_url: str, api_key: str, ca: Path | None = None) -> None:
        self.language = language
        trust = {name: str(ca) for name in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE") if ca}
        environment = {**os.environ, "API_KEY": api_key, "NODE_PATH": str(NODE_MODULES), **trust}
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
        readable, _, _ = select.select([self._process.stdout], [], [], CALL_TIMEOUT)
        line = self._process.stdout.readline() if readable else b""
        assert line, f"the {self.language} client gave no answer to {call}"
        answer = json.loads(line)
        if "error" in answer:
            raise Complaint(f"{self.language} {call}", answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


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
