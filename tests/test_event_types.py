"""
Tests for `ngrok_twisted.event_types`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.event_types import CREATED, EVENT_TYPES, SESSIONS, TRAFFIC, event_type


class EventTypeTests(SynchronousTestCase):
    """What can be subscribed to."""

    def test_names(self) -> None:
        """Types have ngrok's names, which are not those of the API's resources."""
        for resource, type in (
            ("credentials", "tunnel_credential_created.v0"),
            ("reserved_domains", "domain_created.v0"),
            ("weighted_backends", "backend_created.v0"),
        ):
            self.assertEqual(event_type(resource, CREATED), type)
            self.assertIn(type, EVENT_TYPES)

    def test_all(self) -> None:
        """Sessions and traffic belong to them, and every one has a version."""
        self.assertLess(SESSIONS | TRAFFIC, EVENT_TYPES)
        self.assertEqual([type for type in EVENT_TYPES if not type.endswith(".v0")], [])
