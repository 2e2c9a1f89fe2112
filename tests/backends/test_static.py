"""
Tests of `ngrok_twisted.backends.static`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.backends.static import ATTEMPT_DELAY, DIAL_TIMEOUT, Static, StaticConfig, StaticTLS
from ngrok_twisted.errors import InvalidConfig, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.schema import parse
from ngrok_twisted.tunnels import Tunnels
from tests.net.loop import Recorder


def factory(protocol: Any) -> Factory:
    """A factory of this one protocol."""
    made = Factory()
    made.noisy = False
    made.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
    return made


@implementer(IHostnameResolver)
class Anything:
    """Knows the same addresses of every host."""

    def __init__(self, *found: str) -> None:
        self.found = found

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, *args: Any, **more: Any) -> Any:
        """IHostnameResolver."""
        receiver.resolutionBegan(None)
        for host in self.found:
            receiver.addressResolved((IPv6Address if ":" in host else IPv4Address)("TCP", host, portNumber))
        receiver.resolutionComplete()
        return receiver


class StaticTests(SynchronousTestCase):
    """The address is dialled."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Anything("2001:db8::1", "192.0.2.1"))
        self.inner = Recorder()

    def connect(self, address: str, tls: bool = False) -> Deferred[Any]:
        """Dial it."""
        context = BackendContext(
            tunnels=Tunnels(), account_id="ac_1", find=lambda id: None, random=Random(1), reactor=self.reactor
        )
        backend = Static(StaticConfig(address=address, tls=StaticTLS(enabled=tls)), context)
        flow = Flow("192.0.2.1", 1, "tcp", 0.0)
        (target,) = backend.candidates(flow)
        self.assertEqual(list(backend.candidates(flow)), [target])
        self.assertEqual(target.id, address)
        return target.connect(factory(self.inner))

    def client(self) -> Any:
        """The factory of the connection that is being dialled."""
        return self.reactor.tcpClients[0][2]

    def test_same(self) -> None:
        """Two that dial alike are one target, so that one's idle connections serve the other; TLS makes a difference."""
        context = BackendContext(
            tunnels=Tunnels(), account_id="ac_1", find=lambda id: None, random=Random(1), reactor=self.reactor
        )

        def target(address: str, tls: bool = False) -> Any:
            (found,) = Static(StaticConfig(address=address, tls=StaticTLS(enabled=tls)), context).candidates(
                Flow("192.0.2.1", 1, "tcp", 0.0)
            )
            return found

        self.assertEqual({target("a.example:1"): "found"}[target("a.example:1")], "found")
        self.assertNotEqual(target("a.example:1"), target("a.example:2"))
        self.assertNotEqual(target("a.example:1"), target("a.example:1", tls=True))
        self.assertNotEqual(target("a.example:1"), "a.example:1")

    def test_plain(self) -> None:
        """Host and port are those of the address, and what connects is the caller's protocol."""
        connecting = self.connect("192.0.2.7:8080")
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.7", 8080))
        self.client().buildProtocol(None).makeConnection(StringTransport())
        self.assertIs(self.successResultOf(connecting), self.inner)

    def test_ipv6(self) -> None:
        """An IPv6 address stands in brackets."""
        self.connect("[2001:db8::1]:80").addErrback(lambda _: None)
        self.assertEqual(self.reactor.tcpClients[0][:2], ("2001:db8::1", 80))

    def test_refused(self) -> None:
        """An address that refuses fails the attempt at once."""
        connecting = self.connect("192.0.2.7:1")
        self.client().clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.failureResultOf(connecting, ConnectionRefusedError)

    def test_name(self) -> None:
        """The addresses of a name are tried one after the other, a tenth of a second apart."""
        connecting = self.connect("db.example:1")
        self.assertEqual(self.reactor.tcpClients[0][0], "2001:db8::1")
        self.client().clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.reactor.pump([ATTEMPT_DELAY])
        self.assertEqual(self.reactor.tcpClients[1][0], "192.0.2.1")
        self.reactor.tcpClients[1][2].buildProtocol(None).makeConnection(StringTransport())
        self.assertIs(self.successResultOf(connecting), self.inner)

    def test_timeout(self) -> None:
        """One that does not answer is given so much time and no more."""
        self.connect("192.0.2.7:1").addErrback(lambda _: None)
        self.assertEqual(self.reactor.tcpClients[0][3], DIAL_TIMEOUT)

    def test_tls(self) -> None:
        """With TLS a ClientHello goes out first, and the caller's protocol waits for the handshake."""
        connecting = self.connect("192.0.2.7:443", tls=True)
        transport = StringTransport()
        self.client().buildProtocol(None).makeConnection(transport)
        self.assertEqual(transport.value()[:1], b"\x16")
        self.assertEqual(self.inner.connected_times, 0)
        self.assertNoResult(connecting)
        connecting.addErrback(lambda _: None)
        connecting.cancel()


class OwnPortTests(SynchronousTestCase):
    """An edge that leads to an edge of the same server could lead to itself, and each visitor would go round for ever."""

    def outcome(self, address: str, *found: str) -> Deferred[Any]:
        """What becomes of a dial to port 443, which is one of the server's own; ``found`` is what names resolve to."""
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Anything(*found))
        context = BackendContext(
            tunnels=Tunnels(),
            account_id="ac_1",
            find=lambda id: None,
            random=Random(1),
            reactor=self.reactor,
            is_own_port=lambda port: port == 443,
        )
        (target,) = Static(StaticConfig(address=address), context).candidates(Flow("192.0.2.1", 1, "tcp", 0.0))
        return target.connect(factory(Recorder()))

    def test_refused(self) -> None:
        """The machine's own addresses are not dialled on such a port, by number or by name."""
        for address, found in (("127.0.0.1:443", ()), ("[::1]:443", ()), ("a.example:443", ("198.51.100.7", "::1"))):
            error = self.failureResultOf(self.outcome(address, *found), UpstreamUnreachable).value
            self.assertEqual(error.sentence, "The backend's address leads back to this server.")
            self.assertEqual(self.reactor.tcpClients, [])

    def test_others(self) -> None:
        """Other machines are, and other ports of this one."""
        for address, found in (("198.51.100.7:443", ()), ("127.0.0.1:80", ()), ("a.example:443", ("198.51.100.7",))):
            self.outcome(address, *found)
            self.assertEqual(len(self.reactor.tcpClients), 1, address)

    def test_nobody(self) -> None:
        """A name that nobody knows fails as ever."""
        dialled = self.outcome("a.example:443")
        self.failureResultOf(dialled, DNSLookupError)


class ConfigTests(SynchronousTestCase):
    """What is an address."""

    def code(self, address: str) -> int:
        """ngrok's number for what is wrong; 0 for nothing."""
        try:
            parse(StaticConfig, {"address": address})
        except InvalidConfig as error:
            (problem,) = error.problems
            self.assertEqual(problem.path, "address")
            return problem.code
        return 0

    def test_good(self) -> None:
        """Names, also those of private networks, and addresses of both families."""
        for address in ("localhost:1", "db_1:5432", "a.example.com.:65535", "192.0.2.1:80", "[::1]:80"):
            self.assertEqual(self.code(address), 0, address)

    def test_bad(self) -> None:
        """Anything else is refused, each with its number."""
        cases = {
            "": 6505,
            "localhost": 6506,
            "localhost:": 6506,
            "localhost:0": 6506,
            "localhost:65536": 6506,
            "localhost:٣": 6506,
            ":80": 6507,
            "::1:80": 6506,
            "[192.0.2.1]:80": 6506,
            "[::1:80": 6506,
            "a b:80": 6506,
            "http://a:80": 6506,
            "a" * 255 + ":80": 6506,
        }
        for address, code in cases.items():
            self.assertEqual(self.code(address), code, address)
