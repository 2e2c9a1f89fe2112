"""
What the small modules cost: ``python -m benchmarks.small_modules``.

Requests of a browser go through an HTTP/1.1 connection to a fixed answer, first with nothing between and then with one
module at a time; the difference is what the module adds, in microseconds of CPU. For the WebSocket-to-TCP converter: what a
message costs each way. Best of several rounds; no socket is opened.
"""

from __future__ import annotations

from random import Random
from time import process_time
from typing import Any, Callable

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from zope.interface import implementer

from ngrok_twisted.circuit import OPEN
from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.site import HTTPLimits, Site
from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.modules.basic_auth import BasicAuth, BasicAuthConfig, Credential
from ngrok_twisted.modules.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from ngrok_twisted.modules.user_agent_filter import UserAgentFilter, UserAgentFilterConfig
from ngrok_twisted.net import websocket as ws
from ngrok_twisted.net.conversion import Conversion
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.wrapper import Answer

#: Requests, or messages, of one measurement, and measurements of each kind: the best one counts.
COUNT = 5_000
ROUNDS = 9

MICROSECOND = 1e6

REQUEST = b"".join(
    line + b"\r\n"
    for line in (
        b"GET /assets/site.css?v=3 HTTP/1.1",
        b"Host: shop.example.com",
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        b"Accept: text/css,*/*;q=0.1",
        b"Accept-Encoding: gzip, deflate, br, zstd",
        b"Accept-Language: en-GB,en;q=0.9",
        b"Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=",
        b"Cookie: session=8e1f3f9c2b7d4a60; theme=dark",
        b"Referer: https://shop.example.com/",
        b"",
    )
)

LEAF = Answer(200, [(b"Content-Type", b"text/plain")], b"x" * 120)


@implementer(IBatchTransport)
class Nowhere:
    """A transport whose bytes nobody wants."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None

    def getHost(self) -> IPv4Address:
        """ITransport."""
        return IPv4Address("TCP", "203.0.113.1", 443)

    def getPeer(self) -> IPv4Address:
        """ITransport."""
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def write(self, data: Any) -> None:
        """ITransport."""

    def writeBatch(self, buffers: Any) -> None:
        """IBatchTransport."""


class OneSite(Site):
    """Every request goes to one resource."""

    def __init__(self, resource: Any) -> None:
        super().__init__("https", Clock(), HTTPLimits(), ())
        self.resource = resource

    def resource_for(self, request: Any) -> Any:
        """See `Site`."""
        return self.resource


def context() -> ModuleContext:
    """What a module is given."""
    return ModuleContext(runtime=Runtime(reactor=Clock(), random=Random(1)))


def breaker(tripped: bool = False) -> Any:
    """A circuit breaker, closed or open."""
    made = CircuitBreaker(CircuitBreakerConfig(), context()).wrap_resource(LEAF)
    if tripped:
        made.circuit._enter(OPEN, 0.0)
    return made


def user_agents(*deny: str, remembered: bool = True) -> Any:
    """A filter with these expressions."""
    module = UserAgentFilter(UserAgentFilterConfig(deny=deny), context())
    if not remembered:
        module._verdict = module._judge  # type: ignore[assignment]
    return module.wrap_resource(LEAF)


def passwords(count: int) -> Any:
    """Basic auth with so many pairs, the last of which is the visitor's."""
    others = [Credential(username=f"user{number}", password="some password") for number in range(count - 1)]
    pairs = (*others, Credential(username="ann", password="correct horse"))
    return BasicAuth(BasicAuthConfig(credentials=pairs), context()).wrap_resource(LEAF)


def request_cost(resource: Any) -> float:
    """Seconds of CPU that a request takes."""
    channel = HTTPChannel(OneSite(resource))
    channel.makeConnection(Nowhere())

    def ask() -> None:
        for _ in range(COUNT):
            channel.dataReceived(REQUEST)

    return best(ask) / COUNT


class Upgradable:
    """A request that lets itself be upgraded."""

    def __init__(self) -> None:
        self.flow = self
        self.bytes_in = self.bytes_out = 0
        self.protocol: Any = None

    def upgrade(self, head: Any, protocol: Any) -> None:
        """See `ngrok_twisted.edge.request.EdgeRequest`."""
        self.protocol = protocol
        protocol.makeConnection(Nowhere())


def message_costs(size: int) -> tuple[float, float]:
    """Seconds of CPU for a message of so many bytes, from the visitor and to it."""
    conversion, request = Conversion(None, Clock(), 300.0), Upgradable()  # type: ignore[arg-type]
    conversion.makeConnection(Nowhere())
    conversion.start(request)
    head = bytearray(ws.frame_head(ws.BINARY, size))
    head[1] |= 0x80
    frame, data, count = bytes(head) + b"mask" + bytes(size), bytes(size), max(20, COUNT * 100 // (size + 100))

    def send() -> None:
        for _ in range(count):
            request.protocol.dataReceived(frame)

    def answer() -> None:
        for _ in range(count):
            conversion.dataReceived(data)

    return best(send) / count, best(answer) / count


def best(work: Callable[[], object]) -> float:
    """The seconds of CPU of the quickest of several rounds."""
    times = []
    for _ in range(ROUNDS):
        before = process_time()
        work()
        times.append(process_time() - before)
    return min(times)


def main() -> None:
    """Measure and print."""
    nothing = request_cost(LEAF)
    print(f"a request with nothing between {nothing * MICROSECOND:9.2f} µs of CPU; what is added by")
    for name, resource in (
        ("circuit_breaker, closed", breaker()),
        ("user_agent_filter, 3 deny, known", user_agents("(?i)curl", "bot|spider", "^python")),
        ("user_agent_filter, 3 deny, new", user_agents("(?i)curl", "bot|spider", "^python", remembered=False)),
        ("basic_auth, 1 pair", passwords(1)),
        ("basic_auth, 10 pairs", passwords(10)),
    ):
        print(f"  {name:34} {(request_cost(resource) - nothing) * MICROSECOND:6.2f} µs")
    print(f"a request that an open circuit_breaker refuses {request_cost(breaker(tripped=True)) * MICROSECOND:6.2f} µs")
    print("websocket_tcp_converter, a message   from the visitor   to the visitor")
    for size in (64, 1024, 65536):
        sent, answered = message_costs(size)
        print(
            f"  {size:6} bytes                      {sent * MICROSECOND:9.2f} µs       {answered * MICROSECOND:9.2f} µs"
        )


if __name__ == "__main__":
    main()
