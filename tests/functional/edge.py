"""
`Edge`: one running ``twistd ngrok``, on free loopback ports, with a state directory and users' keys of its own.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Mapping

import yaml

from tests.functional.ports import free_port, free_range
from tests.functional.tools import ROOT, program
from tests.functional.waiting import wait_until

# A cold start makes host keys and a CA; on a busy two-core machine that takes a while.
START_TIMEOUT = 40
# The product promises to drain for 30 s at most; the rest is for a busy machine.
STOP_TIMEOUT = 45

# What must never stand in the log, whatever visitors and agents do.
ALARMING = re.compile(
    rb"Traceback \(most recent call last\)|Unhandled|#critical\]|never retrieved|never awaited|Task was destroyed"
)

# Events go to nobody outside this machine, unless a test says where: nobody listens on the port "discard".
NOWHERE = dict.fromkeys(
    ("AWS_ENDPOINT_URL", "AZURE_AUTHORITY_HOST", "AZURE_LOGS_INGESTION_ENDPOINT_URL", "DATADOG_ENDPOINT_URL"),
    "http://127.0.0.1:9",
)

# Puts the descriptors whose numbers it is given where systemd puts them, and becomes the program behind: only the process
# itself knows its id.
AS_SYSTEMD = """
import os, sys
from fcntl import F_DUPFD, fcntl
numbers, names, *words = sys.argv[1:]
aside = [fcntl(int(number), F_DUPFD, 50) for number in numbers.split(",")]
for place, number in enumerate(aside, 3):
    os.dup2(number, place)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(aside)), LISTEN_FDNAMES=names)
os.execv(words[0], words)
"""

# With ``EDGE_WORKERS=2 make test`` everything has to be true of a server of two processes, too.
WORKERS = os.environ.get("EDGE_WORKERS", "")

DOMAIN = "edge.localhost"
TCP_HOST = f"tcp.{DOMAIN}"
TCP_PORTS = 8

# What ngrok's agents show; it has the form of the tokens that the server makes.
AUTHTOKEN = "2tests0authtoken0of0the0edge_4Kd8sQw7Zx1Lm5Vt3Bn6R"


def twistd() -> str:
    """The ``twistd`` that belongs to the interpreter of the tests."""
    beside = Path(sys.executable).with_name("twistd")
    return str(beside) if beside.exists() else program("twistd")


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """
    :return: the path of a new private key; the public one is beside it with ``.pub``.
    """
    command = [program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", "tests", "-f", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


class Edge:
    """
    :ivar directory: holds ``config.yaml``, the keys, the log and ``state/``; removed by `remove`.
    :ivar key: the private key of the user who may connect.
    :ivar https: the port of the TLS front; ``http``, ``ssh``, ``agent`` and ``api`` likewise; ``tcp`` is the range of public
        TCP ports.
    """

    def __init__(
        self,
        extra: Mapping[str, Any] | None = None,
        *,
        files: int | None = None,
        directory: Path | None = None,
        tcp_ports: int = TCP_PORTS,
        command: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        :param extra: keys of ``config.yaml`` beside, or instead of, the usual ones.
        :param files: a limit on the process's descriptors (``RLIMIT_NOFILE``).
        :param directory: where an earlier edge lived, to start again upon its state.
        :param command: what to run instead of this checkout's ``twistd``.
        :param environment: variables of the process instead of the usual ones.
        """
        self.directory = directory or Path(tempfile.mkdtemp(prefix="edge-"))
        self.https, self.http, self.ssh, self.agent, self.api = (free_port() for _ in range(5))
        self.tcp = free_range(tcp_ports)
        self.key = self.directory / "user"
        if not self.key.exists():
            make_key(self.key)
        self.files = files
        self.command = command or (twistd(),)
        usual = {**os.environ, "PYTHONPATH": str(ROOT), **NOWHERE}
        self.environment = usual if environment is None else dict(environment)
        self.process: subprocess.Popen[bytes] | None = None
        self._seen = self._launched = 0
        self.configure(extra or {})

    # -- places --------------------------------------------------------------------------------------------------------

    @property
    def log_path(self) -> Path:
        """Where everything that the process prints goes."""
        return self.directory / "log"

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.directory / "state"

    @property
    def ca(self) -> Path:
        """The certificate of the local CA."""
        return self.state / "ca.pem"

    @property
    def config_path(self) -> Path:
        """The config file."""
        return self.directory / "config.yaml"

    @property
    def public_key(self) -> str:
        """The user's public key, as a line of ``authorized_keys``."""
        return self.key.with_suffix(".pub").read_text().strip()

    def url(self, name: str, path: str = "/") -> str:
        """The https URL of a name under the domain."""
        return f"https://{name}.{DOMAIN}:{self.https}{path}"

    def configure(self, extra: Mapping[str, Any]) -> None:
        """Write ``config.yaml``: the usual keys and ``extra`` over them."""
        config: dict[str, Any] = {
            "domain": DOMAIN,
            "listen": {
                name: f"tcp:{getattr(self, name)}:interface=127.0.0.1"
                for name in ("https", "http", "ssh", "agent", "api")
            },
            "tcp": {"host": TCP_HOST, "interface": "127.0.0.1", "ports": f"{self.tcp[0]}-{self.tcp[-1]}"},
            "state": "state",
            "ssh_credentials": [{"public_key": self.public_key}],
            "credentials": [{"name": "agents", "token": AUTHTOKEN}],
            "reserved_domains": [{"domain": f"*.wild.{DOMAIN}"}],
            "reserved_addrs": [{"name": "db", "addr": f"{TCP_HOST}:{self.tcp[0]}"}],
        }
        if WORKERS:
            config["workers"] = int(WORKERS)
        config.update(extra)
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False))

    # -- life ----------------------------------------------------------------------------------------------------------

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for anything."""
        with self.log_path.open("ab") as log:
            self._launched = log.tell()
            self.process = subprocess.Popen(
                [*self.command, "-n", "--pidfile=", "ngrok", "-c", str(self.config_path)],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._prepare,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Edge:
        """Start the process and wait until it says that it is ready, which it does when every listener accepts."""
        self.launch()
        wait_until(self._ready, START_TIMEOUT, lambda: f"edge that is ready; its log:\n{self.log()}")
        return self

    def stop(self) -> int:
        """
        Ask the process to end, and wait.

        :return: its exit code.
        """
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def remove(self) -> None:
        """End the process and forget its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    # -- looking inside ------------------------------------------------------------------------------------------------

    def log(self) -> str:
        """All that the process has printed."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def new_alarms(self) -> str:
        """What the log gained since the last call that is alarming: each line with the indented ones that follow it."""
        text = self.log_path.read_bytes()[self._seen :]
        self._seen += len(text)
        entries = re.split(rb"\n(?=\S)", text)
        return "\n".join(entry.decode(errors="replace") for entry in entries if ALARMING.search(entry))

    def resident_megabytes(self) -> float:
        """The resident memory of the process (``VmRSS``)."""
        return self._status("VmRSS") / 1024

    def descriptors(self) -> int:
        """How many file descriptors the process has open."""
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self) -> float:
        """The processor time, user and system, that the process has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
        assert match is not None, f"no {name} in the process's status"
        return int(match[1])

    def _prepare(self) -> None:
        # a suite that a shell runs in the background ignores SIGINT, and so would whatever it starts
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

    def _ready(self) -> bool:
        assert self.alive, f"the edge ended by itself; its log:\n{self.log()}"
        return b" is ready" in self.log_path.read_bytes()[self._launched :]
