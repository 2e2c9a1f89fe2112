"""
What the agents' multiplexer costs: ``python -m benchmarks.agent_mux``.

Frames go through a `Mux` in memory, as its connection would feed and drain it: from the agent to a protocol in the pieces
that TLS yields, and from a protocol to the agent in writes of the sizes that the edge makes. CPU per frame in microseconds,
and gigabytes per second of CPU; best of several rounds. No TLS and no socket: those come on top.
"""

from __future__ import annotations

from time import process_time
from typing import Any, Callable

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net.turn import Turn
from ngrok_twisted.transports.agent.frames import DATA, FIN, pack_header, wndinc
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.mux import Mux
from ngrok_twisted.transports.agent.proxied import ProxyStream

#: Measurements of each kind: the best one counts.
ROUNDS = 7

MICROSECOND = 1e6
GIGABYTE = 1e9

#: Plaintext of one TLS record, and what is read from a socket at once.
RECORD = 16 * 1024
READ = 256 * 1024

#: What the agents of the Rust family, v2, and the most talkative send in one frame.
BODIES = (64, 1024, 8192, 32768, 262018)
WRITES = (64, 1024, 16384, 65536, 262144)

HEADER = bytes(300)


class Nowhere:
    """A connection whose frames nobody wants."""

    peer_host, peer_port, transport = "192.0.2.7", 4443, None

    def __init__(self) -> None:
        self.clock = Clock()
        self.later = Turn(self.clock).later
        self.frames = 0

    def write_frames(self, buffers: Any) -> None:
        """`Output`."""
        self.frames += 1

    def gone_away(self, code: int, text: str) -> None:
        """`Output`."""

    def room_made(self) -> None:
        """`Output`."""


@implementer(IBatchReceiver)
class Sink(Protocol):
    """A protocol that takes what comes."""

    transport: Any

    def batchReceived(self, buffers: Any) -> None:
        """`IBatchReceiver`."""


def opened() -> tuple[Mux, Sink]:
    """A mux with one stream."""
    mux = Mux(Nowhere(), lambda id: None, AgentLimits())  # type: ignore[arg-type, return-value]
    sink = Sink()
    ProxyStream.open(mux, HEADER, Factory.forProtocol(lambda: sink))  # type: ignore[arg-type]
    return mux, sink


def cost(call: Callable[[], int]) -> float:
    """:return: seconds of CPU for one of what ``call`` does so many of, the best of all rounds."""
    best = 1e9
    for _ in range(ROUNDS):
        begun = process_time()
        count = call()
        best = min(best, (process_time() - begun) / count)
    return best


def receiving(body: int) -> float:
    """Frames of one size from the agent."""
    frame = pack_header(body << 8 | DATA, 2) + bytes(body)
    reads = []
    wire = frame * (4 * READ // len(frame) + 1)
    for start in range(0, len(wire), READ):
        read = wire[start : start + READ]
        reads.append([read[at : at + RECORD] for at in range(0, len(read), RECORD)])
    mux, _ = opened()

    def run() -> int:
        for _ in range(20):
            for read in reads:
                mux.receive_batch(read)
        return 20 * len(wire) // len(frame)

    return cost(run)


def sending(size: int) -> float:
    """Writes of one size to the agent, which gives credit for each."""
    mux, sink = opened()
    sink.transport.write(b"x")
    data = bytes(size)
    stream = mux.streams[2]
    rounds = max(500, 40_000_000 // max(size, 8000))

    def run() -> int:
        write = sink.transport.writeBatch
        for _ in range(rounds):
            stream.send_window = 262144
            write((data,))
        return rounds

    return cost(run)


def requests() -> float:
    """A stream that is opened, asked, answered in 8 KiB with FIN, and closed."""
    mux, _ = opened()
    ends = [bytes(8000), wndinc(2, 8000)]

    def run() -> int:
        clock = mux.output.clock
        for _ in range(2000):
            sink = Sink()
            ProxyStream.open(mux, HEADER, Factory.forProtocol(lambda: sink))  # type: ignore[arg-type]
            id = sink.transport.id
            sink.transport.write(b"GET / HTTP/1.1\r\n\r\n")
            mux.receive(pack_header(8000 << 8 | DATA | FIN, id) + ends[0])
            clock.advance(0)
        return 2000

    return cost(run)


def main() -> None:
    """Print the figures."""
    for name, measure, sizes in (("from the agent", receiving, BODIES), ("to the agent", sending, WRITES)):
        for size in sizes:
            seconds = measure(size)
            print(f"{name:15} {size:7} B  {seconds * MICROSECOND:7.2f} µs  {size / seconds / GIGABYTE:8.2f} GB/s")
    print(f"{'open to close':15} {'':9}  {requests() * MICROSECOND:7.2f} µs")


if __name__ == "__main__":
    main()
