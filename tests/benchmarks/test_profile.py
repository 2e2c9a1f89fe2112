"""Tests of `benchmarks.profile`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arms.edge import EdgeArm
from benchmarks.kinds import all_suites
from benchmarks.profile import Point, Profile, choose, document, points, render
from benchmarks.workshop import Unusable

LINES = [
    [10, "/usr/bin/python3.11", "/src/ngrok_twisted/edge/http1.py", "HTTPChannel._start", 305],
    [20, "kernel", "/src/ngrok_twisted/net/eager.py", "EagerTransport.write", 57],
    [30, "kernel", "/src/ngrok_twisted/net/eager.py", "EagerTransport.write", 57],
    [40, "/usr/lib/libssl.so.3", "/src/ngrok_twisted/net/eager.py", "EagerTransport.write", 57],
]


class PointsTests(SynchronousTestCase):
    """Tests of `points`."""

    def test_window(self) -> None:
        """Only samples of the work itself count, not those of its preparation and its end."""
        self.assertEqual(
            list(points(LINES, 15, 25)),
            [Point(part="kernel", area="net", function="net/eager.py:57 EagerTransport.write")],
        )
        self.assertEqual(len(list(points(LINES, 10, 40))), 4)


class RenderTests(SynchronousTestCase):
    """Tests of `render` and `document`."""

    def profile(self) -> Profile:
        """Four samples of a request of 40 µs."""
        found = tuple(points(LINES, 0, 100))
        return Profile(title="plain, https, edge", cost=40.0, unit="µs/request", points=found, seconds=0.005)

    def test_scaled(self) -> None:
        """Samples are scaled to what a unit costs, most first; areas by kind of code, functions likewise."""
        self.assertEqual(
            render(self.profile()),
            """\
plain, https, edge: 40.0 µs/request; 4 samples of 0.02 CPU seconds, 0.01 in all

| area (µs/request) | Python | OpenSSL | kernel |  all |
| ----------------- | -----: | ------: | -----: | ---: |
| net               |        |    10.0 |   20.0 | 30.0 |
| edge              |   10.0 |         |        | 10.0 |
| **all**           |   10.0 |    10.0 |   20.0 | 40.0 |

| function (µs/request)                  | Python |    C | kernel |  all |
| -------------------------------------- | -----: | ---: | -----: | ---: |
| `net/eager.py:57 EagerTransport.write` |        | 10.0 |   20.0 | 30.0 |
| `edge/http1.py:305 HTTPChannel._start` |   10.0 |      |        | 10.0 |
""",
        )

    def test_others(self) -> None:
        """Areas that hardly matter share a line, at its place."""
        many = [[0, "kernel", "/src/ngrok_twisted/net/eager.py", "write", 57]] * 298
        few = [[0, "kernel", f"/src/ngrok_twisted/{name}.py", name, 1] for name in ("flow", "claim")]
        found = tuple(points([*many, *few], 0, 100))
        made = render(Profile(title="t", cost=300.0, unit="µs", points=found, seconds=1))
        rows = [line.split("|")[1].strip() for line in made.split("\n\n")[1].splitlines()[2:]]
        self.assertEqual(rows, ["net", "others", "**all**"])
        self.assertIn("| others    |   2.00 | 2.00 |", made)

    def test_document(self) -> None:
        """For machines the same figures are there, and nothing is left out."""
        made = document(self.profile())
        self.assertEqual(sum(entry["cost"] for entry in made["areas"]), 40)
        self.assertEqual(
            made["functions"],
            [
                {"function": "net/eager.py:57 EagerTransport.write", "cost": 30},
                {"function": "edge/http1.py:305 HTTPChannel._start", "cost": 10},
            ],
        )


class ChooseTests(SynchronousTestCase):
    """Tests of `choose`."""

    def test_words(self) -> None:
        """A kind of work is known by words of its name, in any suite of that name; without words it is the first."""
        suites = all_suites()
        self.assertEqual(choose(suites, [EdgeArm], "plain", "http, small")[1], "http, small answers (121 B)")
        self.assertEqual(choose(suites, [EdgeArm], "tls", "")[1:], ("full handshake", EdgeArm))

    def test_none(self) -> None:
        """One that is not there, or that nobody of these does, is said."""
        for name, words in (("plain", "gopher"), ("workers", "")):
            self.assertRaises(Unusable, choose, all_suites(), [EdgeArm], name, words)
