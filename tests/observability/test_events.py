"""
Tests for `ngrok_twisted.observability.events`.
"""

import json

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.events import make_event, moment


class EventTests(SynchronousTestCase):
    """The envelope."""

    def test_envelope(self) -> None:
        """An event is one line of JSON with everything that section 7.1 names."""
        made = make_event("ev_1", "vault_created.v0", "ac_1", 1.5, {"name": "ä\n"}, {"id": "usr_1"})
        self.assertNotIn(b"\n", made.body)
        self.assertEqual(
            json.loads(made.body),
            {
                "event_id": "ev_1",
                "event_type": "vault_created.v0",
                "event_timestamp": "1970-01-01T00:00:01.500Z",
                "account_id": "ac_1",
                "principal": {"id": "usr_1"},
                "object": {"name": "ä\n"},
            },
        )

    def test_moment(self) -> None:
        """Milliseconds are always there, so that texts sort as times do."""
        self.assertEqual(moment(1_767_225_600), "2026-01-01T00:00:00.000Z")
        self.assertEqual(moment(1_767_225_600.0625), "2026-01-01T00:00:00.062Z")
