"""
`Arm`: one competitor. A new peer is a new file in `benchmarks.arms` with a class ``Arm`` that derives from this one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Mapping

from benchmarks import proc
from benchmarks.workshop import Workshop

BUILT = Path(__file__).resolve().parents[1] / ".cache" / "go"
"""Where peers are that were built for this checkout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """
    The public side of an arm.

    :ivar host: the host name that visitors name, in the ClientHello and in ``Host``. They connect to loopback anyhow.
    :ivar port: the loopback port.
    """

    host: str
    port: int


class Arm:
    """
    One competitor. It is made for one suite, started once, and stopped by its workshop.

    :cvar label: its name in tables, options and JSON.
    :cvar role: one clause for the reader: what exactly runs.
    :cvar carries: the kinds of public side it can have, ``tcp`` and ``https``; ``ssh``, if clients may come and go; and
        ``agent``, ``agent-http`` and ``agent-tcp``, if it is a way for agents and has a public side for HTTPS, plain HTTP and
        TCP; and ``h2``, if it is to be compared by visitors who speak HTTP/2. Without a tunnel: ``plain-http`` and ``plain-https`` for requests, ``route`` for
        requests over TLS with the work of a realistic route, ``handshake`` for TLS connections that are answered by the
        arm itself, ``relay-tcp`` and ``relay-tls`` for bytes.
    :cvar http2: whether they do; otherwise they speak HTTP/1.1.
    :cvar needs: the programs that must be on PATH, each with the way to get it.
    :ivar roots: the processes whose trees are under test.
    :ivar clients: the processes on the user's side, such as ``ssh``; reported, never charged to the arm.
    """

    label: ClassVar[str]
    role: ClassVar[str]
    carries: ClassVar[frozenset[str]]
    http2: ClassVar[bool] = True
    needs: ClassVar[Mapping[str, str]] = {}

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.roots: list[int] = []
        self.clients: list[int] = []

    def missing(self) -> str:
        """What keeps it from being started here and what to do about it; empty if nothing does."""
        return missing_tools(self.needs)

    def start_tcp(self, origin: int) -> Address:
        """
        Start, and carry a public TCP port to a service.

        :param origin: the service's loopback port.
        :raises Unusable: with the reason.
        """
        raise NotImplementedError

    def start_https(self, origin: int) -> Address:
        """
        Start, and carry a public HTTPS name to a service that speaks plain HTTP.

        :param origin: the service's loopback port.
        :raises Unusable: with the reason.
        """
        raise NotImplementedError

    def start_http(self, origin: int) -> Address:
        """
        Start, and carry a public plain HTTP name to a service that speaks plain HTTP.

        :param origin: the service's loopback port.
        :raises Unusable: with the reason.
        """
        raise NotImplementedError

    def start_ssh(self) -> int:
        """
        Start, without a tunnel.

        :return: the loopback port where SSH clients with a key of `benchmarks.openssh` may ask for tunnels.
        :raises Unusable: with the reason.
        """
        raise NotImplementedError

    def start_direct(self, way: str, origin: int) -> Address:
        """
        Start, and carry a public side straight to a service, without a tunnel.

        :param way: one of those that it `carries`.
        :param origin: the service's loopback port.
        :raises Unusable: with the reason.
        """
        raise NotImplementedError

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU seconds used so far by the servers, and by the clients."""
        stats = list(proc.running())
        return (
            proc.cpu_seconds(stats, self.roots, proc.run_time),
            proc.cpu_seconds(stats, self.clients, proc.run_time),
        )

    def longest_turn(self) -> float | None:
        """Seconds of the longest turn of its event loop since this was last asked; ``None`` if it does not tell."""
        return None

    def memory_kib(self) -> int:
        """KiB that the servers hold now (PSS)."""
        return proc.memory_kib(self.roots)

    def data_kib(self) -> int:
        """KiB of data that the servers hold now, without program files: fit for differences."""
        return proc.memory_kib(self.roots, proc.PSS_OF_DATA)


def missing_tools(needs: Mapping[str, str]) -> str:
    """
    :param needs: programs, each with the way to get it.
    :return: a sentence about those that are not on PATH; empty if all are.
    """
    absent = [f"{tool} is not on PATH ({remedy})" for tool, remedy in needs.items() if which(tool) is None]
    return "; ".join(absent)


def which(tool: str) -> str | None:
    """
    :return: where the program is. Daemons of the distribution live in ``/usr/sbin``, which users lack in PATH; peers that
        ``scripts/install-bench-peers`` has built live in `BUILT`.
    """
    return shutil.which(tool) or shutil.which(tool, path=f"/usr/sbin:/sbin:/usr/local/sbin:{BUILT}")
