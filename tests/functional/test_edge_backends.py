"""
Backends of edges, with services that are dead, silent or in the middle of something.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from typing import Any

from tests.functional.clients import Answer, fetch, keep_open, said_at
from tests.functional.ports import free_port
from tests.functional.service import Service, greet, hang_up
from tests.functional.test_live_changes import LiveCase
from tests.functional.test_streams import own_certificate

#: Seconds until a dial is given up, and what a busy machine may add.
DIAL_TIMEOUT, SLACK = 10, 5


class BackendCase(LiveCase):
    """Quick ways to make backends."""

    def at(self, port: int, host: str = "127.0.0.1", tls: bool = False) -> str:
        """A static backend."""
        return self.api.make("/backends/static", address=f"{host}:{port}", tls={"enabled": tls})

    def dead(self) -> str:
        """A backend that refuses."""
        return self.at(free_port())

    def hole(self) -> str:
        """A backend that does not answer a dial at all: the queue of its listener is full."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = socket.socket()
            self.addCleanup(caller.close)
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        return self.at(listener.getsockname()[1])

    def failover(self, *backends: str) -> str:
        """One after the other."""
        return self.api.make("/backends/failover", backends=list(backends))

    def weighted(self, weights: dict[str, int]) -> str:
        """In proportion."""
        return self.api.make("/backends/weighted", backends=weights)

    def behind(self, backend: str) -> str:
        """The name of an edge with this backend."""
        name = self.domain()
        self.https_edge(name, backend)
        return name

    def ask(self, backend: str, **arguments: Any) -> tuple[int, str]:
        """The status, and who answered or what went wrong."""
        answer = self.get(f"https://{self.behind(backend)}/", **arguments)
        return answer.status, answer.headers.get("x-service") or answer.headers.get("ngrok-error-code", answer.text)


class FailoverTests(BackendCase):
    """``failover``."""

    def test_refused(self) -> None:
        """Services that refuse, names that nobody knows and TLS where there is none are passed over at once."""
        plain = self.serve(Service(greet(b"not TLS at all\n")))
        bad = [self.dead(), self.at(80, "nobody.invalid"), self.at(plain.port, tls=True)]
        for backend in bad:
            self.assertEqual(self.ask(self.failover(backend, self.static(self.web()))), (200, "web"))
            self.assertEqual(self.ask(backend), (502, "ERR_NGROK_8012"))
        self.assertEqual(self.ask(self.failover(*bad)), (502, "ERR_NGROK_8012"))
        self.assertEqual(self.ask(self.failover(*bad, self.fixed("sorry"))), (200, "sorry"))

    def test_body(self) -> None:
        """A body waits for the one who can be reached, and reaches it whole."""
        name = self.behind(self.failover(self.dead(), self.static(self.web())))
        answer = fetch(self.edge, f"https://{name}/echo", "POST", b"x" * 3_000_000)
        self.assertIn(b'"length": 3000000', answer.body)

    def test_silence(self) -> None:
        """Who does not answer the dial is given up after ten seconds; others are served meanwhile."""
        name = self.behind(self.failover(self.hole(), self.static(self.web())))
        waiting = keep_open(self.edge, name)
        waiting.request("GET", "/", headers={"Host": name})
        self.assertEqual(self.ask(self.static(self.web())), (200, "web"))
        assert waiting.sock is not None
        waiting.sock.settimeout(DIAL_TIMEOUT + SLACK)
        self.assertEqual(Answer(waiting.getresponse()).status, 200)

    def test_no_way_back(self) -> None:
        """A service that hangs up or fails in mid-request has been reached: nobody else is asked."""
        second = self.web("second")
        hangs = self.at(self.serve(Service(hang_up)).port)
        self.assertEqual(self.ask(self.failover(hangs, self.static(second))), (502, "ERR_NGROK_3209"))
        first = self.static(self.web("first"))
        name = self.behind(self.failover(first, self.static(second)))
        self.assertEqual(self.get(f"https://{name}/status/500").status, 500)
        self.assertEqual(second.accepted, 0)

    def test_streams(self) -> None:
        """Streams fail over too; an answer to requests is passed over, and where nobody is left they are closed."""
        hello = self.at(self.serve(Service(greet(b"hello"))).port)
        for backend, said in ((self.failover(self.dead(), hello), b"hello"), (self.dead(), b"")):
            addr, port = self.address()
            self.api.make("/edges/tcp", hostports=[addr], backend={"backend_id": backend})
            self.assertEqual(said_at(port), said)

    def test_own_address(self) -> None:
        """An address where this server's own visitors arrive is passed over: an edge could lead to itself for ever."""
        name = self.behind(self.at(self.edge.https, tls=True))
        self.assertEqual(self.get(f"https://{name}/").status, 502)
        addr, port = self.address()
        self.api.make("/edges/tcp", hostports=[addr], backend={"backend_id": self.at(port, "localhost")})
        before = self.edge.descriptors()
        self.assertEqual(said_at(port), b"")
        self.assertLess(self.edge.descriptors(), before + 10)

    def test_tls(self) -> None:
        """A static backend is spoken to by TLS where it says so."""
        certificate, key = own_certificate(self.edge.directory, self.new_name())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        inner = self.web("sealed")

        def talk(connection: socket.socket) -> None:
            inner._talk_http(context.wrap_socket(connection, server_side=True))

        self.assertEqual(self.ask(self.at(self.serve(Service(talk)).port, tls=True)), (200, "sealed"))


class WeightedTests(BackendCase):
    """``weighted``."""

    def shares(self, backend: str, count: int) -> Counter[str]:
        """Who answered so many requests on one connection."""
        name = self.behind(backend)
        connection = keep_open(self.edge, name)
        found: Counter[str] = Counter()
        for _ in range(count):
            connection.request("GET", "/", headers={"Host": name})
            answer = Answer(connection.getresponse())
            found[answer.headers.get("x-service") or answer.headers.get("ngrok-error-code", answer.text)] += 1
        return found

    def test_shares(self) -> None:
        """Shares are exact, and a weight of 0 is none."""
        one, two, three = (self.fixed(name) for name in ("one", "two", "three"))
        self.assertEqual(self.shares(self.weighted({one: 90, two: 10, three: 0}), 2000), {"one": 1800, "two": 200})
        self.assertEqual(self.shares(self.weighted({one: 0}), 3), {"ERR_NGROK_6515": 3})

    def test_dead(self) -> None:
        """The share of one that is dead goes to the others; inside a failover it goes to whoever comes next."""
        one, two = self.fixed("one"), self.fixed("two")
        half = {self.dead(): 1, one: 1}
        self.assertEqual(self.shares(self.weighted(half), 20), {"one": 20})
        self.assertEqual(self.shares(self.failover(self.weighted(half), two), 20), {"one": 10, "two": 10})

    def test_same_connection(self) -> None:
        """A change of weights counts from the next request on, and a service's idle connections stay in use."""
        service = self.web("one")
        one, two = self.static(service), self.fixed("two")
        backend = self.weighted({one: 1, two: 0})
        name = self.behind(backend)
        connection = keep_open(self.edge, name)
        for weights, wanted in (((1, 0), "one"), ((0, 1), None), ((7, 0), "one"), ((0, 3), None), ((1, 0), "one")):
            self.api("PATCH", f"/backends/weighted/{backend}", {"backends": {one: weights[0], two: weights[1]}})
            connection.request("GET", "/", headers={"Host": name})
            self.assertEqual(Answer(connection.getresponse()).headers.get("x-service"), wanted)
        self.assertEqual(service.accepted, 1)
