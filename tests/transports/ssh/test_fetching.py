"""
Tests for `ngrok_twisted.transports.ssh.fetching`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.errors import Refused
from ngrok_twisted.policy.document import DOCUMENT_MAX
from ngrok_twisted.transports.ssh.fetching import FETCH_TIMEOUT, REDIRECTS_MAX, Fetcher, is_public

PUBLIC = "93.184.216.34"


@implementer(IHostnameResolver)
class Names:
    """Names and what they lead to; an address leads to itself."""

    def __init__(self, **known: tuple[str, ...]) -> None:
        self.known = known

    def resolveHostName(
        self, resolutionReceiver: Any, hostName: str, portNumber: int = 0, *rest: Any, **more: Any
    ) -> Any:
        """IHostnameResolver."""
        resolutionReceiver.resolutionBegan(None)
        for host in self.known.get(hostName.partition(".")[0], () if hostName[0].isalpha() else (hostName,)):
            resolutionReceiver.addressResolved(IPv4Address("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()


class FetcherCase(SynchronousTestCase):
    """A fetcher in a network that the test plays."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.nameResolver = Names(good=(PUBLIC,), bad=("10.0.0.1", "127.0.0.1"), mixed=("10.0.0.1", PUBLIC))
        self.fetcher = Fetcher(self.reactor)

    def fetch(self, url: str = "http://good.example/policy.yaml") -> Any:
        """Begin."""
        return self.fetcher.fetch(url)

    def answer(self, data: bytes, end: bool = True) -> bytes:
        """The newest connection's server says something; here is what it was asked."""
        host, port, factory, timeout, bind = self.reactor.tcpClients[-1]
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        protocol.dataReceived(data)
        if end and transport.connected and not transport.disconnecting:
            protocol.connectionLost(_closed())
        return transport.value()

    def refusal(self, fetching: Any) -> str:
        """Why there is nothing."""
        refused = self.failureResultOf(fetching, Refused).value
        self.assertEqual(refused.code, 1110)
        self.assertTrue(refused.message.isprintable())
        return str(refused.message)


class FetchTests(FetcherCase):
    """Documents."""

    def test_document(self) -> None:
        """A document is got with GET, from the address that its name leads to."""
        fetching = self.fetch()
        self.assertEqual(self.reactor.tcpClients[0][:2], (PUBLIC, 80))
        asked = self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na: \xc3\xa9")
        self.assertTrue(asked.startswith(b"GET /policy.yaml HTTP/1.1\r\n"))
        self.assertIn(b"Host: good.example\r\n", asked)
        self.assertEqual(self.successResultOf(fetching), "a: é")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_until_close(self) -> None:
        """So is one that ends with its connection."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 200 OK\r\n\r\n{}")
        self.assertEqual(self.successResultOf(fetching), "{}")

    def test_redirect(self) -> None:
        """Redirects are followed, a few times."""
        fetching = self.fetch()
        for _ in range(REDIRECTS_MAX):
            self.answer(b"HTTP/1.1 302 Found\r\nLocation: http://mixed.example/x\r\nContent-Length: 0\r\n\r\n")
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        self.assertEqual(self.successResultOf(fetching), "{}")
        endless = self.fetch()
        for _ in range(REDIRECTS_MAX + 1):
            self.answer(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        self.assertIn("without end", self.refusal(endless))

    def test_status(self) -> None:
        """Anything but 200 is told."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
        self.assertIn("404", self.refusal(fetching))

    def test_too_large(self) -> None:
        """A document that is too large is not read to its end."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (DOCUMENT_MAX + 1), end=False)
        self.assertIn("larger", self.refusal(fetching))

    def test_cut(self) -> None:
        """Half a document is none."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\non_http_request: []\n")
        self.assertIn("broke", self.refusal(fetching))

    def test_no_text(self) -> None:
        """What is no text is none."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff")
        self.assertIn("UTF-8", self.refusal(fetching))

    def test_slow(self) -> None:
        """All of it has its time."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx", end=False)
        self.reactor.advance(FETCH_TIMEOUT)
        self.assertIn(f"{FETCH_TIMEOUT} seconds", self.refusal(fetching))

    def test_cancelled(self) -> None:
        """Nothing goes on for whoever gives up, before or after an answer began."""
        for began in (False, True):
            fetching = self.fetch()
            if began:
                self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx", end=False)
            fetching.cancel()
            self.failureResultOf(fetching)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_schemes(self) -> None:
        """A redirect to what is neither http nor https is not followed."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
        self.assertIn("neither", self.refusal(fetching))


class AddressTests(FetcherCase):
    """Whom the server asks."""

    def test_private(self) -> None:
        """A name that leads to private addresses is not asked, and neither are such addresses."""
        for host in ("bad.example", "127.0.0.1", "169.254.169.254", "10.1.2.3"):
            self.assertIn("public", self.refusal(self.fetch(f"http://{host}/")))
        self.assertEqual(self.reactor.tcpClients, [])

    def test_mixed(self) -> None:
        """Of the addresses of a name only public ones are asked."""
        self.fetch("http://mixed.example/").addErrback(lambda _: None)
        self.assertEqual([client[0] for client in self.reactor.tcpClients], [PUBLIC])

    def test_redirect(self) -> None:
        """A redirect leads to no private address either."""
        fetching = self.fetch()
        self.answer(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://bad.example/\r\nContent-Length: 0\r\n\r\n")
        self.assertIn("public", self.refusal(fetching))
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_allowed(self) -> None:
        """An operator may allow them."""
        self.fetcher = Fetcher(self.reactor, private=True)
        self.fetch("http://10.1.2.3:8080/").addErrback(lambda _: None)
        self.assertEqual(self.reactor.tcpClients[0][:2], ("10.1.2.3", 8080))

    def test_public(self) -> None:
        """Addresses that stand for private ones are private."""
        for host in (PUBLIC, "2606:4700::1111", "64:ff9b::5db8:d822"):
            self.assertTrue(is_public(host), host)
        for host in (
            "0.0.0.0",
            "100.64.0.1",
            "192.168.0.1",
            "172.16.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1%eth0",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "2002:a00:1::",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
        ):
            self.assertFalse(is_public(host), host)


def _closed() -> Any:
    return Failure(ConnectionDone())
