"""
What the edge is measured by: the targets, each with the claims that it takes.

A target is a ratio to a peer in one run on one machine, in CPU seconds of the server's processes for a unit of work where nothing
else is said. ``python -m benchmarks --table`` prints them beside the figures of a run.
"""

from __future__ import annotations

from benchmarks.table import grid, number
from benchmarks.verdicts import Claim, Document, Row, judge, lines, worst_stall, yes_or_no

HALF, THIRD = 1 / 2, 1 / 3
STALL_LIMIT = 20.0
"""Milliseconds that the event loop may be away at most, in any run."""
STALLS = "the longest turn of the event loop, in any run above", f"{number(STALL_LIMIT)} ms", "itself"
"""The last line of the table: work, target and against whom."""
STALLS_HEADING = "Turns of the event loop"

LINK = 100e6 / 8 / 1e9
"""Gigabytes a second of the link of the suite ``delay``. Its 20 MB take 1.6 seconds, and slow start half of that again."""

SMALL, LARGE = ("small",), ("100 KB",)

TARGETS = (
    Row(
        heading="Bulk bytes through ssh -R",
        work="bulk bytes through ssh -R: download and upload, 1 and 8 streams",
        target="half of sshd's CPU at its default, a third of a Go server's",
        claims=(
            Claim(suite="ssh", peer="sshd", limit=HALF),
            Claim(suite="ssh", peer="sshd-gcm"),
            Claim(suite="ssh", peer="sish", limit=THIRD),
            Claim(suite="ssh", peer="go-ssh", limit=THIRD),
        ),
    ),
    Row(
        heading="Bulk bytes over a distance",
        work="one stream over 50 and 100 ms on 100 Mbit/s, download and upload",
        target="not slower than sshd and sish (5 % is noise), and fills the link",
        claims=(
            *(
                Claim(suite="delay", cells=("far user",), peer=peer, figure="time", limit=1.05)
                for peer in ("sshd", "sish")
            ),
            Claim(suite="delay", cells=("far user",), figure="time", limit=1.5, scale=LINK, unit="× the link's"),
        ),
    ),
    Row(
        heading="Small requests through a tunnel",
        work="small requests, https → ssh -R → service, 64 visitors",
        target="at or below nginx + sshd, less than half of sish",
        claims=(
            Claim(suite="https", cells=SMALL, peer="nginx+sshd", limit=1),
            Claim(suite="https", cells=SMALL, peer="sish", limit=HALF),
        ),
    ),
    Row(
        heading="Answers of 100 KB",
        work="100 KB answers, the same way",
        target="ahead of nginx + sshd, half of sish",
        claims=(
            Claim(suite="https", cells=LARGE, peer="nginx+sshd", limit=1),
            Claim(suite="https", cells=LARGE, peer="sish", limit=HALF),
        ),
    ),
    Row(
        heading="Latency",
        work="latency of both at half load: small, 100 KB",
        target="p50 and p99 ahead of both",
        claims=tuple(
            Claim(suite="latency", peer=peer, figure=figure, limit=1)
            for peer in ("nginx+sshd", "sish")
            for figure in ("p50", "p99")
        ),
    ),
    Row(
        heading="Small requests to a plain upstream",
        work="small requests to a plain upstream: https, http",
        target="within 2× of nginx; a tenth of twisted.web's proxy",
        claims=(
            Claim(suite="plain", peer="nginx", limit=2),
            Claim(suite="plain", peer="haproxy"),
            Claim(suite="plain", peer="go-proxy"),
            Claim(suite="plain", peer="twisted.web", limit=0.1),
        ),
    ),
    Row(
        heading="A realistic route",
        work="a realistic route: small answers, compressed JSON of 4 KB",
        target="within 3× of nginx with the same job",
        claims=(Claim(suite="route", peer="nginx", limit=3),),
    ),
    Row(
        heading="TLS connections",
        work="new TLS 1.3 connections, ECDSA: full, resumed",
        target="within 1.25× of nginx",
        claims=(Claim(suite="tls", peer="nginx", limit=1.25), Claim(suite="tls", peer="haproxy")),
    ),
    Row(
        heading="Bytes through a relay",
        work="relay to a plain upstream: bytes over TCP (download, upload, 8 streams), over TLS passthrough",
        target="ahead of HAProxy in tcp mode",
        claims=(Claim(suite="relay", cells=("tcp, ", "tls, "), peer="haproxy", limit=1),),
    ),
    Row(
        heading="Connections through a relay",
        work="relay to a plain upstream: connections over TCP, TLS passthrough",
        target="within 3× of HAProxy",
        claims=(Claim(suite="relay", cells=("tcp: ", "tls: "), peer="haproxy", limit=3),),
    ),
    Row(
        heading="HTTP/2",
        work="HTTP/2 visitors: 100 connections, 1 connection of 100 streams; small, 100 KB",
        target="within 4× of nginx",
        claims=(
            Claim(suite="h2", peer="nginx+sshd", limit=4),
            Claim(suite="h2", peer="edge-http1"),
        ),
    ),
    Row(
        heading="Requests through ngrok's agents",
        work="ngrok's agents: requests in the clear (small, 100 KB)",
        target="ahead of frp with its client, and of sish",
        claims=tuple(
            Claim(suite="agent", cells=("http, ",), ours=ours, peer=peer, limit=1)
            for ours in ("agent-python", "agent-go")
            for peer in ("frp", "sish")
        ),
    ),
    Row(
        heading="Bulk bytes through ngrok's agents",
        work="ngrok's agents: bulk bytes (download and upload, 1 and 8 streams)",
        target="ahead of frp with its client, and of sish",
        claims=tuple(
            Claim(suite="agent", cells=("download", "upload"), ours=ours, peer=peer, limit=1)
            for ours in ("agent-python", "agent-go")
            for peer in ("frp", "sish")
        ),
    ),
    *(
        Row(
            heading=f"Memory of an {who}",
            work=f"memory of an idle {who}: 1,000 and 10,000 of them",
            target=f"{kib:g} KiB, at 10,000 as at 1,000",
            claims=(
                Claim(
                    suite="memory", cells=(f"1,000 idle {who}", f"10,000 idle {who}"), limit=kib, unit="KiB", least=1
                ),
                Claim(suite="memory", cells=(f"1,000 idle {who}",), peer=peer),
            ),
        )
        for who, kib, peer in (
            ("ssh tunnel", 12, "go-ssh"),
            ("http visitor", 1.5, "nginx"),
            ("https visitor", 17, "nginx"),
        )
    ),
    Row(
        heading="Log-ins",
        work="a thousand ssh log-ins at once: curve25519, mlkem768x25519",
        target="within 1.5× of a Go server",
        claims=(Claim(suite="logins", peer="go-ssh", limit=1.5),),
    ),
    Row(
        heading="Ten thousand tunnels",
        work="10,000 tunnels online, 1,000 in use",
        target="within 10 % of ten tunnels",
        claims=(Claim(suite="tunnels", ours="edge-10000", peer="edge-10", limit=1.1),),
    ),
    Row(
        heading="Two processes",
        work="two processes instead of one (workers: 2), where the load leaves room",
        target="1.7 times as much",
        claims=(
            Claim(
                suite="workers",
                cells=("realistic route, gzipped JSON of 64 KB",),
                ours="edge-2",
                peer="edge-1",
                figure="time",
                limit=1 / 1.7,
            ),
            Claim(suite="workers", ours="edge-2", peer="edge-1"),
        ),
    ),
)
"""In the order of the issue that they come from."""


def missed(document: Document) -> list[str]:
    """
    :param document: what ``python -m benchmarks`` wrote.
    :return: the headings of the targets that are not met, in order, under which the documentation says why.
    """
    found = [row.heading for row in TARGETS if any(judge(claim, document).met is False for claim in row.claims)]
    stall = worst_stall(document)
    return found + [STALLS_HEADING] * bool(stall and stall[0] > STALL_LIMIT)


def claims() -> list[Claim]:
    """What it takes to meet all of them."""
    return [claim for row in TARGETS for claim in row.claims]


def render(document: Document) -> str:
    """
    :param document: what ``python -m benchmarks`` wrote.
    :return: all targets with what was found, as a Markdown table.
    """
    stall = worst_stall(document)
    found = "–" if stall is None else f"{number(stall[0])} ms, in {stall[1]}"
    met = "not measured" if stall is None else yes_or_no(stall[0] <= STALL_LIMIT)
    last = [*STALLS, found, "" if stall else "–", met]
    header = ["work", "target", "against", "found (limit)", "rounds", "met"]
    return "\n".join(grid(header, [*lines(TARGETS, document), last], left=3)) + "\n"
