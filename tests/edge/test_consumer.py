"""
Tests for `ngrok_twisted.edge.consumer`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from tests.edge.wire import Render, Visitor


class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """IPushProducer."""
        self.told.append("stop")


class ResponseConsumerTests(SynchronousTestCase):
    """Whoever answers learns how the visitor takes it."""

    def setUp(self) -> None:
        """A request that waits for its answer."""
        self.visitor = Visitor(Render(lambda request: NOT_DONE_YET))
        self.visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.request: Any = self.visitor.request
        self.producer = Producer()

    def test_pace(self) -> None:
        """A slow visitor pauses the producer, and lets it go on; one that came later waits from the start."""
        self.request.registerProducer(self.producer, True)
        self.request.choke()
        self.request.unchoke()
        self.assertEqual(self.producer.told, ["pause", "resume"])
        self.request.choke()
        self.request.unregisterProducer()
        later = Producer()
        self.request.registerProducer(later, True)
        self.assertEqual(later.told, ["pause"])

    def test_one(self) -> None:
        """There is one at a time."""
        self.request.registerProducer(self.producer, True)
        self.assertRaises(RuntimeError, self.request.registerProducer, Producer(), True)

    def test_gone(self) -> None:
        """When the visitor leaves, the producer is stopped; one that comes too late at once."""
        self.request.registerProducer(self.producer, True)
        self.visitor.leave()
        late = Producer()
        self.request.registerProducer(late, True)
        self.assertEqual((self.producer.told, late.told), (["stop"], ["stop"]))

    def test_unregistered(self) -> None:
        """Who has unregistered hears no more."""
        self.request.registerProducer(self.producer, True)
        self.request.unregisterProducer()
        self.request.choke()
        self.visitor.leave()
        self.assertEqual(self.producer.told, [])
