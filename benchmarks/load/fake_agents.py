"""
Many agents in one process: each holds a session of the agent protocol and some https endpoints, sends its heartbeats, and
comes back when its connection is lost, as ngrok's SDKs do. There is no service behind them: they answer requests themselves.

Usage: ``python -m benchmarks.load.fake_agents PORT CA COUNT TUNNELS POOL``: the server's loopback port for agents, the
certificate of its CA, how many agents, how many endpoints each, and the name that one endpoint of each of them shares.

It does what it reads from its standard input, a word a line, and says on its standard output, as a line of JSON, how that went:
``connect`` all of them; ``drop`` all connections at once, and come ``back`` at once; ``hold`` requests from now on, ``answer``
them and those that were held; ``streams`` tells how many there are.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Callable

from ngrok_twisted.net import reactor as lean_reactor

lean_reactor.install()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.endpoints import TCP4ClientEndpoint  # noqa: E402
from twisted.internet.protocol import Factory, Protocol  # noqa: E402
from twisted.internet.stdio import StandardIO  # noqa: E402
from twisted.internet.task import LoopingCall  # noqa: E402
from twisted.protocols.basic import LineReceiver  # noqa: E402

from benchmarks.agents import AUTHTOKEN, HOST  # noqa: E402
from benchmarks.workshop import LOOPBACK  # noqa: E402
from ngrok_twisted.net.tls import wrap_tls_client  # noqa: E402
from ngrok_twisted.transports.agent.frames import (  # noqa: E402
    DATA,
    FIN,
    SYN,
    FrameReader,
    pack_header,
    wndinc,
)
from ngrok_twisted.transports.agent.typed import StreamType  # noqa: E402

HEARTBEAT = 10.0
"""Seconds between two heartbeats: what ngrok's SDKs do unless told otherwise."""

CREDIT = 64 * 1024
"""Bytes that are given back at once."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stream:
    """What came on one stream; a `FrameReader` fills it."""

    __slots__ = ("id", "batch", "gone", "data", "owed", "held", "finished")

    def __init__(self, id: int) -> None:
        self.id = id
        self.batch: list[memoryview] = []
        self.gone = False
        self.data = b""
        self.owed = 0
        self.held = False
        self.finished = False


class FakeAgent:
    """
    One agent, over all its connections.

    :ivar up: it has all its endpoints.
    """

    def __init__(self, fleet: Fleet, number: int) -> None:
        self.fleet = fleet
        self.number = number
        self.up = False
        self.link: Link | None = None
        self.client_id = self.cookie = ""
        pool = {"Hostname": fleet.pool}
        self.wishes: list[dict[str, Any]] = [
            _bind(pool if not index else {}, bool(not index and fleet.pool)) for index in range(fleet.tunnels)
        ]

    def connect(self) -> None:
        """Dial, until there is a session with all endpoints."""
        attempt = self.fleet.endpoint.connect(Factory.forProtocol(lambda: Link(self)))
        attempt.addErrback(lambda failure: self.lost(failure.getErrorMessage()))

    def lost(self, why: str) -> None:
        """Without a connection; the next attempt comes soon."""
        self.up, self.link = False, None
        self.fleet.failures += 1
        reactor.callLater(self.fleet.patience, self.connect)  # type: ignore[attr-defined]


class Link(Protocol):
    """One connection of an agent: a `FrameSink`."""

    def __init__(self, agent: FakeAgent) -> None:
        self.agent = agent
        self.streams: dict[int, Stream] = {}
        self.waiting: dict[int, Callable[[dict[str, Any]], None]] = {}
        self.reader = FrameReader(self)
        self.next = 3
        self.beat = 0

    # -- what it says

    def connectionMade(self) -> None:
        """`IProtocol`: a heartbeat, and the login, as the SDKs do."""
        agent = self.agent
        agent.link = self
        self.beat = self.open(StreamType.HEARTBEAT)
        self.heartbeat()
        login = {
            "Version": ["3", "2"],
            "ClientId": agent.client_id,
            "Extra": {
                "AuthToken": AUTHTOKEN,
                "Cookie": agent.cookie,
                "ClientType": "fake",
                "Version": "1",
                "OS": "linux",
            },
        }
        self.ask(StreamType.AUTH, login, self.logged_in)

    def logged_in(self, reply: dict[str, Any]) -> None:
        """Ask for the endpoints, one after the other."""
        self.agent.client_id, self.agent.cookie = reply["ClientId"], reply["Extra"]["Cookie"]
        self.bind(0)

    def bind(self, index: int) -> None:
        """Ask for the endpoint with this number."""
        wishes = self.agent.wishes

        def bound(reply: dict[str, Any]) -> None:
            wishes[index] |= {"Id": reply["Id"], "Opts": reply["Opts"]}
            wishes[index]["Extra"]["Token"] = reply["Extra"]["Token"]
            self.bind(index + 1)

        if index < len(wishes):
            self.ask(StreamType.BIND, wishes[index], bound)
        else:
            self.agent.up = True
            self.agent.fleet.one_is_up()

    def heartbeat(self) -> None:
        """A word."""
        self.frame(self.beat, b"beat")

    def open(self, kind: StreamType) -> int:
        """Open a stream. :return: its id."""
        id, self.next = self.next, self.next + 2
        self.frame(id, kind.word, SYN)
        return id

    def ask(self, kind: StreamType, message: Any, then: Callable[[dict[str, Any]], None]) -> None:
        """A request."""
        id = self.open(kind)
        self.waiting[id] = then
        self.frame(id, json.dumps(message).encode())

    def frame(self, id: int, data: bytes, flags: int = 0) -> None:
        """A frame of data."""
        assert self.transport is not None
        self.transport.write(pack_header(len(data) << 8 | DATA | flags, id) + data)

    def answer(self, stream: Stream) -> None:
        """Answer a request."""
        stream.held = False
        self.frame(stream.id, ANSWER)

    # -- what it hears

    def dataReceived(self, data: bytes) -> None:
        """`IProtocol`."""
        self.reader.feed(data)
        touched, self.reader.touched = self.reader.touched, []
        for stream in touched:
            batch, stream.batch = stream.batch, []
            stream.data += b"".join(batch)
            if stream.id & 1:
                self.heard(stream)
            else:
                self.visited(stream, sum(map(len, batch)))

    def heard(self, stream: Stream) -> None:
        """A reply, or a heartbeat that came back."""
        if stream.id == self.beat:
            stream.data = b""
        elif stream.finished:
            del self.streams[stream.id]
            reply = json.loads(stream.data)
            self.frame(stream.id, b"", FIN)
            if reply.get("Error"):
                self.agent.fleet.errors.append(reply["Error"])
                assert self.transport is not None
                self.transport.loseConnection()
            else:
                self.waiting.pop(stream.id)(reply)

    def visited(self, stream: Stream, size: int) -> None:
        """A visitor's bytes: behind the header come requests without bodies."""
        stream.owed += size
        if stream.owed >= CREDIT:
            assert self.transport is not None
            self.transport.write(wndinc(stream.id, stream.owed))
            stream.owed = 0
        if stream.data.endswith(b"\r\n\r\n"):
            stream.data = b""
            stream.held = True
            if not self.agent.fleet.holding:
                self.answer(stream)
        if stream.finished:
            del self.streams[stream.id]
            self.frame(stream.id, b"", FIN)

    def connectionLost(self, reason: Any = None) -> None:
        """`IProtocol`."""
        self.agent.lost(reason.getErrorMessage())

    # -- FrameSink

    def data_begins(self, id: int, flags: int, length: int) -> Stream | None:
        """`FrameSink`."""
        stream = self.streams.get(id)
        if stream is None and (flags & SYN or id & 1):
            stream = self.streams[id] = Stream(id)
        return stream

    def data_ends(self, receiver: Stream) -> None:
        """`FrameSink`."""
        if not receiver.batch:
            self.reader.touched.append(receiver)
        receiver.finished = True

    def reset(self, id: int, code: int) -> None:
        """`FrameSink`."""
        stream = self.streams.pop(id, None)
        if stream is not None:
            stream.gone = True

    def window_grows(self, id: int, increment: int) -> None:
        """`FrameSink`: never is more sent than fits."""

    def gone_away(self, code: int, text: str) -> None:
        """`FrameSink`."""


class Fleet(LineReceiver):
    """
    All agents of this process, and who tells them what to do.

    :ivar failures: connections that were lost or could not be made.
    :ivar errors: why requests were refused.
    """

    delimiter = b"\n"

    def __init__(self, port: int, ca: str, count: int, tunnels: int, pool: str) -> None:
        import ssl

        plain = TCP4ClientEndpoint(reactor, LOOPBACK, port)
        self.endpoint = wrap_tls_client(plain, ssl.create_default_context(cafile=ca), HOST, clock=reactor)
        self.pool, self.tunnels = pool, tunnels
        self.holding = False
        self.patience = 0.05
        self.failures = 0
        self.errors: list[str] = []
        self.begun = 0.0
        self.times: list[float] = []
        self.agents = [FakeAgent(self, number) for number in range(count)]
        LoopingCall(self.beat).start(HEARTBEAT / 100, now=False)
        self.turn = 0

    def lineReceived(self, line: bytes) -> None:
        """`LineReceiver`: an order."""
        getattr(self, "do_" + line.decode())()

    def connectionLost(self, reason: Any = None) -> None:
        """`IProtocol`: nobody gives orders any more."""
        reactor.stop()  # type: ignore[attr-defined]

    def beat(self) -> None:
        """A hundredth of the agents send their heartbeats."""
        self.turn += 1
        for agent in self.agents[self.turn % 100 :: 100]:
            if agent.link is not None:
                agent.link.heartbeat()

    def do_connect(self) -> None:
        """Everybody connects."""
        self.begin()
        for agent in self.agents:
            agent.connect()

    def do_drop(self) -> None:
        """Everybody loses the connection, and comes back."""
        self.begin()
        for agent in self.agents:
            if agent.link is not None and agent.link.transport is not None:
                agent.up = False
                agent.link.transport.abortConnection()  # type: ignore[attr-defined]

    def do_hold(self) -> None:
        """Answer nothing."""
        self.holding = True
        self.say({})

    def do_answer(self) -> None:
        """Answer all."""
        self.holding = False
        for link in self.links():
            for stream in link.streams.values():
                if stream.held:
                    link.answer(stream)
        self.say({})

    def do_streams(self) -> None:
        """Tell how many there are."""
        counts = [sum(not id & 1 for id in link.streams) for link in self.links()]
        self.say({"streams": sum(counts), "most": max(counts, default=0)})

    def links(self) -> list[Link]:
        """Those that are connected."""
        return [agent.link for agent in self.agents if agent.link is not None]

    def begin(self) -> None:
        """From now on time counts."""
        self.begun, self.failures, self.times = time.perf_counter(), 0, []

    def one_is_up(self) -> None:
        """One more has all its endpoints."""
        self.times.append(time.perf_counter() - self.begun)
        if len(self.times) == len(self.agents):
            self.say(
                {
                    "seconds": self.times[-1],
                    "half": self.times[len(self.times) // 2],
                    "failures": self.failures,
                    "errors": self.errors[:3],
                }
            )

    def say(self, what: dict[str, Any]) -> None:
        """A line."""
        self.sendLine(json.dumps(what).encode())


def _bind(opts: dict[str, Any], pooling: bool) -> dict[str, Any]:
    return {
        "Id": "",
        "Proto": "https",
        "ForwardsTo": "http://127.0.0.1:8000/",
        "ForwardsProto": "",
        "Opts": opts,
        "Extra": {"Token": "", "IPPolicyRef": "", "Metadata": "", "Bindings": [], "PoolingEnabled": pooling},
    }


def main() -> None:
    """Wait for orders."""
    port, ca, count, tunnels, pool = sys.argv[1:6]
    StandardIO(Fleet(int(port), ca, int(count), int(tunnels), pool))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
