"""
Tests for `ngrok_twisted.labels`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.labels import label_problems


class LabelTests(SynchronousTestCase):
    """What a tunnel can carry."""

    def test_good(self) -> None:
        """Up to 25 pairs, of texts in any language."""
        self.assertEqual(list(label_problems({"app": "x", "größe": "ü" * 256, "k" * 128: "v"})), [])
        self.assertEqual(list(label_problems({str(number): "x" for number in range(25)})), [])

    def test_bad(self) -> None:
        """Each fault has its number, and says where it is."""
        for labels, path, code in (
            ({}, "labels", 6508),
            ({str(number): "x" for number in range(26)}, "labels", 6508),
            ({"": "x"}, "labels.", 6509),
            ({"k" * 129: "x"}, "labels." + "k" * 128, 6509),
            ({"a": ""}, "labels.a", 6510),
            ({"a": "v" * 257}, "labels.a", 6510),
            ({"a=b": "c"}, "labels.a=b", 6531),
            ({"a": "b=c"}, "labels.a", 6531),
        ):
            found = [(problem.path, problem.code) for problem in label_problems(labels)]
            self.assertEqual(found, [(path, code)])
