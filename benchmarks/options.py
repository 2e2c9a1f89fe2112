"""
The command line of ``python -m benchmarks``.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    :ivar suites: the names of those to run.
    :ivar whole: none was asked for by its name.
    :ivar arms: the labels of those to run.
    :ivar rounds: rounds that count, after one that does not.
    :ivar seconds: how long one piece of work shall take, about.
    :ivar minutes: that the whole run may take; suites make fewer rounds if it is short.
    :ivar begun: when these minutes began, in seconds since the epoch.
    :ivar table: print the table of an earlier run, from ``json``, instead of running anything.
    :ivar json: the file for all figures.
    :ivar svg: the file for the chart.
    """

    suites: tuple[str, ...]
    whole: bool
    arms: tuple[str, ...]
    rounds: int
    seconds: float
    minutes: float
    begun: float
    table: bool
    json: Path
    svg: Path


def parse(arguments: Sequence[str], *, suites: Sequence[str], arms: Sequence[str], now: float = 0.0) -> Options:
    """
    :param suites: the names there are; one that several have counts once.
    :param arms: the labels there are.
    :param now: seconds since the epoch.
    :raises SystemExit: the command line asks for help, or cannot be used.
    """
    suites = tuple(dict.fromkeys(suites))
    parser = ArgumentParser(prog="python -m benchmarks", description="The edge beside its peers, on loopback only.")
    parser.add_argument("--suite", action="append", choices=suites, help="only this one; may be repeated")
    parser.add_argument("--arm", action="append", choices=arms, help="only this competitor; may be repeated")
    parser.add_argument("--rounds", type=_positive_int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--seconds", type=_positive, default=3.0, help="per measurement, about (default: 3)")
    parser.add_argument("--minutes", type=_positive, default=60.0, help="for the whole run (default: 60)")
    parser.add_argument("--begun", type=float, default=now, help="when they began, in seconds since the epoch")
    parser.add_argument("--table", action="store_true", help="only print the table of targets of an earlier run")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json", help="file for all figures")
    parser.add_argument("--svg", type=Path, default=RESULTS / "latest.svg", help="file for the chart")
    found = parser.parse_args(arguments)
    return Options(
        suites=tuple(found.suite or suites),
        whole=not found.suite,
        arms=tuple(found.arm or arms),
        rounds=found.rounds,
        seconds=found.seconds,
        minutes=found.minutes,
        begun=found.begun,
        table=found.table,
        json=found.json,
        svg=found.svg,
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not above zero")
    return value


def _positive_int(text: str) -> int:
    value = _positive(text)
    if value != int(value):
        raise ArgumentTypeError(f"{text!r} is no whole number")
    return int(value)
