"""Tests of `benchmarks.h2load`."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arm import Address
from benchmarks.h2load import command, held_up, paced, parse
from benchmarks.workshop import Unusable

SAID = """\
starting benchmark...
progress: 100% of clients started
Application protocol: h2
Stopped all clients for thread #0

finished in 2.50s, 37718.00 req/s, 10.00MB/s
requests: 103 total, 104 started, 103 done, 100 succeeded, 2 failed, 1 errored, 4 timeout
status codes: 100 2xx, 0 3xx, 0 4xx, 2 5xx
"""
LOG = "".join(f"1795353270719239\t200\t{1000 * number}\n" for number in range(1, 101))


class ParseTests(SynchronousTestCase):
    """Tests of `parse`."""

    def test_figures(self) -> None:
        """Requests, failures of any kind and seconds come from what it prints, milliseconds from its log."""
        report = parse(SAID, LOG)
        self.assertEqual((report.protocol, report.requests, report.failed, report.seconds), ("h2", 100, 7, 2.5))
        self.assertEqual((report.p50, round(report.p99)), (50.5, 100))

    def test_short_run(self) -> None:
        """Its units of time are understood."""
        self.assertEqual(parse(SAID.replace("2.50s", "870.25ms"), LOG).seconds, 0.87025)

    def test_omitted(self) -> None:
        """Requests that one long answer held up count with the time that they would have waited."""
        log = "".join("0\t200\t1000\n" for _ in range(1000))
        stalled = log + "0\t200\t500000\n"
        self.assertEqual(round(parse(SAID, stalled).p99), 1)
        self.assertGreater(parse(SAID, stalled, 10).p99, 300)
        self.assertEqual(parse(SAID, log, 10).p99, 1)

    def test_arriving(self) -> None:
        """What was sent while visitors still came does not count, but for the number of requests."""
        first = "".join(f"{number * 1000}\t200\t90000\n" for number in range(100))
        later = "".join(f"{number * 1000}\t200\t1000\n" for number in range(100, 200))
        report = parse(SAID, first + later, arriving=0.1)
        self.assertEqual((report.requests, report.p50, report.p99), (100, 1, 1))
        self.assertEqual(parse(SAID, first + later).p99, 90)

    def test_nothing(self) -> None:
        """Without figures there is no report."""
        for said, log in (("", LOG), (SAID, ""), (SAID.replace("finished", "died"), LOG)):
            self.assertRaises(Unusable, parse, said, log)


class CommandTests(SynchronousTestCase):
    """Tests of `command`."""

    def words(self, connections: int, streams: int) -> str:
        """The command line as one text."""
        address = Address(host="app.ngrok.localhost", port=8443)
        return " ".join(command(address, "/small", connections, streams, 3, Path("x.log")))

    def test_http2(self) -> None:
        """Streams share connections; the name is asked for, but loopback is connected to."""
        words = self.words(2, 50)
        for part in ("-c 2 -m 50 -D 3", "--connect-to 127.0.0.1:8443", "https://app.ngrok.localhost:8443/small"):
            self.assertIn(part, words)
        self.assertNotIn("--h1", words)

    def test_http1(self) -> None:
        """Nothing is pipelined in HTTP/1.1."""
        words = self.words(100, 0)
        self.assertIn("-c 100 --h1 -D 3", words)
        self.assertNotIn("-m", words.split())

    def test_pace(self) -> None:
        """At a pace, as many requests are sent as belong to the time, and connections begin one after the other."""
        address = Address(host="app.ngrok.localhost", port=8443)
        words = " ".join(command(address, "/small", 64, 0, 2, Path("x.log"), rate=1600))
        self.assertIn("-c 64 --h1 --rps 25.000 -n 3200 -r 2 --rate-period 1ms --log-file", words)
        self.assertNotIn("-D", words.split())


class PacedTests(SynchronousTestCase):
    """Tests of `paced`."""

    def test_spread(self) -> None:
        """Connections begin over about the time in which each sends one request, be the pace fast or slow."""
        for rate in (50, 340, 1600, 9000):
            options = paced(rate, 64, 2)
            at_once = int(options[options.index("-r") + 1])
            period = int(options[options.index("--rate-period") + 1].removesuffix("ms"))
            begun = 64 / at_once * period
            self.assertTrue(0.5 < begun / (64 / rate * 1000) < 1.5, (rate, options))

    def test_slow(self) -> None:
        """Every connection has at least one request."""
        self.assertIn("64", paced(5, 64, 1))


class HeldUpTests(SynchronousTestCase):
    """Tests of `held_up`."""

    def test_each(self) -> None:
        """Each request that was due meanwhile would have waited for the rest of the time."""
        self.assertEqual(held_up(35, 10), [25, 15, 5])

    def test_nobody(self) -> None:
        """A quick answer holds nobody up, and without a pace nobody was due."""
        self.assertEqual((held_up(9, 10), held_up(35, 0)), ([], []))
