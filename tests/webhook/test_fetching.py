"""
Tests for `ngrok_twisted.webhook.fetching`.
"""

from __future__ import annotations

from twisted.internet.defer import TimeoutError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.fetching import ANSWER_MAX, FETCH_TIMEOUT, Unfetched, fetch
from tests.webhook.client import Client, Response


class FetchTests(SynchronousTestCase):
    """One GET."""

    def setUp(self) -> None:
        self.client, self.clock = Client(), Clock()
        self.fetching = fetch(self.client, self.clock, "https://a.example/")

    def test_body(self) -> None:
        """It gives the body of a 200, and follows no redirect."""
        self.assertEqual(self.client.asked, [("https://a.example/", {"allow_redirects": False, "unbuffered": True})])
        self.client.answer(b"x" * ANSWER_MAX)
        self.assertEqual(len(self.successResultOf(self.fetching)), ANSWER_MAX)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_status(self) -> None:
        """Any other status is a failure that names it."""
        self.client.answer(b"x", 302)
        self.assertIn("302", str(self.failureResultOf(self.fetching, Unfetched).value))

    def test_too_long(self) -> None:
        """Of an answer that is too long no more is read."""
        response = self.client.answer(b"x" * (ANSWER_MAX + 1))
        self.failureResultOf(self.fetching, Unfetched)
        self.assertTrue(response.lost)
        response.protocol.dataReceived(b"x" * ANSWER_MAX)

    def test_breaks_off(self) -> None:
        """One that breaks off is no answer."""
        response = Response()
        self.client.waiting.pop().callback(response)
        response.send(b"x", ConnectionLost())
        self.failureResultOf(self.fetching, ConnectionLost)

    def test_too_late(self) -> None:
        """Nobody waits for long; the connection of an answer that does not end is closed."""
        response = Response()
        self.client.waiting.pop().callback(response)
        self.clock.advance(FETCH_TIMEOUT)
        self.failureResultOf(self.fetching, TimeoutError)
        self.assertTrue(response.lost)
