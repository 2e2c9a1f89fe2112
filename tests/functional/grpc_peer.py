"""
`GRPCService` and `GRPCClient`: grpcio's own server and client, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from typing import Any

from tests.functional.edge import Edge
from tests.functional.ports import free_port
from tests.functional.tools import peer, tool

#: Seconds for one line on a busy machine.
PATIENCE = 60


class Peer:
    """A process that answers lines with lines."""

    def __init__(self, script: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [tool("python"), peer(script), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "GRPC_VERBOSITY": "NONE"},
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            raise AssertionError("the peer says nothing")
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class GRPCService(Peer):
    """
    A gRPC service.

    :ivar port: where it listens.
    """

    def __init__(self, *pair: str, port: int = 0) -> None:
        """
        :param pair: the paths of a certificate and its key, for a service that speaks TLS.
        :param port: where to listen, if it matters.
        """
        self.port = port or free_port()
        super().__init__("grpc_service.py", str(self.port), *pair)
        assert self.line() == "ready"


class GRPCClient(Peer):
    """A gRPC channel to one name."""

    def __init__(self, edge: Edge, host: str) -> None:
        super().__init__("grpc_client.py", str(edge.https), host, str(edge.ca))

    def ask(self, name: str, *arguments: Any) -> None:
        """Begin one call."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()

    def call(self, name: str, *arguments: Any) -> Any:
        """One call, and what became of it."""
        self.ask(name, *arguments)
        return json.loads(self.line())
