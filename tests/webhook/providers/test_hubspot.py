"""
Tests for `ngrok_twisted.webhook.providers.hubspot`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.vectors import Vector, vectors, verdict


class HubSpotTests(SynchronousTestCase):
    """Versions."""

    def setUp(self) -> None:
        self.vectors = list(vectors("hubspot"))

    def judge(self, vector: Vector, **changes: Any) -> Any:
        """The verdict on a changed delivery."""
        return verdict("hubspot", vector.secret, vector.changed(**changes).delivery)

    def test_version_1_without_number(self) -> None:
        """What says no version is of the first; of one that is not known nothing passes."""
        first = self.vectors[0]
        fields = first.delivery.fields
        self.assertIsNone(self.judge(first, fields=fields[:1]))
        for version in (b"v9", b"v2"):
            self.assertIsInstance(self.judge(first, fields=(fields[0], (fields[1][0], version))), NotGenuine)
        self.assertIsInstance(self.judge(first, fields=(*fields, fields[1])), NotGenuine)

    def test_what_is_signed(self) -> None:
        """Version 1 is of the body alone, 2 and 3 of method and URL, too."""
        for change in ({"method": b"PUT"}, {"target": b"/other"}, {"authority": b"other.example"}):
            found = [self.judge(vector, **change) for vector in self.vectors]
            self.assertIsNone(found[0])
            for wrong in found[1:]:
                self.assertIsInstance(wrong, NotGenuine)

    def test_newest_counts(self) -> None:
        """Where there is a signature of version 3, it alone counts."""
        first, _, third = self.vectors
        both = (*first.delivery.fields, (third.delivery.fields[0][0], b"AAAA"), third.delivery.fields[1])
        self.assertIsInstance(self.judge(first, fields=both, now=third.delivery.now), NotGenuine)
