"""
Tests of `ngrok_twisted.control.random_names`.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import random_names
from ngrok_twisted.control.random_names import random_label
from ngrok_twisted.hostnames import normalise


class RandomLabelTests(SynchronousTestCase):
    """`random_label`."""

    def test_form(self) -> None:
        """Every label is two words and four hexadecimal digits, and a name as it is."""
        random = Random(1)
        for _ in range(200):
            label = random_label(random)
            self.assertRegex(label, r"^[a-z]{3,8}-[a-z]{2,8}-[0-9a-f]{4}$")
            self.assertEqual(normalise(label), label)

    def test_words(self) -> None:
        """No word is wasted."""
        for words in (random_names._ADJECTIVES, random_names._NOUNS):
            self.assertGreaterEqual(len(words), 128)
            self.assertEqual(len(set(words)), len(words))
