"""
What many agents cost: ``python -m benchmarks.many_agents [AGENTS [STREAMS]]``.

One server process gets so many sessions of ngrok's agent protocol at once, with three https endpoints each, from two other
processes that play the agents (`benchmarks.load.fake_agents`). Measured are

- memory of a session with its endpoints, and of further endpoints: data (PSS without program files), as far as it grows;
- CPU time at rest, when there is nothing but heartbeats;
- a storm: all connections break at the same moment, and every agent comes back at once and asks for what it had;
- requests in flight, so many for each agent, of visitors that speak HTTP/2 and share one URL: each is a stream to an agent;

and how long one more visitor, of an agent that has no part in this, waits meanwhile. Wall-clock times are those of everything
on one machine: the agents and the visitors need as much of it as the server does.
"""

from __future__ import annotations

import http.client
import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import Any, ClassVar

from benchmarks import proc
from benchmarks.agents import HOST
from benchmarks.arms.edge import EdgeArm
from benchmarks.edge_config import DOMAIN, Config
from benchmarks.workshop import LOOPBACK, Workshop, python_module

AGENTS = 1000
"""Agents, unless told otherwise."""
STREAMS = 100
"""Requests in flight for each of them, unless told otherwise."""
ENDPOINTS = 3
MORE = 7
"""Endpoints of each agent at first, and those that it asks for later."""
PROCESSES = 2
"""That play the agents."""
REST = 60
"""Seconds at rest: six heartbeats of each agent."""
SETTLE = 3
"""Seconds for what is still under way."""
RAMP = 40
"""Seconds in which the visitors come: a hundred thousand requests in one moment would say little about streams."""
PAUSE = 0.01
"""Seconds between two requests of the visitor who waits."""
PATIENCE = 600
"""Seconds for any step."""
SPARE = 500
"""Descriptors that a process needs besides those of agents and visitors."""

POOL, CANARY = f"pool.{DOMAIN}", f"canary.{DOMAIN}"
MILLISECONDS = 1000
KIBIBYTES = 1024


class ManyArm(EdgeArm):
    """The product, with limits that let the agents of one authtoken in."""

    label: ClassVar[str] = "many"
    ports: dict[str, int]

    def start(self) -> None:
        """Start it."""
        self.ports = self._start()

    @property
    def ca(self) -> str:
        """The certificate of its CA."""
        return str(self.state / "ca.pem")

    @property
    def cpu(self) -> float:
        """CPU seconds that it has used."""
        return proc.cpu_seconds(proc.running(), self.roots)

    @property
    def data(self) -> int:
        """KiB of its data."""
        return proc.memory_kib(self.roots, proc.PSS_OF_DATA)

    def make_config(self, ports: dict[str, int]) -> Config:
        """`EdgeArm`."""
        return super().make_config(ports) | {"agent": {"max_sessions_per_credential": 100_000}, "access_log": "off"}


class Fleet:
    """Agents in processes of their own."""

    def __init__(self, server: ManyArm, count: int, endpoints: int, shared: str, processes: int = 1) -> None:
        """
        :param shared: the name of the endpoint that all of them have.
        """
        self._processes = []
        for number in range(processes):
            share = count // processes + (number < count % processes)
            arguments = (server.ports["agent"], server.ca, share, endpoints, shared)
            command = python_module("benchmarks.load.fake_agents", *map(str, arguments))
            self._processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def do(self, order: str) -> list[dict[str, Any]]:
        """Have all do something. :return: what each process says when it is done."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{order}\n".encode())
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in self._processes]  # type: ignore[union-attr]

    def streams(self) -> int:
        """Proxied streams that are open."""
        return sum(said["streams"] for said in self.do("streams"))

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.wait()


class Visitor(threading.Thread):
    """
    Asks for one page again and again.

    :ivar waits: seconds that each answer took.
    :ivar failed: requests without one.
    """

    def __init__(self, server: ManyArm, host: str) -> None:
        super().__init__(daemon=True)
        self._context = ssl.create_default_context(cafile=server.ca)
        self._port, self._host = server.ports["https"], host
        self._enough = threading.Event()
        self.waits: list[float] = []
        self.failed = 0
        self.start()

    def run(self) -> None:
        """Until `end`."""
        connection = self._connect()
        while not self._enough.wait(PAUSE):
            begun = time.perf_counter()
            try:
                connection.request("GET", "/", headers={"Host": self._host})
                self.failed += connection.getresponse().read() != b"ok"
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection = self._connect()
            self.waits.append(time.perf_counter() - begun)

    def end(self) -> str:
        """Stop. :return: how long it waited."""
        self._enough.set()
        self.join(PATIENCE)
        waits = sorted(self.waits)
        p50, p99 = (waits[int(len(waits) * part)] * MILLISECONDS for part in (0.5, 0.99))
        return f"visitor p50 {p50:.1f} ms, p99 {p99:.0f} ms, slowest {waits[-1] * MILLISECONDS:.0f} ms, {self.failed} failed"

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE)
        plain = socket.create_connection((LOOPBACK, self._port), PATIENCE)
        connection.sock = self._context.wrap_socket(plain, server_hostname=self._host)
        return connection


class Step:
    """One thing that is measured: seconds, CPU and memory of the server, and a visitor's waiting."""

    def __init__(self, server: ManyArm) -> None:
        self._server = server
        self.visitor = Visitor(server, CANARY)
        self.memory, self._cpu, self._begun = server.data, server.cpu, time.perf_counter()

    def end(self, what: str, *details: str) -> None:
        """Print it."""
        seconds, cpu = time.perf_counter() - self._begun, self._server.cpu - self._cpu
        print(
            f"{what:28} {seconds:7.1f} s, server's CPU {cpu:6.2f} s; {'; '.join((*details, self.visitor.end()))}",
            flush=True,
        )

    def grown(self) -> float:
        """KiB that the server's data have grown by."""
        time.sleep(SETTLE)
        return self._server.data - self.memory


def main(arguments: list[str]) -> None:
    """Measure and print."""
    agents, streams = (int(text) for text in (*arguments, *map(str, (AGENTS, STREAMS)[len(arguments) :])))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert 2 * agents + SPARE <= most, f"{agents} agents and as many visitors need more than {most} descriptors"
    with Workshop() as workshop:
        server = ManyArm(workshop)
        server.start()
        canary = Fleet(server, 1, 1, CANARY)
        fleet = Fleet(server, agents, ENDPOINTS, POOL, PROCESSES)
        workshop.at_end(canary.close)
        workshop.at_end(fleet.close)
        canary.do("connect")
        print(f"{agents} agents at {HOST}, {ENDPOINTS} endpoints each, {server.data / KIBIBYTES:.0f} MiB before")
        arrive(server, fleet, agents)
        rest(server)
        for _ in range(2):
            storm(server, fleet)
        hold(server, fleet, agents, streams)


def arrive(server: ManyArm, fleet: Fleet, agents: int) -> None:
    """All come, and then ask for more."""
    step = Step(server)
    fleet.do("connect")
    step.end("all connect")
    print(f"{'memory':28} {step.grown() / agents:7.1f} KiB a session with {ENDPOINTS} endpoints")
    step = Step(server)
    fleet.do(f"more {MORE}")
    step.end(f"{MORE} endpoints more each")
    print(f"{'memory':28} {step.grown() / agents / MORE:7.1f} KiB an endpoint", flush=True)
    fleet.do(f"fewer {MORE}")


def rest(server: ManyArm) -> None:
    """Nothing happens but heartbeats."""
    time.sleep(SETTLE)
    before = server.cpu
    time.sleep(REST)
    print(f"{'at rest':28} {REST:7.1f} s, server's CPU {server.cpu - before:6.2f} s", flush=True)


def storm(server: ManyArm, fleet: Fleet) -> None:
    """All connections break."""
    step = Step(server)
    said = fleet.do("drop")
    half = max(one["half"] for one in said)
    step.end("storm", f"half are back after {half:.1f} s", f"{sum(one['refused'] for one in said)} refusals")
    time.sleep(SETTLE)


def hold(server: ManyArm, fleet: Fleet, agents: int, streams: int) -> None:
    """Requests in flight."""
    fleet.do("hold")
    step = Step(server)
    wanted = agents * streams
    visitors = subprocess.Popen(
        (
            *("h2load", "-c", str(agents), "-m", str(streams), "-n", str(wanted), "-r", str(max(1, agents // RAMP))),
            *("--connect-to", f"{LOOPBACK}:{server.ports['https']}", f"https://{POOL}:{server.ports['https']}/"),
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while (found := fleet.streams()) < wanted and time.monotonic() < deadline:
        time.sleep(1)
    step.end("requests held", f"{found} streams")
    print(
        f"{'memory':28} {step.grown() / max(1, found):7.2f} KiB a request in flight, {server.data / KIBIBYTES:.0f} MiB in all"
    )
    step = Step(server)
    fleet.do("answer")
    said, _ = visitors.communicate(timeout=PATIENCE)
    step.end("requests answered", next(line for line in said.splitlines() if line.startswith("requests:")))


if __name__ == "__main__":
    main(sys.argv[1:])
