"""
`LinePeer`: a process that says lines, and may be told some.
"""

from __future__ import annotations

import os
import subprocess
from typing import Sequence

from tests.functional.descriptors import readable

#: Seconds for one line on a busy machine.
PATIENCE = 60


class LinePeer:
    """One process, with its standard input and output."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "GRPC_VERBOSITY": "NONE"}
        )
        self._read = b""

    def line(self) -> str:
        """The next line that it says; empty if it has ended."""
        assert self.process.stdout is not None
        while b"\n" not in self._read:
            if not readable(PATIENCE, self.process.stdout):
                raise AssertionError("the peer says nothing")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return ""
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def wait_for(self, word: str) -> None:
        """Read until it says this."""
        while (line := self.line()) != word:
            assert line, "the peer has ended"

    def tell(self, line: str) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
