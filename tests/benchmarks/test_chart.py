"""Tests of `benchmarks.chart`."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.chart import FIGURES, LABELS, WIDTH, draw
from tests.benchmarks.outcomes import make_outcome

SVG = "{http://www.w3.org/2000/svg}"


class DrawTests(SynchronousTestCase):
    """Tests of `draw`."""

    def setUp(self) -> None:
        """A drawn outcome."""
        self.root = ElementTree.fromstring(draw([make_outcome()]))

    def test_texts(self) -> None:
        """Names and medians are written, with characters that XML reserves kept whole."""
        texts = [element.text for element in self.root.iter(f"{SVG}text")]
        for text in ("Requests", "small <answers>", "edge", "35.0", "peer", "70.0"):
            self.assertIn(text, texts)

    def test_lengths(self) -> None:
        """Bars are as long as medians, on a scale on which the slowest round just fits."""
        _, edge, peer = [float(element.attrib["width"]) for element in self.root.iter(f"{SVG}rect")]
        room = WIDTH - LABELS - FIGURES
        self.assertApproximates(peer, room * 70 / 80, 0.1)
        self.assertApproximates(edge, room * 35 / 80, 0.1)

    def test_inside(self) -> None:
        """Every line of text lies on the picture."""
        height = int(self.root.attrib["height"])
        self.assertTrue(all(0 < int(element.attrib["y"]) < height for element in self.root.iter(f"{SVG}text")))
