"""
Many agents in one process: each holds a session of the agent protocol and some https endpoints, sends its heartbeats, and
comes back when its connection is lost, as ngrok's SDKs do. There is no service behind them: they answer requests themselves.

Usage: ``python -m benchmarks.load.fake_agents PORT CA COUNT ENDPOINTS SHARED``: the server's loopback port for agents, the
certificate of its CA, how many agents, how many endpoints each, and the name that the first endpoint of each of them has.

It does what it reads from its standard input, an order a line, and says on its standard output, as a line of JSON, how that
went: ``connect`` all of them; ``drop`` all connections, and come back at once; ask for so many endpoints ``more``, or give so
many back (``fewer``); ``hold`` requests from now on, ``answer`` them and those that were held; ``streams`` tells how many there
are.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from typing import Any, Callable

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineReceiver

from benchmarks.agents import AUTHTOKEN, HOST
from benchmarks.workshop import LOOPBACK
from ngrok_twisted.net import reactor as lean_reactor
from ngrok_twisted.net.tls import wrap_tls_client
from ngrok_twisted.transports.agent.frames import DATA, FIN, SYN, FrameReader, pack_header, wndinc
from ngrok_twisted.transports.agent.typed import StreamType

HEARTBEAT = 10.0
"""Seconds between two heartbeats: what ngrok's SDKs do unless told otherwise."""
GROUPS = 100
"""The agents' heartbeats come in so many groups one after the other."""
AGAIN = 0.05
"""Seconds until an agent dials again; the first time it does so at once."""
CREDIT = 64 * 1024
"""Bytes that are given back at once."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stream:
    """
    What came on one stream. A `FrameReader` fills it.

    :ivar asked: a visitor's request has come and is not answered yet.
    :ivar finished: the server sends no more.
    """

    __slots__ = ("id", "batch", "gone", "data", "owed", "asked", "finished")

    def __init__(self, id: int) -> None:
        self.id = id
        self.batch: list[memoryview] = []
        self.data = b""
        self.owed = 0
        self.gone = self.asked = self.finished = False


class Agent:
    """
    One agent, over all its connections.

    :ivar link: its connection, if there is one.
    :ivar wishes: its endpoints, each the request that it asks for it with.
    """

    def __init__(self, fleet: Fleet, endpoints: int, shared: str) -> None:
        self.fleet = fleet
        self.link: Link | None = None
        self.client_id = self.cookie = ""
        self.wishes = [wish(shared)] + [wish("") for _ in range(endpoints - 1)]

    def dial(self) -> None:
        """Connect."""
        attempt = self.fleet.endpoint.connect(Factory.forProtocol(lambda: Link(self)))
        attempt.addErrback(lambda failure: self.lost())

    def lost(self) -> None:
        """The connection is gone, or could not be made."""
        at_once, self.link = self.link is not None, None
        self.fleet.reactor.callLater(0 if at_once else AGAIN, self.dial)

    def bind(self, wishes: list[dict[str, Any]]) -> None:
        """Ask for endpoints, one after the other; the fleet hears when it has them."""

        def bound(reply: dict[str, Any]) -> None:
            wishes[0] |= {"Id": reply["Id"], "Opts": reply["Opts"]}
            wishes[0]["Extra"]["Token"] = reply["Extra"]["Token"]
            self.bind(wishes[1:])

        assert self.link is not None
        if wishes:
            self.link.ask(StreamType.BIND, wishes[0], bound)
        else:
            self.fleet.one_is_done()

    def more(self, count: int) -> None:
        """Ask for so many endpoints more."""
        added = [wish("") for _ in range(count)]
        self.wishes += added
        self.bind(added)

    def fewer(self, count: int) -> None:
        """Give so many back."""
        assert self.link is not None
        if not count:
            self.fleet.one_is_done()
            return
        self.link.ask(StreamType.UNBIND, {"Id": self.wishes.pop()["Id"]}, lambda reply: self.fewer(count - 1))


class Link(Protocol):
    """One connection of an agent: a `FrameSink`."""

    transport: Any

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.streams: dict[int, Stream] = {}
        self._replies: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._reader = FrameReader(self)
        self._next = 3
        self._beat = 0

    # -- what it says --------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """`IProtocol`: a heartbeat, and the login, as the SDKs do."""
        agent = self._agent
        agent.link = self
        self._beat = self._open(StreamType.HEARTBEAT)
        self.heartbeat()
        extra = {"AuthToken": AUTHTOKEN, "Cookie": agent.cookie, "ClientType": "fake", "Version": "1", "OS": "linux"}
        self.ask(StreamType.AUTH, {"Version": ["3", "2"], "ClientId": agent.client_id, "Extra": extra}, self._logged_in)

    def _logged_in(self, reply: dict[str, Any]) -> None:
        agent = self._agent
        agent.client_id, agent.cookie = reply["ClientId"], reply["Extra"]["Cookie"]
        agent.bind(agent.wishes)

    def heartbeat(self) -> None:
        """A word."""
        self._frame(self._beat, b"beat")

    def ask(self, kind: StreamType, message: Any, then: Callable[[dict[str, Any]], None]) -> None:
        """A request."""
        id = self._open(kind)
        self._replies[id] = then
        self._frame(id, json.dumps(message).encode())

    def answer(self, stream: Stream) -> None:
        """Answer a visitor."""
        stream.asked = False
        self._frame(stream.id, ANSWER)

    def _open(self, kind: StreamType) -> int:
        id, self._next = self._next, self._next + 2
        self._frame(id, kind.word, SYN)
        return id

    def _frame(self, id: int, data: bytes, flags: int = 0) -> None:
        self.transport.write(pack_header(len(data) << 8 | DATA | flags, id) + data)

    # -- what it hears -------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """`IProtocol`."""
        self._reader.feed(data)
        touched, self._reader.touched = self._reader.touched, []
        for stream in touched:
            batch, stream.batch = stream.batch, []
            stream.data += b"".join(batch)
            (self._told if stream.id & 1 else self._visited)(stream, sum(map(len, batch)))

    def _told(self, stream: Stream, size: int) -> None:
        """A reply, or a heartbeat that came back."""
        if stream.id == self._beat:
            stream.data = b""
        elif stream.finished:
            del self.streams[stream.id]
            self._frame(stream.id, b"", FIN)
            reply = json.loads(stream.data)
            then = self._replies.pop(stream.id)
            if reply.get("Error"):
                self._agent.fleet.refused += 1
                self.transport.loseConnection()
            else:
                then(reply)

    def _visited(self, stream: Stream, size: int) -> None:
        """A visitor's bytes: behind the header come requests without bodies."""
        stream.owed += size
        if stream.owed >= CREDIT:
            self.transport.write(wndinc(stream.id, stream.owed))
            stream.owed = 0
        if stream.data.endswith(b"\r\n\r\n"):
            stream.data, stream.asked = b"", True
            if not self._agent.fleet.holding:
                self.answer(stream)
        if stream.finished:
            del self.streams[stream.id]
            self._frame(stream.id, b"", FIN)

    def connectionLost(self, reason: Any = None) -> None:
        """`IProtocol`."""
        self._agent.lost()

    # -- FrameSink -----------------------------------------------------------------------------------------------------

    def data_begins(self, id: int, flags: int, length: int) -> Stream | None:
        """`FrameSink`."""
        stream = self.streams.get(id)
        if stream is None and (flags & SYN or id in self._replies or id == self._beat):
            stream = self.streams[id] = Stream(id)
        return stream

    def data_ends(self, receiver: Stream) -> None:
        """`FrameSink`."""
        if not receiver.batch:
            self._reader.touched.append(receiver)
        receiver.finished = True

    def reset(self, id: int, code: int) -> None:
        """`FrameSink`."""
        stream = self.streams.pop(id, None)
        if stream is not None:
            stream.gone = True

    def window_grows(self, id: int, increment: int) -> None:
        """`FrameSink`: no stream is ever sent more than fits."""

    def gone_away(self, code: int, text: str) -> None:
        """`FrameSink`: the end of the connection follows."""


class Fleet(LineReceiver):
    """
    All agents of this process, and who gives them orders.

    :ivar holding: visitors are not answered.
    :ivar refused: requests that were.
    """

    delimiter = b"\n"

    def __init__(self, reactor: Any, port: int, ca: str, count: int, endpoints: int, shared: str) -> None:
        self.reactor = reactor
        plain = TCP4ClientEndpoint(reactor, LOOPBACK, port)
        self.endpoint = wrap_tls_client(plain, ssl.create_default_context(cafile=ca), HOST, clock=reactor)
        self.holding = False
        self.refused = 0
        self._agents = [Agent(self, endpoints, shared) for _ in range(count)]
        self._group = 0
        self._begun = 0.0
        self._times: list[float] = []
        LoopingCall(self._beat).start(HEARTBEAT / GROUPS, now=False)

    def lineReceived(self, line: bytes) -> None:
        """`LineReceiver`: an order."""
        order, *numbers = line.decode().split()
        getattr(self, f"_{order}")(*map(int, numbers))

    def connectionLost(self, reason: Any = None) -> None:
        """`IProtocol`: nobody gives orders any more."""
        self.reactor.stop()

    def one_is_done(self) -> None:
        """One more agent has done what was ordered."""
        self._times.append(time.perf_counter() - self._begun)
        if len(self._times) == len(self._agents):
            half = self._times[len(self._times) // 2]
            self._say({"seconds": self._times[-1], "half": half, "refused": self.refused})

    def _beat(self) -> None:
        self._group = (self._group + 1) % GROUPS
        for agent in self._agents[self._group :: GROUPS]:
            if agent.link is not None:
                agent.link.heartbeat()

    def _each(self, do: Callable[[Agent], object]) -> None:
        self._begun, self._times, self.refused = time.perf_counter(), [], 0
        for agent in self._agents:
            do(agent)

    def _connect(self) -> None:
        self._each(Agent.dial)

    def _drop(self) -> None:
        self._each(lambda agent: agent.link is None or agent.link.transport.abortConnection())

    def _more(self, count: int) -> None:
        self._each(lambda agent: agent.more(count))

    def _fewer(self, count: int) -> None:
        self._each(lambda agent: agent.fewer(count))

    def _hold(self) -> None:
        self.holding = True
        self._say({})

    def _answer(self) -> None:
        self.holding = False
        for link in self._links():
            for stream in link.streams.values():
                if stream.asked:
                    link.answer(stream)
        self._say({})

    def _streams(self) -> None:
        self._say({"streams": sum(not id & 1 for link in self._links() for id in link.streams)})

    def _links(self) -> list[Link]:
        return [agent.link for agent in self._agents if agent.link is not None]

    def _say(self, what: dict[str, Any]) -> None:
        self.sendLine(json.dumps(what).encode())


def wish(shared: str) -> dict[str, Any]:
    """
    The request for an https endpoint, as the SDKs write it.

    :param shared: the name to share with others; empty for a random one.
    """
    return {
        "Id": "",
        "Proto": "https",
        "ForwardsTo": "http://127.0.0.1:8000/",
        "ForwardsProto": "",
        "Opts": {"Hostname": shared},
        "Extra": {"Token": "", "IPPolicyRef": "", "Metadata": "", "Bindings": [], "PoolingEnabled": bool(shared)},
    }


def main() -> None:
    """Wait for orders."""
    lean_reactor.install()
    from twisted.internet import reactor

    port, ca, count, endpoints, shared = sys.argv[1:6]
    StandardIO(Fleet(reactor, int(port), ca, int(count), int(endpoints), shared))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
