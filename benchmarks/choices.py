"""
What it costs to choose who answers: ``python -m benchmarks.choices``.

For groups of labelled tunnels and for pools of endpoints of 2, 100 and 1,000 members: microseconds of CPU from a flow that
wants an answer to the first target, and back to the flow's end; for weighted backends likewise. Best of several rounds.
"""

from __future__ import annotations

from random import Random
from time import process_time
from typing import Any, Callable

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.backends.tunnel_group import TunnelGroup, TunnelGroupConfig
from ngrok_twisted.backends.weighted import Weighted, WeightedConfig
from ngrok_twisted.edge.agents import AgentBackend
from ngrok_twisted.flow import Flow
from ngrok_twisted.tunnels import Tunnels

#: Choices of one measurement, and measurements of each kind: the best one counts.
COUNT = 20_000
ROUNDS = 7

MICROSECOND = 1e6

SIZES = (1, 2, 100, 1000)


class Member:
    """As much of a tunnel as the table and a flow look at."""

    session_id = "ts_1"
    account_id = "ac_1"
    url = ""

    def __init__(self, number: int) -> None:
        self.id = f"tn_{number}"
        self.endpoint_id = f"ep_{number}"
        self.labels = {"app": "web", "number": str(number)}

    def observe(self, flow: Flow) -> None:
        """See `ngrok_twisted.interfaces.ITunnel`."""


class Nobody:
    """A backend without a choice."""

    def __init__(self) -> None:
        self._targets = (Member(0),)

    def candidates(self, flow: Flow) -> Any:
        """IBackend."""
        return iter(self._targets)


def cost(choose: Callable[[Flow], Any]) -> float:
    """Microseconds of one choice, without what the flow costs by itself."""
    return round(_best(choose) - _best(lambda flow: None), 2)


def _best(choose: Callable[[Flow], Any]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = process_time()
        for _ in range(COUNT):
            flow = Flow("192.0.2.1", 1, "https", 0.0)
            choose(flow)
            flow.finish(1.0)
        best = min(best, process_time() - started)
    return best / COUNT * MICROSECOND


def first_of(backend: Any) -> Callable[[Flow], Any]:
    """Asks a backend as the edge does."""

    def choose(flow: Flow) -> Any:
        for target in backend.candidates(flow):
            return target

    return choose


def main() -> None:
    """Print a line for each kind and size."""
    for size in SIZES:
        tunnels = Tunnels()
        for number in range(size):
            tunnels.online(Member(number))
        context = BackendContext(tunnels=tunnels, account_id="ac_1", find=lambda id: Nobody(), random=Random(1))
        group = TunnelGroup(TunnelGroupConfig(labels={"app": "web"}), context)
        pool = AgentBackend(tuple(f"ep_{number}" for number in range(size)), tunnels, Random(1))
        print(f"{size:>5} members: tunnel_group {cost(first_of(group))} µs, pool {cost(first_of(pool))} µs")
    for size in (2, 25):
        context = BackendContext(tunnels=Tunnels(), account_id="ac_1", find=lambda id: Nobody(), random=Random(1))
        weighted = Weighted(WeightedConfig(backends={str(number): number + 1 for number in range(size)}), context)
        print(f"{size:>5} backends: weighted {cost(first_of(weighted))} µs")


if __name__ == "__main__":
    main()
