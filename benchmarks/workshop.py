"""
`Workshop`: a temporary directory and the processes that were started for a run; both are gone when the run is over.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, Sequence

from benchmarks import proc

LOOPBACK = "127.0.0.1"
SECONDS = 1.0
START_TIMEOUT = 15 * SECONDS
"""A server that has no port by then will not get one; sshd and nginx need 0.05 s, an edge that makes its CA about 2."""
STOP_TIMEOUT = 5 * SECONDS
"""How long a server may take to end after SIGTERM before it is killed."""
POLL_INTERVAL = 0.02 * SECONDS
PORTS = range(10000, 32000)
"""
Below those that the kernel gives to connections on their way out (ip_local_port_range, from 32768), of which there are tens of
thousands during and after some suites.
"""
ATTEMPTS = 1000
"""Until a free port is given up for lost."""


class Unusable(Exception):
    """A program of an arm or of the load does not do its work: the message says which, and what it said last."""


class Workshop:
    """
    Where a run's files and processes live. Use it as a context manager.

    :ivar directory: the temporary directory; readable by everyone, for servers that change their user.
    :ivar servers: the address under which users' clients find servers.
    :ivar more_keys: lines for ``authorized_keys``, beside those of `benchmarks.openssh`.
    :ivar users: what stands before the command line of a user's client, see `benchmarks.far`.
    """

    def __init__(self) -> None:
        self.servers = LOOPBACK
        self.users: tuple[str, ...] = ()
        self.more_keys: list[str] = []
        self.directory = Path(tempfile.mkdtemp(prefix="ngrok-bench-"))
        self.directory.chmod(0o755)
        self._undo: list[Callable[[], object]] = []
        self._keys: dict[str, Path] = {}

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what was started, last first, then remove the files. A second call does nothing."""
        while self._undo:
            self._undo.pop()()
        shutil.rmtree(self.directory, ignore_errors=True)

    def at_end(self, undo: Callable[[], object]) -> None:
        """
        :param undo: called without arguments when the workshop closes.
        """
        self._undo.append(undo)

    def folder(self, name: str) -> Path:
        """A folder of this name, made if needed."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def key(self, name: str) -> Path:
        """
        An Ed25519 SSH key without a passphrase, made on first use.

        :return: the private key's file; the public one has ``.pub`` behind it.
        """
        if name not in self._keys:
            path = self.directory / name
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path))
            self._keys[name] = path
        return self._keys[name]

    def start(self, name: str, *command: str, ready: Callable[[], bool] | None = None) -> Process:
        """
        Start a server, and stop it when the workshop closes.

        :param name: what it is called in messages; its output goes to ``<name>.log``.
        :param ready: asked until it says yes.
        :raises Unusable: it ended, or is not ready in `START_TIMEOUT`.
        """
        process = Process(name, command, self.directory)
        self.at_end(process.stop)
        if ready is not None:
            process.wait_until(ready)
        return process


class Process:
    """
    A running server.

    :ivar pid: its number.
    :ivar log: the file that holds what it wrote.
    """

    def __init__(self, name: str, command: Sequence[str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pid = self._popen.pid

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready: Callable[[], bool], timeout: float = START_TIMEOUT) -> None:
        """
        :param ready: asked until it says yes.
        :param timeout: seconds.
        :raises Unusable: it ended, or is not ready in time.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if self._popen.poll() is not None:
                raise Unusable(f"{self.name} ended with {self._popen.returncode}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise Unusable(f"{self.name} is not ready after {timeout:.0f} s: {self._last_words()}")
            time.sleep(POLL_INTERVAL)

    def stop(self) -> None:
        """End it and whatever descends from it: SIGTERM, and SIGKILL for those that are left."""
        family = [stat.pid for stat in proc.tree(proc.running(), [self.pid])]
        self._popen.terminate()
        try:
            self._popen.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        for pid in set(family) - {self.pid}:
            self._kill_orphan(pid)

    def _kill_orphan(self, pid: int) -> None:
        """End a descendant that outlived the process; the session's number tells ours from a stranger's."""
        try:
            if os.getsid(pid) == self.pid or os.getpgid(pid) == self.pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _last_words(self) -> str:
        lines = [line for line in self.output().splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or "it said nothing"


def run(*command: str, timeout: float = 30 * SECONDS) -> str:
    """
    Run a program to its end.

    :param timeout: seconds.
    :return: what it wrote on its standard output.
    :raises Unusable: it failed, or was not done in time.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unusable(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours as a program."""
    return (sys.executable, "-m", name, *arguments)


def report_of(*command: str, timeout: float) -> dict[str, float]:
    """
    Run a program of `benchmarks.load` that ends with one line of JSON.

    :param timeout: seconds.
    :raises Unusable: it failed, or was not done in time.
    """
    report: dict[str, float] = json.loads(run(*command, timeout=timeout).splitlines()[-1])
    return report


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """
    :return: the first of ``count`` neighbouring loopback ports that nobody listens on right now, out of `PORTS`; not likely one
        that this or another run was given a moment ago.
    """
    for _ in range(ATTEMPTS):
        first = random.randrange(PORTS.start, PORTS.stop - count)
        if all(map(_is_free, range(first, first + count))):
            return first
    raise Unusable(f"no {count} neighbouring loopback ports are free")


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as sock:
        sock.settimeout(1 * SECONDS)
        return sock.connect_ex((LOOPBACK, port)) == 0


def answers(port: int, host: str) -> bool:
    """Whether the service behind a plain HTTP listener answers a small request for this host."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1 * SECONDS)
    try:
        connection.request("GET", "/small", headers={"Host": host})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
