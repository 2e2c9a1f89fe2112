"""
What the modules for headers and for compression cost: ``python -m benchmarks.headers_and_compression [REQUESTS]``.

One visitor that keeps its connection sends request after request through a route to a service that answers at once; both are
in memory, so that what is counted is our own work and nothing of the kernel's or of TLS. The figures are CPU microseconds
per request, and what each set of modules adds to none.
"""

from __future__ import annotations

import sys
from random import Random
from time import process_time
from typing import Any, Iterator, Mapping

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.edge.chain import Chain
from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.site import Site
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.edge import config_type, module
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.upstream.forward import Forward

#: Requests in one measurement, unless told otherwise, and measurements of each kind: the best one counts.
REQUESTS = 5_000
ROUNDS = 5

MICROSECOND = 1e6

#: Nine fields, as of a browser.
FIELDS = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\n"
    b"Connection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\nCache-Control: max-age=0\r\nX-Tenant: blue\r\n"
)

TEMPLATES = {"x-who": "${conn.client_ip}", "x-where": "${req.method} ${req.url.path}", "x-id": "${.http.request_id}"}
FIXED = {"x-one": "1", "x-two": "2", "x-three": "3"}

#: What stands on the route, by a label.
HEADER_SETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "nothing": {},
    "request_headers, 3 added, 2 removed": {
        "request_headers": {"add": FIXED, "remove": ("cookie", "x-forwarded-host")}
    },
    "request_headers, 3 templates": {"request_headers": {"add": TEMPLATES}},
    "response_headers, 3 added, 2 removed": {"response_headers": {"add": FIXED, "remove": ("server", "x-powered-by")}},
    "response_headers, 3 templates": {"response_headers": {"add": TEMPLATES}},
    "both, with templates": {"request_headers": {"add": TEMPLATES}, "response_headers": {"add": TEMPLATES}},
    "compression, not asked for": {"compression": {}},
}

CODINGS = ("", "zstd", "br", "gzip", "deflate")
SIZES = (1_000, 10_000, 100_000)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else REQUESTS
    print(f"CPU microseconds per request, best of {ROUNDS} times {count} requests")
    small = Route({}, text(1_000))
    nothing = 0.0
    for label, modules in HEADER_SETS.items():
        cost = measured(Route(modules, small.body), count)
        nothing = nothing or cost
        print(f"  {label:40} {cost:8.1f}   +{cost - nothing:.1f}")
    for size in SIZES:
        body, plain = text(size), 0.0
        fewer = max(20, count * 1_000 // size)
        for coding in CODINGS:
            route = Route({"compression": {}}, body, coding)
            cost = measured(route, fewer)
            plain = plain or cost
            label = f"compression, {size // 1000} KB, {coding or 'not asked for'}"
            print(
                f"  {label:40} {cost:8.1f}   +{cost - plain:.1f}   {size / (route.sent / route.asked):.1f} times smaller"
            )


def text(size: int) -> bytes:
    """JSON as services write it, of so many bytes."""
    random = Random(1)
    words = "id name created_at description active amount currency country status owner".split()
    made: list[str] = []
    length = 0
    while length < size:
        item = ", ".join(f'"{word}": "{random.getrandbits(24):x} {random.choice(words)}"' for word in words)
        made.append("{" + item + "}")
        length += len(made[-1]) + 1
    return ",".join(made).encode()[:size]


def measured(route: Route, count: int) -> float:
    """CPU microseconds of one request."""
    times = []
    for _ in range(ROUNDS):
        started = process_time()
        for _ in range(count):
            route.ask()
        times.append(process_time() - started)
    return min(times) / count * MICROSECOND


class Route:
    """
    A visitor, a route and a service.

    :ivar body: what the service answers.
    :ivar asked: how many requests there were.
    :ivar sent: bytes that the visitor got.
    """

    def __init__(self, modules: Mapping[str, Mapping[str, Any]], body: bytes, coding: str = "") -> None:
        """
        :param modules: configs, by names of module kinds.
        :param coding: what the visitor accepts.
        """
        known = kinds.discover("ngrok_twisted.modules", IModuleKind)
        clock = Clock()
        clock.advance(1_700_000_000)
        context = ModuleContext(runtime=Runtime(reactor=clock, random=Random(1)))
        made = {name: module(config_type(known[name], "route")(**config)) for name, config in modules.items()}
        forward = Forward(_Only(_Service(body)), clock)
        self._channel = HTTPChannel(_Site(Chain(made, known, context).around_resource(forward), clock))
        self._wire = _Transport()
        self._channel.makeConnection(self._wire)
        accept = f"Accept-Encoding: {coding}\r\n".encode() if coding else b""
        self._request = b"GET /some/path?q=1 HTTP/1.1\r\nHost: app.example.com\r\n" + FIELDS + accept + b"\r\n"
        self.body = body
        self.asked = 0

    def ask(self) -> None:
        """One request, answered."""
        self.asked += 1
        self._channel.dataReceived(self._request)

    @property
    def sent(self) -> int:
        """See the class."""
        return self._wire.written


class _Site(Site):
    """Everything goes to one resource."""

    def __init__(self, resource: Any, clock: Any) -> None:
        super().__init__("https", clock)
        self._resource = resource

    def resource_for(self, request: Any) -> Any:
        return self._resource


class _Only:
    """A backend with one target."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def candidates(self, flow: Any) -> Iterator[Any]:
        yield self._target


class _Transport:
    """Takes what is written, and counts it."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def writeBatch(self, buffers: list[Any]) -> None:
        self.written += sum(map(len, buffers))

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "203.0.113.1", 443)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def loseConnection(self) -> None:
        pass


class _Answering(_Transport):
    """The way to a service that answers each write at once."""

    def __init__(self, protocol: Any, answer: bytes) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer = answer

    def write(self, data: bytes) -> None:
        self._protocol.dataReceived(self._answer)


@implementer(IStreamClientEndpoint)
class _Service:
    """A target."""

    upstream = Upstream()

    def __init__(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        self._answer = head + body

    def connect(self, factory: Any) -> Deferred[Any]:
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(_Answering(protocol, self._answer))
        return succeed(protocol)


if __name__ == "__main__":
    main(sys.argv[1:])
