"""Tests of `ngrok_twisted.net.substream`."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchTransport
from tests.net.substreams import BatchService, HalfService, Service, SubstreamTestCase
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport


class ConnectTests(SubstreamTestCase):
    """The protocol on a stream."""

    def test_interfaces(self) -> None:
        """It is a transport, a consumer and a producer."""
        self.open()
        for interface in (IBatchTransport, ITCPTransport, IConsumer, IPushProducer):
            verifyObject(interface, self.line)
        self.assertTrue(self.line.getTcpNoDelay())
        self.assertTrue(self.line.getTcpKeepAlive())
        self.line.setTcpNoDelay(False)
        self.line.setTcpKeepAlive(False)

    def test_protocol_fails(self) -> None:
        """A protocol that fails when it is connected hears no more, and nothing of what it wrote is sent later."""

        class Broken(Service):
            def connectionMade(self) -> None:
                self.transport.write(b"x" * 20)
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.open, Broken, window=10)
        self.line.said.clear()
        self.line.grow(100)
        self.come(b"x")
        self.line.peer_left()
        self.assertEqual((self.said(), self.line.connected, self.carrier.waiting), ([], 0, {}))

    def test_connected(self) -> None:
        """It is connected until the protocol hears of its end."""
        protocol = self.open()
        states = [self.line.connected]
        protocol.connectionLost = lambda reason: states.append(self.line.connected)
        self.line.peer_left()
        self.assertEqual(states, [1, 0])

    def test_replaced(self) -> None:
        """Another protocol may take over."""
        first, second = self.open(), BatchService()
        self.line.protocol = second
        self.come(b"x")
        self.assertEqual((first.events, second.events, self.line.protocol), ([], [[b"x"]], second))


class ReceiveTests(SubstreamTestCase):
    """What comes from the peer."""

    def test_joined(self) -> None:
        """All of one read arrives in one call, and is credited."""
        protocol = self.open()
        self.come(b"one ", b"two")
        self.assertEqual((protocol.events, self.line.credits), ([b"one two"], [7]))

    def test_batch(self) -> None:
        """A batch receiver gets the buffers as they are."""
        protocol = self.open(BatchService)
        self.come(b"one", b"two")
        self.assertEqual(protocol.events, [[b"one", b"two"]])

    def test_slow(self) -> None:
        """A protocol that pauses gets nothing, and the peer no credit; on resuming, all of it in a later turn."""
        for kind, expected in ((Service, [b"onetwothree"]), (BatchService, [[b"onetwothree"]])):
            protocol = self.open(kind)
            self.line.pauseProducing()
            self.come(b"one", b"two")
            self.assertEqual((protocol.events, self.line.credits), ([], []))
            self.line.resumeProducing()
            self.come(b"three")
            self.assertEqual(protocol.events, [])
            self.turn()
            self.assertEqual((protocol.events, self.line.credits), (expected, [11]))

    def test_pause_within(self) -> None:
        """A protocol that pauses on its data owes them, and they count when it goes on."""
        protocol = self.open()
        protocol.dataReceived = lambda data: self.line.pauseProducing()
        self.come(b"four")
        self.assertEqual(self.line.credits, [-4])
        self.line.resumeProducing()
        self.line.resumeProducing()
        self.assertEqual(self.line.credits, [-4, 0])

    def test_paused_again(self) -> None:
        """One that pauses again before the turn is over gets nothing."""
        protocol = self.open()
        self.line.pauseProducing()
        self.come(b"x")
        self.line.resumeProducing()
        self.line.pauseProducing()
        self.turn()
        self.assertEqual(protocol.events, [])
        self.line.resumeProducing()
        self.turn()
        self.assertEqual(protocol.events, [b"x"])

    def test_small_pieces(self) -> None:
        """A peer that sends its bytes one by one to a paused protocol takes no more room than they need."""
        self.open()
        self.line.pauseProducing()
        piece = [memoryview(b"x")]
        tracemalloc.start()
        for _ in range(100_000):
            self.line.received(piece)
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.assertLess(kept, 200_000)

    def test_failure_on_release(self) -> None:
        """A protocol that fails on what it was given late loses its stream."""
        protocol = self.open()
        self.line.pauseProducing()
        self.come(b"x")
        protocol.dataReceived = lambda data: 1 // 0
        self.line.resumeProducing()
        self.turn()
        self.assertEqual((protocol.events, self.said()), ([ConnectionAborted], ["ABORT"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nobody(self) -> None:
        """Bytes for a protocol that is gone are unwanted."""
        protocol = self.open()
        self.line.abortConnection()
        self.come(b"x")
        self.turn()
        self.come(b"y")
        self.assertEqual((protocol.events, self.line.unwanted), ([ConnectionAborted], 2))

    @given(st.lists(st.sampled_from(("come", "pause", "resume", "turn")), max_size=25), st.booleans())
    def test_any_order(self, steps: list[str], batches: bool) -> None:
        """Whenever a protocol pauses, it gets all bytes in order and none while it is paused; each is credited once."""
        protocol = self.open(BatchService if batches else Service)
        came = b""
        paused = False
        for number, step in enumerate([*steps, "resume", "turn"]):
            before = len(protocol.events)
            if step == "come":
                came += bytes([number]) * 3
                self.come(bytes([number]), bytes([number]) * 2)
            elif step == "turn":
                self.turn()
            else:
                paused = step == "pause"
                getattr(self.line, f"{step}Producing")()
            self.assertTrue(not paused or len(protocol.events) == before)
        got = b"".join(b"".join(event) if batches else event for event in protocol.events)
        self.assertEqual((got, sum(self.line.credits)), (came, len(came)))


class PeerEndTests(SubstreamTestCase):
    """The ends that the peer makes."""

    def test_half_close(self) -> None:
        """A protocol that can be half-closed may go on writing; the stream ends with its own end."""
        protocol = self.open(HalfService)
        self.line.peer_finished()
        self.line.write(b"answer")
        self.line.loseWriteConnection()
        self.assertEqual((self.said(), protocol.events), ([b"answer", "FIN"], ["read lost", "write lost"]))
        self.turn()
        self.assertEqual((self.said(), protocol.events[2:]), (["CLOSE"], [ConnectionDone]))

    def test_second_half(self) -> None:
        """If the protocol has ended its side before, the peer's end is the last."""
        protocol = self.open(HalfService)
        self.line.loseWriteConnection()
        self.line.peer_finished()
        self.assertEqual(
            (self.said(), protocol.events), (["FIN", "CLOSE"], ["write lost", "read lost", ConnectionDone])
        )

    def test_others(self) -> None:
        """A protocol that cannot be half-closed is closed, after what it wrote."""
        protocol = self.open(window=3)
        self.line.write(b"answer")
        self.line.peer_finished()
        self.turn()
        self.assertEqual(protocol.events, [])
        self.line.grow(9)
        self.assertEqual((self.said(), protocol.events), ([b"answer", "CLOSE"], [ConnectionDone]))

    def test_paused(self) -> None:
        """The end waits behind what a paused protocol has not taken, and waits even if there is nothing."""
        for bodies, expected in (((b"last",), [b"last", "read lost"]), ((), ["read lost"])):
            protocol = self.open(HalfService)
            self.line.pauseProducing()
            for body in bodies:
                self.come(body)
            self.line.peer_finished()
            self.turn()
            self.assertEqual(protocol.events, [])
            self.line.resumeProducing()
            self.turn()
            self.assertEqual(protocol.events, expected)

    def test_once(self) -> None:
        """The end is told once, however often the protocol pauses and goes on."""
        protocol = self.open(HalfService)
        self.line.pauseProducing()
        self.come(b"last")
        self.line.peer_finished()
        for _ in range(3):
            self.line.resumeProducing()
            self.line.pauseProducing()
            self.line.resumeProducing()
            self.turn()
            self.line.pauseProducing()
        self.assertEqual(protocol.events, [b"last", "read lost"])

    def test_left(self) -> None:
        """A peer that closes without an end is lost; with one it is done."""
        protocol = self.open()
        self.line.peer_left("why")
        self.assertEqual(protocol.events, [ConnectionLost])
        protocol = self.open(HalfService)
        self.line.peer_finished()
        self.line.peer_left()
        self.assertEqual(protocol.events, ["read lost", ConnectionDone])
        self.line.write(b"x")
        self.assertEqual(self.said(), [])

    def test_why(self) -> None:
        """The reason has the words, even if it is told later."""
        reasons = []
        protocol = self.open()
        protocol.connectionLost = reasons.append
        self.line.pauseProducing()
        self.come(b"x")
        self.line.peer_left("it is tired")
        self.line.resumeProducing()
        self.turn()
        self.assertIn("it is tired", str(reasons[0].value))

    def test_left_while_paused(self) -> None:
        """What a peer sent before it left is delivered when the protocol goes on; nothing is sent to it meanwhile."""
        protocol = self.open(window=0)
        source = self.source()
        self.line.write(b"x")
        self.line.pauseProducing()
        self.come(b"last")
        self.line.peer_left()
        self.assertEqual((protocol.events, self.carrier.waiting), ([], {}))
        self.line.grow(9)
        self.line.resumeProducing()
        self.turn()
        self.assertEqual((protocol.events, self.said()), ([b"last", ConnectionLost], []))
        self.assertEqual(source.events, ["pause", "stop"])


class AbortTests(SubstreamTestCase):
    """Aborts."""

    def test_abort(self) -> None:
        """What waits is dropped; the protocol hears of it in a later turn, once."""
        protocol = self.open(window=0)
        self.line.write(b"bye")
        self.line.abortConnection()
        self.assertEqual((self.said(), protocol.events, self.carrier.waiting), (["ABORT"], [], {}))
        self.line.write(b"x")
        self.line.grow(9)
        self.turn()
        self.line.abortConnection()
        self.turn()
        self.assertEqual((self.line._unsent.size, protocol.events, self.said()), (0, [ConnectionAborted], []))

    def test_failed(self) -> None:
        """What broke on our side ends at once; nothing of it is kept."""
        protocol = self.open(window=0)
        source = self.source()
        self.line.write(b"x")
        self.line.pauseProducing()
        self.come(b"y")
        self.line.failed()
        self.line.failed()
        self.assertEqual(
            (self.said(), protocol.events, source.events), (["ABORT"], [ConnectionAborted], ["pause", "stop"])
        )
        self.assertEqual((self.carrier.waiting, self.line._incoming, self.line.protocol), ({}, b"", None))

    def test_stop_producing(self) -> None:
        """A consumer that wants no more closes the stream."""
        protocol = self.open()
        self.line.stopProducing()
        self.turn()
        self.assertEqual((self.said(), protocol.events), (["CLOSE"], [ConnectionDone]))
