"""Tests of `benchmarks.h2load`."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arm import Address
from benchmarks.h2load import command, parse
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
