"""Tests of TLS over any transport."""

from __future__ import annotations

import os
import ssl
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport, IFillable, IFlowFactory
from ngrok_twisted.net import tls_output
from ngrok_twisted.net.tls import (
    BrokenTLS,
    HandshakeFailed,
    HandshakeTimeout,
    TLSConnection,
    TLSServer,
    TLSServerFactory,
    TruncatedTLS,
    wrap_tls_client,
)
from ngrok_twisted.net.tls_rest import PAUSE
from ngrok_twisted.tls.openssl import release as openssl_release
from tests.net.certificates import NAME, client_context, pem_file, server_context
from tests.net.loop import LoopCase, Recorder
from tests.net.test_eager import HalfCloseable, Pulling, Pushing
from tests.net.wire import Wire

BIG = os.urandom(3 << 20)


@implementer(IBatchReceiver)
class Batching(Recorder):
    """Takes several buffers in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def batchReceived(self, buffers: Any) -> None:
        self.batches.append(len(buffers))
        self.received += b"".join(buffers)


def calls_but_rest(clock: Any) -> list[Any]:
    """What waits on a clock besides the look at buffers that have grown."""
    return [call for call in clock.getDelayedCalls() if call.getTime() - clock.seconds() != PAUSE]


class TLSCase(SynchronousTestCase):
    """A client and a server over a `Wire`."""

    version = ssl.TLSVersion.TLSv1_3

    def setUp(self) -> None:
        self.clock = Clock()
        self.results: list[Any] = []

    def connect(self, client: Any, server: Any, run: bool = True, **server_options: Any) -> Wire:
        """Connect two inner protocols; their transports are ``self.client`` and ``self.server``."""
        server_options.setdefault("on_handshake", self.results.append)
        self.server = TLSServer(server_context(), server, clock=self.clock, **server_options)
        self.client = TLSConnection(
            client_context(self.version), client, clock=self.clock, server_side=False, server_hostname=NAME
        )
        wire = Wire(self.client, self.server)
        if run:
            wire.run()
        return wire


class HandshakeTests(TLSCase):
    """From the connection to the inner protocol."""

    def test_interfaces(self) -> None:
        """It is a protocol to the outer and a transport to the inner side."""
        self.connect(Recorder(), Recorder())
        for interface in (
            ITransport,
            IConsumer,
            IPushProducer,
            IBatchTransport,
            IHalfCloseableProtocol,
            IProtocol,
            IFillable,
        ):
            verifyObject(interface, self.server)

    def test_inner_comes_after_the_handshake(self) -> None:
        """The inner protocol is made when ALPN is known, once."""
        seen: list[Any] = []

        def build(transport: Any) -> Recorder:
            seen.append((transport.negotiatedProtocol, transport.version()))
            return Recorder()

        wire = self.connect(Recorder(), build, run=False)
        self.assertEqual((seen, self.server.arriving, self.client.arriving), ([], True, False))
        wire.run()
        self.assertEqual(seen, [(b"http/1.1", "TLSv1.3")])
        self.assertFalse(self.server.arriving)
        self.assertEqual(self.server.protocol.connected_times, 1)
        self.assertEqual(self.results, [None])
        self.assertEqual(calls_but_rest(self.clock), [])

    def test_byte_at_a_time(self) -> None:
        """Handshake and data survive any fragmentation."""
        server, client = Recorder(), Recorder()
        wire = self.connect(client, server, run=False)
        wire.run(most=1)
        self.client.write(b"question")
        self.server.write(b"answer")
        wire.run(most=1)
        self.assertEqual((bytes(server.received), bytes(client.received)), (b"question", b"answer"))

    def test_who_it_is(self) -> None:
        """Addresses are the outer transport's; cipher and certificate are told."""
        wire = self.connect(Recorder(), Recorder())
        self.assertEqual(self.server.getPeer(), wire.client.address)
        self.assertEqual(self.server.getHost(), wire.server.address)
        self.assertIn("TLS_", str(self.server.cipher()))
        self.assertIsNone(self.server.getPeerCertificate())
        with open(pem_file(), encoding="ascii") as file:
            pem = file.read()
        self.assertEqual(
            self.client.getPeerCertificate(), ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIV")])
        )

    def test_no_alpn(self) -> None:
        """Without ALPN there is no negotiated protocol."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem_file())
        server = TLSServer(context, Recorder(), clock=self.clock)
        Wire(
            TLSConnection(client_context(), Recorder(), clock=self.clock, server_side=False, server_hostname=NAME),
            server,
        ).run()
        self.assertIsNone(server.negotiatedProtocol)

    def test_nobody_there(self) -> None:
        """A builder that returns nothing closes the connection."""
        wire = self.connect(Recorder(), lambda transport: None)
        self.assertTrue(wire.server.closed)
        self.results[0].trap(HandshakeFailed)

    def test_plain_text(self) -> None:
        """A peer who speaks something else is closed, and the reason is told."""
        server = TLSServer(server_context(), Recorder(), clock=self.clock, on_handshake=self.results.append)
        client = Recorder()
        wire = Wire(client, server)
        wire.client.write(b"GET / HTTP/1.1\r\n\r\n")
        wire.run()
        self.assertTrue(wire.server.closed)
        self.assertEqual(self.results[0].trap(ssl.SSLError), ssl.SSLError)
        self.assertEqual(self.results[0].value.reason, "HTTP_REQUEST")
        self.assertEqual(len(self.results), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_old(self) -> None:
        """A client without a common version gets the alert protocol_version (70)."""
        context = server_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        failures: list[Any] = []
        client = TLSConnection(
            client_context(ssl.TLSVersion.TLSv1_2),
            Recorder(),
            clock=self.clock,
            server_side=False,
            server_hostname=NAME,
            on_handshake=failures.append,
        )
        wire = Wire(client, TLSServer(context, Recorder(), clock=self.clock))
        wire.run()
        self.assertEqual(failures[0].value.reason, "TLSV1_ALERT_PROTOCOL_VERSION")
        self.assertTrue(wire.server.closed)

    def test_untrusted(self) -> None:
        """A client that does not trust the certificate fails, and both sides learn it."""
        context = ssl.create_default_context()
        failures: list[Any] = []
        client = TLSConnection(
            context, Recorder(), clock=self.clock, server_side=False, server_hostname=NAME, on_handshake=failures.append
        )
        server_side = Recorder()
        server = TLSServer(server_context(), server_side, clock=self.clock)
        wire = Wire(client, server)
        wire.run()
        failures[0].trap(ssl.SSLCertVerificationError)
        self.assertTrue(wire.client.closed and wire.server.closed)
        if server_side.lost is not None:  # TLS 1.3: the server may have finished before the alert came
            server_side.lost.trap(BrokenTLS)

    def test_timeout(self) -> None:
        """A handshake that does not end in time is given up."""
        wire = self.connect(Recorder(), Recorder(), run=False, handshake_timeout=10)
        self.clock.advance(9)
        self.assertEqual(self.results, [])
        self.clock.advance(2)
        self.results[0].trap(HandshakeTimeout)
        self.assertTrue(wire.server.disconnecting)
        self.server.dataReceived(b"late")

    def test_peer_leaves(self) -> None:
        """A peer who leaves during the handshake, with a FIN or a reset, ends it."""
        for leave in ("loseConnection", "abortConnection"):
            self.results.clear()
            server = TLSServer(server_context(), Recorder(), clock=self.clock, on_handshake=self.results.append)
            wire = Wire(Recorder(), server)
            getattr(wire.client, leave)()
            wire.run()
            self.assertTrue(wire.server.closed)
            self.results[0].trap(ConnectionLost)
            self.assertEqual(len(self.results), 1)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failing_builder(self) -> None:
        """An exception while the inner protocol is made reaches the outer transport, and the end is told."""

        def fail(transport: Any) -> None:
            raise ValueError("no")

        wire = self.connect(Recorder(), fail, run=False)
        self.assertRaises(ValueError, wire.run)
        wire.server.lost(ValueError("no"))
        self.results[0].trap(ValueError)

    def test_no_renegotiation(self) -> None:
        """Peers may not renegotiate."""
        context = server_context()
        TLSServer(context, Recorder(), clock=self.clock)
        self.assertTrue(context.options & ssl.OP_NO_RENEGOTIATION)

    def test_factory(self) -> None:
        """The factory asks the inner factory when a handshake is over."""
        addresses: list[Any] = []

        class Inner(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                addresses.append(addr)
                return Recorder()

        factory = TLSServerFactory(server_context(), Inner(), self.clock)
        factory.doStart()
        server = factory.buildProtocol("somewhere")
        self.assertEqual(addresses, [])
        client = TLSConnection(client_context(), Recorder(), clock=self.clock, server_side=False, server_hostname=NAME)
        Wire(client, server).run()
        self.assertEqual(addresses, ["somewhere"])
        factory.doStop()


class DataTests(TLSCase):
    """Bytes both ways."""

    def test_large_both_ways(self) -> None:
        """Megabytes arrive whole, in pieces of any size."""
        for most in (1 << 20, 16384, 7777):
            client, server = Recorder(), Recorder()
            wire = self.connect(client, server)
            self.client.write(BIG)
            self.server.write(BIG[::-1])
            wire.run(most)
            self.assertEqual((bytes(server.received), bytes(client.received)), (BIG, BIG[::-1]))

    def test_one_write_for_an_answer(self) -> None:
        """What the inner protocol writes in answer to one read leaves in one outer write."""

        class Answering(Recorder):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"head")
                self.transport.write(BIG[:100000])
                self.transport.writeSequence([b"ta", b"il"])

        client = Recorder()
        wire = self.connect(client, Answering())
        wire.server.writes.clear()
        self.client.write(b"question")
        wire.run()
        self.assertEqual(len(wire.server.writes), 1)
        self.assertEqual(bytes(client.received), b"head" + BIG[:100000] + b"tail")

    def test_written_at_once(self) -> None:
        """A write outside of a read leaves at once."""
        wire = self.connect(Recorder(), Recorder())
        wire.server.writes.clear()
        self.server.write(b"news")
        self.assertEqual(len(wire.server.writes), 1)
        self.server.write(b"")
        self.assertEqual(len(wire.server.writes), 1)

    def test_sequences_and_batches(self) -> None:
        """Lists of buffers of any kind and size arrive in order, small ones in few records."""
        client = Recorder()
        wire = self.connect(client, Recorder())
        pieces = [
            b"a",
            bytearray(b"bc"),
            memoryview(BIG)[:40000],
            b"",
            b"d" * 9000,
            b"e" * 9000,
            b"f" * 16384,
            b"g",
        ] * 3
        self.server.writeBatch(pieces)
        self.server.writeSequence([b"x"] * 1000)
        wire.run()
        self.assertEqual(bytes(client.received), b"".join(pieces) + b"x" * 1000)
        wire.server.writes.clear()
        self.server.writeBatch([b"x"] * 1000)
        self.assertLess(len(wire.server.writes[0]), 1100)

    def test_full_records(self) -> None:
        """What is small fills a record up with the beginning of what follows, so that few records are sent."""
        client = Batching()
        wire = self.connect(client, Recorder())
        pieces = [b"head1234", memoryview(BIG)[:65536]] * 3
        self.server.writeBatch(pieces)
        wire.run()
        self.assertEqual(bytes(client.received), b"".join(pieces))
        self.assertEqual(sum(client.batches), 13)

    def test_uneven_batches(self) -> None:
        """Whatever the sizes of buffers around those of records, all bytes arrive in order."""
        for around in (1, 4096, 8192, 8193, 16383, 16384, 16385, 24576, 24577, 32768, 40000):
            client = Recorder()
            wire = self.connect(client, Recorder())
            pieces = [memoryview(BIG)[around * number :][: around + number] for number in range(8)]
            self.server.writeBatch([b"x", *pieces, b"y", *pieces])
            wire.run()
            self.assertEqual(bytes(client.received), b"".join([b"x", *pieces, b"y", *pieces]))

    def test_batch_is_free_for_reuse(self) -> None:
        """Buffers may be overwritten as soon as writeBatch returns."""
        client = Recorder()
        wire = self.connect(client, Recorder())
        buffer = bytearray(BIG[:50000])
        self.server.writeBatch([buffer, buffer])
        buffer[:] = bytes(50000)
        wire.run()
        self.assertEqual(bytes(client.received), BIG[:50000] * 2)

    def test_batch_receiver(self) -> None:
        """A protocol that takes batches gets the records of one read in one call."""
        server = Batching()
        wire = self.connect(Recorder(), server)
        self.client.write(BIG[:100000])
        wire.run()
        self.assertEqual(bytes(server.received), BIG[:100000])
        self.assertEqual(server.batches, [7])

    def test_another_protocol_takes_over(self) -> None:
        """The inner protocol can be replaced on the way."""
        first, second = Recorder(), Batching()
        wire = self.connect(Recorder(), first)
        self.server.give_to(second)
        self.client.write(b"hello")
        wire.run()
        self.assertEqual((bytes(first.received), bytes(second.received)), (b"", b"hello"))
        self.client.loseConnection()
        wire.run()
        self.assertIsNone(first.lost)
        self.assertIsNotNone(second.lost)

    def test_fillable(self) -> None:
        """The outer transport may read straight into the shared buffer."""
        server = Recorder()
        wire = self.connect(Recorder(), server)
        self.client.write(b"hello")
        data = bytes(wire.client.outbox)
        wire.client.outbox.clear()
        self.server.fillable()[: len(data)] = data
        self.server.filled(len(data))
        self.assertEqual(bytes(server.received), b"hello")

    def test_carry_much(self) -> None:
        """A connection for many reads and encrypts more at once; the bytes are the same."""
        client, server = Recorder(), Recorder()
        wire = self.connect(client, server)
        usual = len(self.server.fillable())
        self.server.carry_much()
        self.assertGreater(len(self.server.fillable()), usual)
        self.assertEqual(len(self.client.fillable()), usual)
        most = []
        collect = self.server._collect
        self.server._collect = lambda: (most.append(self.server._out.pending), collect())  # type: ignore
        self.server.write(BIG)
        self.client.write(BIG[::-1])
        wire.run(300_000)
        self.assertTrue(64 * 1024 < max(most) < 66 * 1024, max(most))
        self.assertEqual((bytes(client.received), bytes(server.received)), (BIG, BIG[::-1]))

    def test_reentrant_delivery(self) -> None:
        """Data that arrives while the inner protocol is being called is delivered afterwards, in order."""

        class Curious(Recorder):
            depth = 0

            def dataReceived(inner, data: bytes) -> None:  # noqa: N805
                self.assertEqual(inner.depth, 0)
                inner.depth += 1
                inner.received += data
                while wire.client.outbox:
                    wire.client.move(1000)
                inner.depth -= 1

        server = Curious()
        wire = self.connect(Recorder(), server)
        self.client.write(BIG[:200000])
        wire.run(1000)
        self.assertEqual(bytes(server.received), BIG[:200000])

    def test_write_takes_only_bytes(self) -> None:
        """As any transport, it refuses what is not bytes."""
        self.connect(Recorder(), Recorder())
        self.assertRaises(TypeError, self.server.write, "text")

    def test_bios_stay_small(self) -> None:
        """Neither a large read nor a large write fills a BIO with more than a record or so."""
        wire = self.connect(Recorder(), Recorder())
        most = []
        collect = self.server._collect
        self.server._collect = lambda: (most.append(self.server._out.pending), collect())  # type: ignore
        self.server.write(BIG)
        self.assertLess(max(most), 17 * 1024)
        wire.run()


class DataTLS12Tests(DataTests):
    """The same with TLS 1.2."""

    version = ssl.TLSVersion.TLSv1_2


class BackPressureTests(TLSCase):
    """Producers and consumers."""

    def test_push_producer(self) -> None:
        """The outer transport's state reaches the inner protocol's producer."""
        wire = self.connect(Recorder(), Recorder())
        producer = Pushing()
        self.server.registerProducer(producer, True)
        wire.server.stuck = True
        self.server.write(BIG[:200000])
        self.assertEqual(producer.calls, ["pause"])
        wire.server.stuck = False
        wire.run()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertRaises(RuntimeError, self.server.registerProducer, producer, True)
        self.server.unregisterProducer()
        self.server.unregisterProducer()

    def test_pull_producer(self) -> None:
        """A pull producer is asked for more whenever the outer transport is empty."""
        client = Recorder()
        wire = self.connect(client, Recorder())
        pieces = [b"1", BIG[:100000], b"2"]
        expected = b"".join(pieces)
        self.server.registerProducer(Pulling(self.server, pieces), False)
        wire.run()
        self.assertEqual(bytes(client.received), expected)

    def test_producer_delays_the_end(self) -> None:
        """loseConnection waits until the producer is done."""
        client = Recorder()
        wire = self.connect(client, Recorder())
        self.server.registerProducer(Pushing(), True)
        self.server.loseConnection()
        self.server.write(b"the last words")
        wire.run()
        self.assertIsNone(client.lost)
        self.server.unregisterProducer()
        wire.run()
        self.assertEqual(bytes(client.received), b"the last words")
        client.lost.trap(ConnectionDone)

    def test_producer_after_the_end(self) -> None:
        """A producer that comes too late is stopped."""
        wire = self.connect(Recorder(), Recorder())
        wire.server.lost(ConnectionLost())
        producer = Pushing()
        self.server.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["stop"])

    def test_paused_reading(self) -> None:
        """A paused connection delivers nothing, not even what was received already; resumed, it delivers in order."""

        class Pausing(Recorder):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.pauseProducing()

        server = Pausing()
        wire = self.connect(Recorder(), server)
        for number in range(20):
            self.client.write(b"%02d" % number * 10000)
        data = bytes(wire.client.outbox)
        wire.client.outbox.clear()
        half = len(data) // 2 + 3
        self.server.dataReceived(data[:half])
        self.assertTrue(wire.server.paused)
        got = len(server.received)
        self.server.dataReceived(data[half:])  # it was on its way
        self.clock.advance(1)
        self.assertEqual(len(server.received), got)
        for _ in range(30):
            self.server.resumeProducing()
            self.assertFalse(wire.server.paused)
            self.clock.advance(0)
        self.assertEqual(bytes(server.received), b"".join(b"%02d" % number * 10000 for number in range(20)))

    def test_resume_is_not_reentrant(self) -> None:
        """resumeProducing never calls dataReceived itself."""
        server = Recorder()
        wire = self.connect(Recorder(), server)
        self.server.pauseProducing()
        self.client.write(b"hello")
        wire.server.paused = False
        wire.run()
        self.server.resumeProducing()
        self.assertEqual(bytes(server.received), b"")
        self.clock.advance(0)
        self.assertEqual(bytes(server.received), b"hello")

    def test_lost_while_paused(self) -> None:
        """A pending delivery does not outlive the connection; what was held back is told before the end."""
        server = Recorder()
        wire = self.connect(Recorder(), server)
        self.server.pauseProducing()
        self.client.write(b"hello")
        wire.server.paused = False
        wire.run()
        self.server.resumeProducing()
        wire.server.lost(ConnectionLost())
        self.assertEqual(bytes(server.received), b"hello")
        self.assertEqual(calls_but_rest(self.clock), [])


class EndTests(TLSCase):
    """All the ways a connection ends."""

    def test_clean_end(self) -> None:
        """loseConnection delivers what was written and ends both sides cleanly."""
        client, server = Recorder(), Recorder()
        wire = self.connect(client, server)
        self.server.write(BIG)
        self.server.loseConnection()
        self.server.loseConnection()
        self.server.write(b"dropped")
        wire.run()
        self.assertEqual(bytes(client.received), BIG)
        client.lost.trap(ConnectionDone)
        server.lost.trap(ConnectionDone)

    def test_half_close_both_ways(self) -> None:
        """close_notify is the end of one direction; the other goes on until it ends too."""
        client, server = HalfCloseable(), HalfCloseable()
        wire = self.connect(client, server)
        self.client.write(b"question")
        self.client.loseWriteConnection()
        self.client.write(b"dropped")
        wire.run()
        self.assertTrue(server.read_ended)
        self.assertEqual(bytes(server.received), b"question")
        self.assertIsNone(server.lost)
        self.server.write(BIG)
        wire.run()
        self.server.loseWriteConnection()
        wire.run()
        self.assertEqual(bytes(client.received), BIG)
        client.lost.trap(ConnectionDone)
        server.lost.trap(ConnectionDone)

    def test_half_close_while_reading(self) -> None:
        """Closing the write side from inside dataReceived, with more input unread, loses none of it."""

        class Closing(HalfCloseable):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.pauseProducing()
                self.transport.loseWriteConnection()

        server = Closing()
        client = HalfCloseable()
        wire = self.connect(client, server)
        for _ in range(4):
            self.client.write(BIG[:20000])
        data = bytes(wire.client.outbox)
        wire.client.outbox.clear()
        self.server.dataReceived(data[:25000])
        self.server.dataReceived(data[25000:])
        wire.run()
        self.assertTrue(client.read_ended)
        for _ in range(10):
            self.server.resumeProducing()
            self.clock.advance(0)
        self.assertEqual(bytes(server.received), BIG[:20000] * 4)
        self.client.write(b"more")
        self.server.resumeProducing()
        wire.run()
        self.assertEqual(bytes(server.received[-4:]), b"more")

    def test_half_close_while_paused(self) -> None:
        """Closing the write side of a paused connection that holds unread records loses none of them."""
        client, server = HalfCloseable(), HalfCloseable()
        wire = self.connect(client, server)
        self.server.pauseProducing()
        for _ in range(4):
            self.client.write(BIG[:20000])
        wire.server.paused = False
        wire.run()
        self.server.loseWriteConnection()
        wire.run()
        self.assertTrue(client.read_ended)
        self.assertEqual(bytes(server.received), b"")
        self.client.loseWriteConnection()
        wire.run()
        self.server.resumeProducing()
        self.clock.advance(0)
        wire.run()
        self.assertEqual(bytes(server.received), BIG[:20000] * 4)
        server.lost.trap(ConnectionDone)

    def test_not_half_closeable(self) -> None:
        """A protocol that knows no half-close is ended by the peer's close_notify."""
        client, server = HalfCloseable(), Recorder()
        wire = self.connect(client, server)
        self.client.write(b"last words")
        self.client.loseWriteConnection()
        wire.run()
        self.assertEqual(bytes(server.received), b"last words")
        server.lost.trap(ConnectionDone)
        client.lost.trap(ConnectionDone)

    def test_truncation(self) -> None:
        """A FIN without close_notify is reported as a truncation, half-closeable or not."""
        for protocol in (Recorder(), HalfCloseable()):
            wire = self.connect(Recorder(), protocol)
            self.client.write(b"half of i")
            wire.client.loseConnection()
            wire.run()
            self.assertEqual(bytes(protocol.received), b"half of i")
            protocol.lost.trap(TruncatedTLS)
            self.assertTrue(wire.server.aborted)

    def test_truncation_without_half_close(self) -> None:
        """The same where the outer transport tells the end all at once."""
        server = HalfCloseable()
        wire = self.connect(Recorder(), server)
        wire.server.lost(ConnectionDone())
        server.lost.trap(TruncatedTLS)

    def test_reset(self) -> None:
        """A reset is passed on as it is."""
        server = Recorder()
        wire = self.connect(Recorder(), server)
        wire.client.abortConnection()
        wire.run()
        self.assertNotIsInstance(server.lost.value, TruncatedTLS)
        server.lost.trap(ConnectionLost)

    def test_abort(self) -> None:
        """abortConnection aborts the outer connection and drops what is pending."""
        client, server = Recorder(), Recorder()
        wire = self.connect(client, server)
        self.server.abortConnection()
        self.server.write(b"dropped")
        wire.run()
        server.lost.trap(ConnectionAborted)
        self.assertEqual(bytes(client.received), b"")

    def test_forged_record(self) -> None:
        """A record that does not authenticate ends the connection, after what came before it, with an alert."""
        client, server = Recorder(), Recorder()
        wire = self.connect(client, server)
        self.client.write(b"true")
        genuine = bytes(wire.client.outbox)
        wire.client.outbox.clear()
        self.client.write(b"false")
        forged = bytearray(wire.client.outbox)
        wire.client.outbox.clear()
        forged[-1] ^= 1
        self.server.dataReceived(genuine + bytes(forged))
        wire.run()
        self.assertEqual(bytes(server.received), b"true")
        server.lost.trap(BrokenTLS)
        client.lost.trap(BrokenTLS)

    def test_broken_with_a_producer(self) -> None:
        """A registered producer is stopped when TLS fails."""
        wire = self.connect(Recorder(), Recorder())
        producer = Pushing()
        self.server.registerProducer(producer, True)
        self.server.dataReceived(b"\x17\3\3\0\x20" + bytes(32))
        wire.run()
        self.assertEqual(producer.calls, ["stop"])
        self.assertTrue(wire.server.closed)

    def test_data_after_the_end(self) -> None:
        """Data that arrives after close_notify, or after our own end, is ignored."""
        server = HalfCloseable()
        wire = self.connect(Recorder(), server)
        self.client.loseWriteConnection()
        wire.run()
        self.server.dataReceived(b"\x17\3\3\0\x20" + bytes(32))
        self.assertIsNone(server.lost)
        self.server.loseConnection()
        self.server.dataReceived(b"garbage")
        self.server.readConnectionLost()
        wire.run()
        server.lost.trap(ConnectionDone)

    def test_fin_after_close_notify(self) -> None:
        """A FIN behind close_notify is no news."""
        server = HalfCloseable()
        wire = self.connect(Recorder(), server)
        self.client.loseWriteConnection()
        wire.client.loseWriteConnection()
        wire.run()
        self.assertTrue(server.read_ended)
        self.assertIsNone(server.lost)
        self.server.write(b"still here")
        self.server.loseConnection()
        wire.run()
        server.lost.trap(ConnectionDone)

    def test_end_from_inside(self) -> None:
        """Ending or aborting from dataReceived stops what follows."""
        for end in ("loseConnection", "abortConnection"):

            class Ending(Recorder):
                def dataReceived(self, data: bytes) -> None:
                    super().dataReceived(data)
                    getattr(self.transport, end)()

            server = Ending()
            wire = self.connect(Recorder(), server)
            for _ in range(3):
                self.client.write(b"x")
                data = bytes(wire.client.outbox)
                wire.client.outbox.clear()
                self.server.dataReceived(data)
            wire.run()
            self.assertEqual(bytes(server.received), b"x")
            self.assertIsNotNone(server.lost)


class EndTLS12Tests(EndTests):
    """The same with TLS 1.2."""

    version = ssl.TLSVersion.TLSv1_2


@implementer(IStreamClientEndpoint)
class StubEndpoint:
    """Connects when the test says so."""

    def __init__(self) -> None:
        self.cancelled = False
        self.result: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, result: Any) -> None:
        self.cancelled = True

    def connect(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        return self.result


class ClientEndpointTests(SynchronousTestCase):
    """`wrap_tls_client`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = StubEndpoint()
        self.inner = Recorder()
        self.factory = Factory()
        self.factory.noisy = False
        self.factory.buildProtocol = lambda addr: self.inner  # type: ignore[method-assign,assignment,return-value]
        self.wrapped = wrap_tls_client(self.endpoint, client_context(), NAME, clock=self.clock, handshake_timeout=10)

    def serve(self, server: Any) -> Wire:
        client = self.endpoint.factory.buildProtocol(None)
        wire = Wire(client, server)
        self.endpoint.result.callback(client)
        return wire

    def test_fires_after_the_handshake(self) -> None:
        """connect fires with the inner protocol when the handshake is over."""
        verifyObject(IStreamClientEndpoint, self.wrapped)
        connected = self.wrapped.connect(self.factory)
        server = Recorder()
        wire = self.serve(TLSServer(server_context(), server, clock=self.clock))
        self.assertNoResult(connected)
        wire.run()
        self.assertIs(self.successResultOf(connected), self.inner)
        self.inner.transport.write(b"hello")
        wire.run()
        self.assertEqual(bytes(server.received), b"hello")
        self.assertEqual(calls_but_rest(self.clock), [])

    def test_handshake_failure(self) -> None:
        """A service that speaks no TLS fails connect."""
        connected = self.wrapped.connect(self.factory)
        wire = self.serve(Recorder())
        wire.server.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wire.run()
        self.failureResultOf(connected, ssl.SSLError)
        self.assertEqual(self.inner.connected_times, 0)

    def test_service_leaves(self) -> None:
        """A service that hangs up during the handshake fails connect."""
        connected = self.wrapped.connect(self.factory)
        wire = self.serve(Recorder())
        wire.server.loseConnection()
        wire.run()
        self.failureResultOf(connected, ConnectionLost)

    def test_timeout(self) -> None:
        """A service that says nothing fails connect in time."""
        connected = self.wrapped.connect(self.factory)
        self.serve(Recorder())
        self.clock.advance(11)
        self.failureResultOf(connected, HandshakeTimeout)

    def test_unreachable(self) -> None:
        """The inner endpoint's failure is passed on."""
        connected = self.wrapped.connect(self.factory)
        self.endpoint.result.errback(Failure(ConnectionRefusedError()))
        self.failureResultOf(connected, ConnectionRefusedError)

    def test_cancelled_before_the_connection(self) -> None:
        """Cancelling cancels the inner attempt."""
        connected = self.wrapped.connect(self.factory)
        connected.cancel()
        self.assertTrue(self.endpoint.cancelled)
        self.failureResultOf(connected, CancelledError)

    def test_cancelled_during_the_handshake(self) -> None:
        """Cancelling aborts a connection that is in its handshake."""
        connected = self.wrapped.connect(self.factory)
        wire = self.serve(Recorder())
        connected.cancel()
        self.failureResultOf(connected, CancelledError)
        self.assertTrue(wire.client.aborted)
        wire.run()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flows_are_seen_through(self) -> None:
        """A flow's factory is one to the inner endpoint too; any other is not."""
        self.wrapped.connect(self.factory).addErrback(lambda reason: None)
        self.assertFalse(IFlowFactory.providedBy(self.endpoint.factory))

        @implementer(IFlowFactory)
        class FlowFactory(Factory):
            flow = object()

        factory = FlowFactory()
        self.wrapped.connect(factory).addErrback(lambda reason: None)
        self.assertTrue(IFlowFactory.providedBy(self.endpoint.factory))
        self.assertIs(self.endpoint.factory.flow, factory.flow)


class SocketTests(LoopCase):
    """Over real sockets and the lean reactor."""

    def test_whole_way(self) -> None:
        """Megabytes through eager TCP and TLS, to a blocking client of the standard library."""
        import socket
        import threading

        def build() -> Any:
            class Echo(Recorder):
                def dataReceived(self, data: bytes) -> None:
                    self.transport.write(data)

            return TLSServer(server_context(), Echo(), clock=self.reactor)

        port, _ = self.listen(build)
        size = 1 << 20
        got = bytearray()

        def talk() -> None:
            plain = socket.create_connection(("127.0.0.1", port.getHost().port))
            with client_context().wrap_socket(plain, server_hostname=NAME) as connection:
                connection.settimeout(5)
                sender = threading.Thread(target=connection.sendall, args=(BIG[:size],))
                sender.start()
                while len(got) < size:
                    got.extend(connection.recv(65536))
                sender.join()

        thread = threading.Thread(target=talk)
        thread.start()
        self.until(lambda: not thread.is_alive())
        self.assertEqual(bytes(got), BIG[:size])


class BufferTests(TLSCase):
    """What a connection keeps while it rests."""

    def test_given_back(self) -> None:
        """Buffers are given back after the handshake, at once and once more, and a while after much was sent; all goes on."""
        released: list[Any] = []

        def release(bio: ssl.MemoryBIO) -> None:
            released.append(bio)
            openssl_release(bio)

        self.patch(tls_output, "release", release)
        client = Recorder()
        wire = self.connect(client, Recorder())
        wire.run()
        self.assertEqual(len(released), 4)
        self.clock.advance(PAUSE)
        self.assertEqual(len(released), 8)
        self.server.write(b"small")
        wire.run()
        self.clock.advance(PAUSE)
        self.assertEqual(len(released), 8)
        self.server.write(bytes(100_000))
        wire.run()
        self.clock.advance(PAUSE)
        self.assertEqual((len(released), len(client.received)), (12, 100_005))
        self.assertIn(self.server._out, released[8:])

    def test_not_what_waits(self) -> None:
        """A buffer that something waits in is left alone."""
        client = Recorder()
        wire = self.connect(client, Recorder())
        wire.run()
        self.client.pauseProducing()
        self.client._in.write(b"to be read")
        self.clock.advance(PAUSE)
        self.assertEqual(self.client._in.pending, len(b"to be read"))
