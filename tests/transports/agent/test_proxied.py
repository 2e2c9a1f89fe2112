"""Tests of `ngrok_twisted.transports.agent.proxied`."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IConsumer, IPushProducer, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.transports.agent.frames import MAX_BODY, WINDOW
from ngrok_twisted.transports.agent.proxied import SILENCE_BEFORE_FIN, LateFinStream, ProxyStream
from ngrok_twisted.transports.agent.streams import CREDIT
from ngrok_twisted.upstream.forward import Forward
from tests.edge.wire import Backend, Visitor
from tests.net.substreams import BatchService, HalfService, Service, Source
from tests.transports.agent.test_streams import MuxTestCase
from tests.transports.agent.wire import FIN, SYN, Frame, data, rst, wndinc

RST, DATA, WNDINC = 0, 1, 2

HEADER = b"\0\0\0\3 and the header"


class Greeter(Service):
    """Speaks as soon as it is connected."""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class ProxyTestCase(MuxTestCase):
    """A stream to an agent's service."""

    stream_class: type[ProxyStream] = ProxyStream

    def factory(self, kind: type[Service] = Service) -> Any:
        """Builds one protocol."""
        return Factory.forProtocol(kind)  # type: ignore[arg-type]

    def proxied(self, kind: type[Service] = Service, announced: bool = True) -> Any:
        """The protocol; if ``announced``, the agent has the header."""
        protocol = self.stream_class.open(self.mux, HEADER, self.factory(kind))
        self.stream: ProxyStream = protocol.transport
        if announced:
            self.wire.turn()
            self.wire.take()
        return protocol

    def sent(self) -> list[tuple[int, int, Any]]:
        """Kind, flags, and the number or the body of what was sent since the last call."""
        return [
            (one.kind, one.flags, one.body if one.kind == DATA else one.value)
            for one in self.wire.take()
            if one.id == self.stream.id
        ]


class OpenTests(ProxyTestCase):
    """`ProxyStream.open`."""

    def test_interfaces(self) -> None:
        """It is a transport to the agent."""
        protocol = self.proxied()
        for interface in (IBatchTransport, ITCPTransport, IConsumer, IPushProducer):
            verifyObject(interface, protocol.transport)
        self.assertEqual((self.stream.getPeer().host, self.stream.getPeer().port), ("192.0.2.7", 4443))
        self.assertEqual(self.stream.getHost().host, "192.0.2.1")
        self.wire.peer_host = "2001:db8::7"
        self.assertEqual(self.stream.getPeer().type, "TCP")
        self.assertEqual(type(self.stream.getPeer()).__name__, "IPv6Address")

    def test_alone(self) -> None:
        """A header whose protocol says nothing leaves at the end of the turn."""
        self.proxied(announced=False)
        self.assertEqual(self.wire.take(), [])
        self.wire.turn()
        self.assertEqual(self.wire.take(), [Frame(DATA, 2, SYN, HEADER)])
        self.wire.turn()
        self.assertEqual(self.wire.take(), [])

    def test_together(self) -> None:
        """It leaves in one frame with what the protocol writes, in ``connectionMade`` or in the same turn."""
        self.proxied(Greeter, announced=False)
        self.assertEqual(self.wire.take(), [Frame(DATA, 2, SYN, HEADER + b"hello")])
        self.proxied(announced=False).transport.writeBatch([b"GET", memoryview(b" /")])
        self.assertEqual(self.wire.take(), [Frame(DATA, 4, SYN, HEADER + b"GET /")])
        self.wire.turn()
        self.assertEqual(self.wire.take(), [])

    def test_much_at_first(self) -> None:
        """The header counts against the window."""
        protocol = self.proxied(announced=False)
        protocol.transport.write(bytes(WINDOW))
        sent = self.wire.take()
        self.assertEqual([one.flags for one in sent][:2], [SYN, 0])
        self.assertEqual(b"".join(one.body for one in sent), HEADER + bytes(WINDOW - len(HEADER)))

    def test_producer_at_first(self) -> None:
        """A producer that is registered before the first word is not bothered."""
        protocol = self.proxied(announced=False)
        source = Source()
        protocol.transport.registerProducer(source, True)
        protocol.transport.write(b"x")
        self.wire.turn()
        self.assertEqual((source.events, self.bodies()), ([], HEADER + b"x"))

    def test_blocked(self) -> None:
        """On a full connection the header waits too, and leaves with what was written meanwhile."""
        self.mux.block()
        protocol = self.proxied(announced=False)
        source = Source()
        protocol.transport.registerProducer(source, True)
        self.wire.turn()
        protocol.transport.write(b"x")
        self.assertEqual((self.wire.take(), source.events), ([], ["pause"]))
        self.mux.unblock()
        self.assertEqual((self.wire.take(), source.events), ([Frame(DATA, 2, SYN, HEADER + b"x")], ["pause", "resume"]))

    def test_no_room(self) -> None:
        """Beyond the limit nothing is opened, and nothing is sent."""
        self.build(max_streams=1)
        self.proxied()
        built: list[Any] = []
        factory = self.factory(lambda: built.append(1))  # type: ignore[arg-type]
        self.assertRaises(Overloaded, ProxyStream.open, self.mux, HEADER, factory)
        self.assertEqual((built, self.wire.take()), ([], []))

    def test_ending(self) -> None:
        """On a connection that ends nothing is opened."""
        self.mux.lost(Failure(ConnectionLost()))
        self.assertRaises(TunnelLost, ProxyStream.open, self.mux, HEADER, self.factory())

    def test_factory_declines(self) -> None:
        """A factory that wants no protocol, or fails, leaves no trace."""
        declines = self.factory()
        declines.buildProtocol = lambda address: None
        self.assertRaises(TunnelLost, ProxyStream.open, self.mux, HEADER, declines)
        declines.buildProtocol = lambda address: 1 // 0
        self.assertRaises(ZeroDivisionError, ProxyStream.open, self.mux, HEADER, declines)
        self.wire.turn()
        self.assertEqual((self.wire.take(), self.mux.streams), ([], {}))

    def test_protocol_fails(self) -> None:
        """A protocol that fails after its first words ends the stream."""

        class Broken(Service):
            def connectionMade(self) -> None:
                self.transport.write(b"x")
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, ProxyStream.open, self.mux, HEADER, self.factory(Broken))
        self.wire.turn()
        self.assertEqual([(one.kind, one.flags) for one in self.wire.take()], [(DATA, SYN), (DATA, FIN), (RST, 0)])
        self.assertEqual(self.mux.streams, {})

    def test_given_up_at_once(self) -> None:
        """A stream that is aborted in the turn of its opening was never there."""
        protocol = self.proxied(announced=False)
        protocol.transport.abortConnection()
        self.wire.turn()
        self.assertEqual((self.wire.take(), protocol.events, self.mux.streams), ([], [ConnectionAborted], {}))

    def test_closed_at_once(self) -> None:
        """One that is closed in that turn opens and ends."""
        protocol = self.proxied(announced=False)
        protocol.transport.loseConnection()
        self.wire.turn()
        self.assertEqual(self.sent(), [(DATA, SYN, HEADER), (DATA, FIN, b"")])
        self.assertEqual(protocol.events, [ConnectionDone])


class FromTheAgentTests(ProxyTestCase):
    """What the service sends."""

    def test_answer(self) -> None:
        """All of one read arrives in one call."""
        protocol = self.proxied(BatchService)
        self.say(data(2, b"one"), data(2, b"two"))
        self.assertEqual(protocol.events, [[b"one", b"two"]])

    def test_slow_visitor(self) -> None:
        """A paused protocol gives no credit, so that an honest agent stops at the window, and the bytes stay."""
        protocol = self.proxied()
        self.stream.pauseProducing()
        for _ in range(WINDOW // 8192):
            self.say(data(2, bytes(8192)))
        self.assertEqual((self.sent(), protocol.events), ([], []))
        self.stream.resumeProducing()
        self.wire.turn()
        self.assertEqual(self.sent(), [(WNDINC, 0, WINDOW)])
        self.assertEqual(sum(map(len, protocol.events)), WINDOW)

    def test_credit(self) -> None:
        """A protocol that takes what comes has it given back in steps."""
        self.proxied()
        self.say(data(2, bytes(CREDIT - 1)))
        self.assertEqual(self.sent(), [])
        self.say(data(2, b"x"))
        self.assertEqual(self.sent(), [(WNDINC, 0, CREDIT)])

    def test_beyond_the_window(self) -> None:
        """An agent that sends more loses the stream; what it was allowed to send is delivered before."""
        protocol = self.proxied()
        self.stream.pauseProducing()
        self.say(data(2, bytes(WINDOW)))
        self.say(data(2, b"x"))
        self.assertEqual(self.sent(), [(RST, 0, 3)])
        self.stream.resumeProducing()
        self.wire.turn()
        self.assertEqual(protocol.events, [bytes(WINDOW), ConnectionLost])

    def test_end_without_a_byte(self) -> None:
        """A service that cannot be reached ends the stream at once: the protocol hears of a lost or finished connection."""
        for kind, expected in ((HalfService, ["read lost"]), (Service, [ConnectionDone])):
            self.build()
            protocol = self.proxied(kind)
            self.say(data(2, b"", FIN))
            self.wire.turn()
            self.assertEqual(protocol.events, expected)

    def test_fin(self) -> None:
        """The agent's FIN is the end of what can be read; with the protocol's own the stream is over."""
        protocol = self.proxied(HalfService)
        self.say(data(2, b"answer", FIN))
        protocol.transport.write(b"thanks")
        protocol.transport.loseWriteConnection()
        self.assertEqual(protocol.events, [b"answer", "read lost", "write lost"])
        self.assertEqual(self.sent(), [(DATA, 0, b"thanks"), (DATA, FIN, b"")])
        self.assertTrue(self.stream.gone)
        self.wire.turn()
        self.assertEqual((self.sent(), protocol.events[-1]), ([], ConnectionDone))

    def test_end_within(self) -> None:
        """A protocol that ends its side on the very bytes that were the agent's last hears of both ends."""
        protocol = self.proxied(HalfService)
        protocol.dataReceived = lambda data: protocol.transport.loseWriteConnection()
        self.say(data(2, b"last", FIN))
        self.wire.turn()
        self.assertEqual(protocol.events, ["write lost", "read lost", ConnectionDone])
        self.assertEqual((self.sent(), self.stream.gone), ([(DATA, FIN, b"")], True))

    def test_fin_while_paused(self) -> None:
        """Both ends may have come while the visitor is slow: he gets everything, later."""
        protocol = self.proxied(HalfService)
        protocol.transport.loseWriteConnection()
        self.stream.pauseProducing()
        self.say(data(2, b"answer", FIN))
        self.assertEqual((self.stream.gone, protocol.events), (True, ["write lost"]))
        self.mux.lost(Failure(ConnectionLost()))
        self.stream.resumeProducing()
        self.wire.turn()
        self.assertEqual(protocol.events, ["write lost", b"answer", "read lost", ConnectionDone])

    def test_reset(self) -> None:
        """A reset is a lost connection, behind what came before it."""
        protocol = self.proxied()
        source = Source()
        self.stream.registerProducer(source, True)
        self.say(data(2, b"part"), rst(2, 9))
        self.assertEqual((protocol.events, source.events), ([b"part", ConnectionLost], ["stop"]))
        self.stream.write(b"x")
        self.stream.loseConnection()
        self.wire.turn()
        self.assertEqual(self.sent(), [])

    def test_reset_after_the_end(self) -> None:
        """An agent that has said everything and takes no more is done."""
        protocol = self.proxied(HalfService)
        self.say(data(2, b"all", FIN), rst(2, 4))
        self.assertEqual(protocol.events, [b"all", "read lost", ConnectionDone])

    def test_protocol_fails(self) -> None:
        """A protocol that fails on its data loses its stream, and no other."""
        broken, other = self.proxied(), self.proxied()
        broken.dataReceived = lambda data: 1 // 0
        self.say(data(2, b"x"), data(4, b"y"))
        self.assertEqual((broken.events, other.events), ([ConnectionAborted], [b"y"]))
        self.assertEqual([(one.id, one.kind) for one in self.wire.take()], [(2, DATA), (2, RST)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_connection_lost(self) -> None:
        """With the agent's connection all is lost."""
        protocol = self.proxied()
        source = Source()
        self.stream.registerProducer(source, True)
        self.mux.lost(Failure(ConnectionLost()))
        self.assertEqual((protocol.events, source.events), ([ConnectionLost], ["stop"]))
        self.stream.write(b"x")
        self.stream.abortConnection()
        self.assertEqual(self.sent(), [])


class ToTheAgentTests(ProxyTestCase):
    """What a visitor sends."""

    def test_window(self) -> None:
        """What the window does not take waits, and the producer is paused."""
        self.proxied()
        source = Source()
        self.stream.registerProducer(source, True)
        self.stream.write(bytes(WINDOW))
        self.assertEqual((len(self.bodies()), source.events), (WINDOW - len(HEADER), ["pause"]))
        self.say(wndinc(2, 3))
        self.assertEqual(len(self.bodies()), 3)
        self.say(wndinc(2, WINDOW))
        self.assertEqual((len(self.bodies()), source.events), (len(HEADER) - 3, ["pause", "resume"]))

    def test_window_while_blocked(self) -> None:
        """Credit does not let bytes pass a full connection."""
        self.proxied()
        self.mux.block()
        self.stream.write(b"x")
        self.say(wndinc(2, 3))
        self.assertEqual(self.sent(), [])
        self.mux.unblock()
        self.assertEqual(self.sent(), [(DATA, 0, b"x")])

    def test_in_turns(self) -> None:
        """On a full connection the streams wait, and go on in turns, a frame each."""
        self.mux.block()
        protocols = [self.proxied(announced=False) for _ in range(3)]
        for protocol in protocols:
            protocol.transport.write(bytes(2 * MAX_BODY - len(HEADER)))
        self.mux.unblock()
        self.assertEqual([(one.id, len(one.body)) for one in self.wire.take()], [(n, MAX_BODY) for n in (2, 4, 6)] * 2)
        self.wire.turn()
        self.assertEqual(self.wire.take(), [])

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("write"), st.integers(0, 2), st.integers(1, 150_000)),
                st.tuples(st.just("grow"), st.integers(0, 2), st.integers(1, 200_000)),
                st.tuples(st.just("room"), st.just(0), st.integers(1, 300_000)),
                st.tuples(st.just("turn"), st.just(0), st.just(0)),
            ),
            max_size=30,
        )
    )
    def test_never_beyond(self, steps: list[Any]) -> None:
        """Whatever is written and whenever there is room: in order, within the windows, and all of it in the end."""
        self.build()
        protocols = [self.proxied(announced=False) for _ in range(3)]
        ids = [protocol.transport.id for protocol in protocols]
        written = {id: HEADER for id in ids}
        got = dict.fromkeys(ids, b"")
        allowed = dict.fromkeys(ids, WINDOW)
        for step, which, size in [*steps, ("turn", 0, 0), ("room", 0, 10**9)]:
            if step == "write":
                written[ids[which]] += bytes([size % 251]) * size
                protocols[which].transport.write(bytes([size % 251]) * size)
            elif step == "grow":
                allowed[ids[which]] += size
                self.say(wndinc(ids[which], size))
            elif step == "turn":
                self.wire.turn()
            else:
                self.wire.room = size
                self.mux.unblock()
            for one in self.wire.take():
                self.assertLessEqual(len(one.body), MAX_BODY)
                got[one.id] += one.body
            for id in ids:
                self.assertTrue(written[id].startswith(got[id]))
                self.assertLessEqual(len(got[id]), allowed[id])
        for id in ids:
            self.assertEqual(len(got[id]), min(len(written[id]), allowed[id]))


@implementer(IStreamClientEndpoint)
class Way:
    """A tunnel's way to the agent."""

    def __init__(self, mux: Any) -> None:
        self.mux = mux

    def connect(self, factory: Any) -> Deferred[Any]:
        """`IStreamClientEndpoint`."""
        return maybeDeferred(ProxyStream.open, self.mux, HEADER, factory)


class RequestTests(MuxTestCase):
    """A visitor's requests, through the edge's own client."""

    def visit(self) -> Visitor:
        """A visitor who has asked."""
        visitor = Visitor(Forward(Backend(Way(self.mux)), self.wire.clock), clock=self.wire.clock)
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        return visitor

    def test_answer(self) -> None:
        """Header and request leave in one frame; the stream serves the next request too."""
        visitor = self.visit()
        (sent,) = self.wire.take()
        self.assertEqual((sent.flags, sent.body[: len(HEADER) + 14]), (SYN, HEADER + b"GET / HTTP/1.1"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.say(data(2, answer))
        self.assertEqual(visitor.take(), answer)
        visitor.send(b"GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n")
        (sent,) = self.wire.take()
        self.assertEqual((sent.id, sent.flags, sent.body[:9]), (2, 0, b"GET /next"))

    def test_no_answer(self) -> None:
        """However a stream ends without a byte, the visitor gets the edge's own page, and the place is free again."""
        for end in (data(2, b"", FIN), rst(2, 6), None):
            self.build()
            visitor = self.visit()
            if end is None:
                self.mux.lost(Failure(ConnectionLost()))
            else:
                self.say(end)
            answer = visitor.take()
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
            self.assertIn(b"ERR_NGROK_3209", answer)
            self.wire.turn()
            self.assertEqual(self.mux.streams, {})

    def test_refused(self) -> None:
        """It is answered all the same, however often the agent had no place for it; and if that goes on, with an error."""
        visitor = self.visit()
        for id in (2, 4, 6):
            self.wire.take()
            self.say(rst(id, 9))
            self.wire.clock.advance(1)
        (sent,) = self.wire.take(DATA)
        self.assertEqual((sent.id, sent.body[: len(HEADER) + 14]), (8, HEADER + b"GET / HTTP/1.1"))
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.say(data(8, answer))
        self.assertEqual(visitor.take(), answer)
        self.build(refused_tries=1)
        visitor = self.visit()
        for id in (2, 4):
            self.say(rst(id, 9))
            self.wire.clock.advance(1)
        self.assertTrue(visitor.take().startswith(b"HTTP/1.1 502 "))

    def test_no_room(self) -> None:
        """A visitor for whom there is no room is told that the gateway is busy."""
        self.build(max_streams=0)
        self.assertTrue(self.visit().take().startswith(b"HTTP/1.1 503 "))

    def test_visitor_leaves(self) -> None:
        """The agent hears of it when a visitor does not wait for the answer."""
        visitor = self.visit()
        self.wire.take()
        visitor.leave()
        self.assertEqual([(one.kind, one.flags) for one in self.wire.take()], [(DATA, FIN), (RST, 0)])


class EndTests(ProxyTestCase):
    """How streams end on our side."""

    def test_visitor_leaves(self) -> None:
        """An abort is FIN and then RST: agents of the Rust family keep their service waiting over a RST alone."""
        protocol = self.proxied()
        self.stream.write(bytes(WINDOW))
        self.wire.take()
        self.stream.abortConnection()
        self.assertEqual(self.sent(), [(DATA, FIN, b""), (RST, 0, 6)])
        self.assertEqual((protocol.events, self.mux.streams), ([], {}))
        self.wire.turn()
        self.assertEqual((protocol.events, self.sent()), ([ConnectionAborted], []))

    def test_abort_after_fin(self) -> None:
        """Whose FIN is out needs no second one; and if the agent's has come, not even a RST."""
        self.proxied(HalfService)
        self.stream.loseWriteConnection()
        self.stream.abortConnection()
        self.assertEqual(self.sent(), [(DATA, FIN, b""), (RST, 0, 6)])
        self.proxied(HalfService)
        self.say(data(4, b"", FIN))
        self.stream.abortConnection()
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])

    def test_close(self) -> None:
        """A close is FIN, at the end of the turn; when the agent's comes the stream is over."""
        protocol = self.proxied()
        self.stream.write(b"bye")
        self.stream.loseConnection()
        self.say(wndinc(2, 3))
        self.assertEqual(protocol.events, [])
        self.wire.turn()
        self.assertEqual(self.sent(), [(DATA, 0, b"bye"), (DATA, FIN, b"")])
        self.assertEqual((protocol.events, self.stream.gone), ([ConnectionDone], False))
        self.say(data(2, b"", FIN))
        self.assertEqual((self.sent(), self.stream.gone, self.wire.clock.getDelayedCalls()), ([], True, []))

    def test_close_and_more_comes(self) -> None:
        """An agent that sends on to a closed stream is told that nobody reads."""
        self.proxied()
        self.stream.loseConnection()
        self.wire.turn()
        self.wire.take()
        self.say(data(2, b"more"), data(2, b"and more", FIN))
        self.assertEqual((self.sent(), self.stream.gone), ([(RST, 0, 6)], True))

    def test_close_and_nothing_comes(self) -> None:
        """An agent that never ends its side of a closed stream does not keep its place."""
        self.build(patience=30.0)
        self.proxied()
        self.stream.loseConnection()
        self.wire.turn()
        self.wire.clock.pump([1] * 29)
        self.assertEqual(len(self.mux.streams), 1)
        self.wire.take()
        self.wire.clock.pump([1] * 5)
        self.assertEqual((self.sent(), self.mux.streams), ([(RST, 0, 6)], {}))

    def test_close_behind_what_waits(self) -> None:
        """The end waits behind the last bytes, and not for ever."""
        protocol = self.proxied()
        self.stream.write(bytes(WINDOW))
        self.stream.loseConnection()
        self.wire.turn()
        self.wire.take()
        self.wire.clock.pump([1] * 40)
        self.assertEqual(self.sent(), [(DATA, FIN, b""), (RST, 0, 6)])
        self.assertEqual((protocol.events, self.mux.streams), ([ConnectionAborted], {}))

    def test_half_close(self) -> None:
        """A visitor who has said everything may go on reading."""
        protocol = self.proxied(HalfService)
        self.stream.write(b"question")
        self.stream.loseWriteConnection()
        self.assertEqual(self.sent(), [(DATA, 0, b"question"), (DATA, FIN, b"")])
        self.say(data(2, b"answer"))
        self.assertEqual(protocol.events, ["write lost", b"answer"])

    def test_churn(self) -> None:
        """Streams that come and go leave nothing behind."""
        for id in range(2, 2002, 2):
            self.proxied()
            self.stream.loseConnection()
            self.wire.turn()
            self.say(data(id, b"", FIN))
        self.assertEqual((self.mux.streams, self.mux.waiting, self.wire.clock.getDelayedCalls()), ({}, {}, []))


class LateFinTests(ProxyTestCase):
    """`LateFinStream`."""

    stream_class = LateFinStream

    def half_closed(self) -> Any:
        """A protocol whose visitor has said everything."""
        protocol = self.proxied(HalfService)
        self.stream.write(b"question")
        self.stream.loseWriteConnection()
        self.assertEqual(self.sent(), [(DATA, 0, b"question")])
        return protocol

    def test_agent_first(self) -> None:
        """The FIN waits for the agent's."""
        protocol = self.half_closed()
        self.say(data(2, b"answer", FIN))
        self.wire.turn()
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])
        self.assertEqual(protocol.events, ["write lost", b"answer", "read lost", ConnectionDone])
        self.assertEqual((self.stream.gone, self.wire.clock.getDelayedCalls()), (True, []))

    def test_silence(self) -> None:
        """An agent that falls silent may be waiting for it."""
        self.half_closed()
        for _ in range(5):
            self.wire.clock.pump([1] * int(SILENCE_BEFORE_FIN - 2))
            self.say(data(2, b"more"))
        self.assertEqual(self.sent(), [])
        self.wire.clock.pump([1] * int(SILENCE_BEFORE_FIN + 3))
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])
        self.say(data(2, b"", FIN))
        self.assertTrue(self.stream.gone)

    def test_other_ends(self) -> None:
        """Every other end is told at once."""
        self.half_closed()
        self.stream.abortConnection()
        self.assertEqual(self.sent(), [(DATA, FIN, b""), (RST, 0, 6)])
        self.proxied()
        self.stream.loseConnection()
        self.wire.turn()
        self.assertEqual(self.sent(), [(DATA, FIN, b"")])

    def test_lost(self) -> None:
        """A lost stream waits for nothing."""
        self.half_closed()
        self.mux.lost(Failure(ConnectionLost()))
        self.wire.turn()
        self.wire.clock.pump([1] * 9)
        self.assertEqual((self.sent(), self.wire.clock.getDelayedCalls()), ([], []))
