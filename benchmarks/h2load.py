"""
h2load, nghttp2's load generator: its command line, and what is read out of what it tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median, quantiles

from benchmarks.arm import Address
from benchmarks.workshop import LOOPBACK, Unusable

NEEDS = {"h2load": "apt-get install nghttp2-client"}

HEADERS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.7,de;q=0.3",
    "accept-encoding": "gzip, deflate, br, zstd",
    "cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
    "referer": "https://bench.localhost/start",
    "cache-control": "no-cache",
    "sec-fetch-mode": "navigate",
}
"""A browser's, the same as those of ``load/visitors.lua``."""

MILLISECOND = 1000
"""Microseconds, in which its log counts."""

_PROTOCOL = re.compile(r"^Application protocol: (\S+)", re.MULTILINE)
_FINISHED = re.compile(r"^finished in ([\d.]+)(ms|s|us)", re.MULTILINE)
_REQUESTS = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    :ivar protocol: what ALPN chose, ``h2`` or ``http/1.1``.
    :ivar requests: that were answered with success.
    :ivar failed: that were not.
    :ivar seconds: how long it took.
    :ivar p50: milliseconds within which half of the requests were answered.
    :ivar p99: milliseconds within which 99 of 100 were.
    """

    protocol: str
    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float


def command(
    address: Address, path: str, connections: int, streams: int, seconds: int, log: Path, rate: float = 0
) -> list[str]:
    """
    :param connections: at once.
    :param streams: requests under way on each; 0 for connections that speak HTTP/1.1, with one each.
    :param log: the file for a line a request.
    :param rate: requests a second in all, whether the ones before are answered or not; 0 for as many as it takes.
    :return: the command line.
    """
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    version = ["-m", str(streams)] if streams else ["--h1"]
    return [
        *("h2load", "-t1", "-c", str(connections), *version),
        *(paced(rate, connections, seconds) if rate else ("-D", str(seconds))),
        *("--log-file", str(log), "--connect-to", f"{LOOPBACK}:{address.port}", *headers),
        f"https://{address.host}:{address.port}{path}",
    ]


def paced(rate: float, connections: int, seconds: int) -> tuple[str, ...]:
    """
    The options that spread requests evenly: each connection keeps a pace of its own, and they begin one after the other. With
    ``-D`` all would begin together, and send together ever after.

    :param rate: requests a second in all.
    """
    count = max(connections, round(rate * seconds))
    at_once = ceil(rate / MILLISECOND)
    period = max(1, round(at_once * MILLISECOND / rate))
    pace = ("--rps", f"{rate / connections:.3f}", "-n", str(count))
    return (*pace, "-r", str(at_once), "--rate-period", f"{period}ms")


def parse(text: str, log: str, interval: float = 0, arriving: float = 0) -> Report:
    """
    :param arriving: seconds from the first request on in which requests do not count for ``p50`` and ``p99``: that is when all
        connections are opened, and those that are open wait for the handshakes of the others.
    :param interval: milliseconds after which a connection was to send its next request, where it was to keep a pace. A
        request that took longer held up those behind it, which never came into the log; they are put in with the time that they
        would have waited ("coordinated omission").
    :param text: what it printed.
    :param log: what it wrote into its log: start, status and microseconds a line, with tabs between.
    :raises Unusable: there is no report in it.
    """
    protocol, finished, requests = (pattern.search(text) for pattern in (_PROTOCOL, _FINISHED, _REQUESTS))
    times = _times(log, arriving)
    times += [waited for time in times for waited in held_up(time, interval)]
    if protocol is None or finished is None or requests is None or len(times) < 2:
        raise Unusable(f"h2load reports nothing: {text.strip()[-300:]}")
    succeeded, failed, errored, timed_out = map(int, requests.groups())
    return Report(
        protocol=protocol[1],
        requests=succeeded,
        failed=failed + errored + timed_out,
        seconds=float(finished[1]) * _SECONDS[finished[2]],
        p50=median(times),
        p99=quantiles(times, n=100)[98],
    )


def _times(log: str, arriving: float) -> list[float]:
    """
    :param arriving: as `parse` has it.
    :return: milliseconds that requests took.
    """
    lines = [line.split("\t") for line in log.splitlines() if line]
    since = min((int(line[0]) for line in lines), default=0) + round(arriving * MILLISECOND * MILLISECOND)
    return [int(line[2]) / MILLISECOND for line in lines if int(line[0]) >= since]


def held_up(time: float, interval: float) -> list[float]:
    """
    :param time: milliseconds that a request took.
    :param interval: milliseconds until the next one was to be sent; 0 if none was to be.
    :return: milliseconds that each request would have waited that was to be sent meanwhile.
    """
    count = int(time / interval) if interval else 0
    return [time - number * interval for number in range(1, count + 1)]
