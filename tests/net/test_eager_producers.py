"""Tests of how a transport that writes at once ends, while a producer is registered with it."""

from __future__ import annotations

from typing import Any

from tests.net.test_eager import BIG, EagerCase, HalfCloseable, Pushing


class HalfCloseTests(EagerCase):
    """The end of writing is asked for while the peer is slow, so that the producer is paused."""

    protocol = HalfCloseable

    def test_paused(self) -> None:
        """What was written leaves, the producer may go on, and the end follows."""
        producer = Pushing()
        self.transport.registerProducer(producer, True)
        self.transport.write(BIG)
        self.assertEqual(producer.calls, ["pause"])
        self.transport.loseWriteConnection()
        self.assertEqual(self.read_all(len(BIG)), BIG)
        self.until(lambda: self.server.write_ended)
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(self.peer.recv(1), b"")

    def test_gone_meanwhile(self) -> None:
        """The same where the producer has nothing more when it may go on."""
        transport: Any = self.transport

        class Ending(Pushing):
            def resumeProducing(self) -> None:
                super().resumeProducing()
                transport.unregisterProducer()

        producer = Ending()
        transport.registerProducer(producer, True)
        transport.write(BIG)
        transport.loseWriteConnection()
        self.assertEqual(self.read_all(len(BIG)), BIG)
        self.until(lambda: self.server.write_ended)
        self.assertEqual(self.peer.recv(1), b"")
