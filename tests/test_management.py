"""
Tests for `ngrok_twisted.management`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.management import api_notes
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Put, Snapshot
from tests.test_places import config

KEY = Snapshot().with_changes([Put(APIKey(id="ak_1", token_hash="0"))])


class NotesTests(SynchronousTestCase):
    """What an operator is told about the API."""

    def notes(self, records: Snapshot, **listen: Any) -> list[str]:
        """For a server with these records and listeners."""
        return list(api_notes(config(**listen), records))

    def test_fine(self) -> None:
        """Nothing, where there is a key and only this machine can reach the plain listener."""
        self.assertEqual(self.notes(KEY, https="tcp:443", api="tcp:4040:interface=127.0.0.1"), [])

    def test_no_key(self) -> None:
        """That nobody can log in, where there is an API."""
        (note,) = self.notes(Snapshot(), https="tcp:443")
        self.assertIn("declare a key under api_keys", note)
        self.assertEqual(self.notes(Snapshot(), ssh="tcp:22"), [])

    def test_exposed(self) -> None:
        """That keys travel in the clear, where others can reach the plain listener."""
        (note,) = self.notes(KEY, https="tcp:8443", api="tcp:4040")
        self.assertIn("in the clear", note)
        self.assertIn("https://api.example.com:8443", note)
