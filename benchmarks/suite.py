"""
`Suite`: one kind of work. A new one is a new file in `benchmarks.suites` with a class that derives from this one.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import ClassVar, Iterator, Mapping, Sequence

from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.workshop import Workshop

MILLISECONDS = 1000.0
"""In a second."""

SETTLE = 0.1
"""Seconds between the end of the work and the look at ``/proc``, in which servers close what is left open."""


class Suite:
    """
    One kind of work, done by every arm that carries it.

    :cvar name: its name in options and JSON. What belongs together and is counted in different units is several suites of
        one name.
    :cvar title: a line for the reader.
    :cvar carries: the kind of arm it needs, see `benchmarks.arm.Arm`.
    :cvar first: the label of the arm that the others are compared with.
    :cvar needs: the programs that its load needs, each with the way to get it.
    :cvar cells: the names of its kinds of work.
    :cvar skips: the labels of arms that would fit and add little: they take part if they are asked for.
    :cvar most_rounds: rounds that it makes, however many are asked for: some work takes long and spreads little.
    :cvar weight: how many times as much of a run's time it has as its pieces of work would give it: some work spreads much.
    :ivar seconds: how long one piece of work shall take, about.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    carries: ClassVar[str]
    first: ClassVar[str] = "edge"
    unit: ClassVar[Unit]
    cells: ClassVar[Sequence[str]]
    needs: ClassVar[Mapping[str, str]] = {}
    skips: ClassVar[frozenset[str]] = frozenset()
    most_rounds: ClassVar[int] = 1000
    weight: ClassVar[float] = 1

    @classmethod
    def fits(cls, arm: type[Arm], asked: bool = False) -> bool:
        """
        Whether an arm takes part.

        :param asked: somebody asked for just this one.
        """
        return cls.carries in arm.carries and (asked or arm.label not in cls.skips)

    def __init__(self, workshop: Workshop, seconds: float) -> None:
        self.workshop = workshop
        self.seconds = seconds
        self._addresses: dict[str, Address] = {}

    def open(self) -> None:
        """
        Start the service that all tunnels lead to.

        :raises Unusable: it does not come up.
        """
        raise NotImplementedError

    def start(self, arm: Arm) -> Address:
        """
        Start an arm with a tunnel to the service.

        :raises Unusable: it does not come up.
        """
        raise NotImplementedError

    def warm_up(self, arm: Arm, cell: str) -> None:
        """
        Let an arm do a piece of this work before it counts.

        :raises Unusable: it cannot.
        """
        self.measure(arm, cell)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """
        One piece of work.

        :raises Unusable: the arm did not do it whole.
        """
        raise NotImplementedError

    def admit(self, arm: Arm) -> None:
        """
        Start an arm and remember its public side.

        :raises Unusable: it does not come up.
        """
        self._addresses[arm.label] = self.start(arm)

    def address(self, arm: Arm) -> Address:
        """The public side of an admitted arm."""
        return self._addresses[arm.label]


class Bill:
    """
    What a piece of work cost; filled in when it is over.

    :ivar cpu: CPU seconds of the servers.
    :ivar client_cpu: CPU seconds of the clients; ``None`` if there are none.
    :ivar stall: seconds of the longest turn of the server's event loop, where it tells.
    """

    cpu = 0.0
    client_cpu: float | None = None
    stall: float | None = None

    def sample(
        self, arm: Arm, units: float, seconds: float, p50: float | None = None, p99: float | None = None
    ) -> Sample:
        """
        The work as a sample; the fields are those of `Sample`.

        :param arm: who did it; its memory is looked at now.
        """
        return Sample(
            units=units,
            seconds=seconds,
            spent=self.cpu,
            client_cpu=self.client_cpu,
            memory=arm.memory_kib(),
            p50=p50,
            p99=p99,
            stall=None if self.stall is None else self.stall * MILLISECONDS,
        )


@contextmanager
def billed(arm: Arm) -> Iterator[Bill]:
    """Bill the work inside to an arm."""
    bill = Bill()
    arm.longest_turn()
    cpu, client_cpu = arm.cpu_seconds()
    yield bill
    time.sleep(SETTLE)
    cpu_after, client_cpu_after = arm.cpu_seconds()
    bill.stall = arm.longest_turn()
    bill.cpu = cpu_after - cpu
    bill.client_cpu = client_cpu_after - client_cpu if arm.clients else None
