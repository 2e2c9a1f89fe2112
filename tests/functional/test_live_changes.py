"""
Records take effect at once, and without touching what is in flight: visitors of every kind are at work while the API changes
what they use and what they do not use.
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import threading
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.ports import RETRY
from tests.functional.case import EdgeTestCase
from tests.functional.clients import Answer, fetch, full_name, keep_open, open_tcp, said_at
from tests.functional.edge import Edge
from tests.functional.management import MANAGED, Management
from tests.functional.pems import certificate_authority, key_pair
from tests.functional.service import Service, echo, greet
from tests.functional.steady import Asking, Downloading, Echoing, Steady, Uploading, upgraded
from tests.functional.test_streams import own_certificate
from tests.functional.waiting import wait_until

#: Bytes of the slow download.
DOWNLOAD = 50_000_000

#: Rounds of changes; each has about twenty.
ROUNDS = 15

#: How often the server is killed.
KILLS = 4

ANY = [{"cidr": "0.0.0.0/0", "action": "allow"}, {"cidr": "::/0", "action": "allow"}]

CLOSED = "on_tcp_connect: [{actions: [{type: deny}]}]"


class LiveCase(EdgeTestCase):
    """The API, and quick ways to have what edges need."""

    config = MANAGED
    seconds = 240

    def setUp(self) -> None:
        """Connect to the API."""
        super().setUp()
        self.api = Management(self.edge)
        self.addCleanup(self.api.close)

    def domain(self) -> str:
        """A reserved domain of the test's own."""
        name = self.new_name()
        self.api.make("/reserved_domains", domain=name)
        return name

    def address(self) -> tuple[str, int]:
        """A reserved TCP address, and its port."""
        addr = str(self.api("POST", "/reserved_addrs", {})["addr"])
        return addr, int(addr.rpartition(":")[2])

    def static(self, service: Service) -> str:
        """A backend that is this service."""
        return self.api.make("/backends/static", address=f"127.0.0.1:{service.port}")

    def fixed(self, body: str) -> str:
        """A backend that always says the same."""
        return self.api.make("/backends/http_response", status_code=200, body=body)

    def https_edge(self, name: str, backend: str, match: str = "/") -> tuple[str, str]:
        """The paths of a new HTTPS edge and of its only route."""
        edge = f"/edges/https/{self.api.make('/edges/https', hostports=[f'{name}:443'])}"
        route = self.api.make(f"{edge}/routes", match_type="path_prefix", match=match, backend={"backend_id": backend})
        return edge, f"{edge}/routes/{route}"

    def tls_echo(self, name: str) -> tuple[Service, ssl.SSLContext]:
        """An echo that speaks TLS with a certificate of its own, and a client context that trusts just that."""
        certificate, key = own_certificate(self.edge.directory, name)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)

        def talk(connection: socket.socket) -> None:
            with server.wrap_socket(connection, server_side=True) as inner:
                echo(inner)

        return self.serve(Service(talk)), ssl.create_default_context(cafile=str(certificate))


class InFlightTests(LiveCase):
    """Whatever is under way stays as it was begun."""

    def setUp(self) -> None:
        """Edges of all three kinds, in use."""
        super().setUp()
        self.service = self.web()
        self.backend = self.static(self.service)
        self.name, self.tls_name = self.domain(), self.domain()
        self.shop, self.route = self.https_edge(self.name, self.backend)
        server, trusting = self.tls_echo(self.tls_name)
        self.tls_backend = {"backend_id": self.static(server)}
        tls = self.api.make("/edges/tls", hostports=[f"{self.tls_name}:443"], backend=self.tls_backend)
        self.tls = f"/edges/tls/{tls}"
        self.addr, port = self.address()
        self.tcp_backend = {"backend_id": self.static(self.serve(Service(echo)))}
        self.tcp = f"/edges/tcp/{self.api.make('/edges/tcp', hostports=[self.addr], backend=self.tcp_backend)}"
        passing = trusting.wrap_socket(open_tcp(self.edge.https), server_hostname=self.tls_name)
        self.asking = [Asking(self.edge, self.name) for _ in range(4)]
        self.flows: list[Steady] = [
            *(Echoing(connection) for connection in (passing, open_tcp(port), upgraded(self.edge, self.name))),
            Echoing(upgraded(self.edge, self.name)),
            Downloading(self.edge, self.name, DOWNLOAD),
            Uploading(self.edge, self.name),
        ]
        for flow in (*self.asking, *self.flows):
            flow.start()

    def test_changes(self) -> None:
        """Three hundred changes, of what is in use and of what is not, cut and corrupt nothing."""
        switch = Switch(self)
        for number in range(ROUNDS):
            self.change_used(number)
            self.change_others(number)
            switch.turn(number)
        for flow in (*self.asking, *self.flows):
            flow.end()

    def test_taken_away(self) -> None:
        """Edges that go, with all that they stand on, leave what is in flight alone; the next visitor finds nobody."""
        for asking in self.asking:
            asking.end()
        kept = keep_open(self.edge, self.name)
        for path in (self.route, self.shop, self.tls, self.tcp, f"/backends/static/{self.backend}"):
            self.api("DELETE", path)
        kept.request("GET", "/", headers={"Host": self.name})
        self.assertEqual(Answer(kept.getresponse()).status, 404)
        self.assertRaises(OSError, open_tcp, int(self.addr.rpartition(":")[2]))
        for flow in self.flows:
            before = flow.steps
            self.eventually(lambda: flow.trouble or flow.steps > before + 5, "further steps")
            flow.end()

    def change_used(self, number: int) -> None:
        """The edges that visitors are on, and their backends."""
        self.api("PATCH", self.shop, {"metadata": f"round {number}"})
        self.api("PATCH", self.route, {"description": f"round {number}"})
        other = self.api.make(f"{self.shop}/routes", match_type="exact_path", match="/other", metadata=str(number))
        policy = self.policy(ANY)
        self.api("PUT", f"{self.route}/ip_restriction", {"ip_policy_ids": [policy]})
        self.api("PATCH", f"/backends/static/{self.backend}", {"metadata": str(number)})
        self.api("PATCH", self.tls, {"metadata": str(number)})
        self.api("PUT", f"{self.tcp}/ip_restriction", {"ip_policy_ids": [policy]})
        self.api("DELETE", f"{self.tcp}/ip_restriction")
        self.api("DELETE", f"{self.route}/ip_restriction")
        self.api("DELETE", f"/ip_policies/{policy}")
        self.api("DELETE", f"{self.shop}/routes/{other}")

    def change_others(self, number: int) -> None:
        """What nobody uses."""
        certificate, key = key_pair("nobody.example.net")
        made = {
            "/reserved_domains": self.api.make("/reserved_domains", domain=f"n{number}.nobody.example.net"),
            "/tls_certificates": self.api.make("/tls_certificates", certificate_pem=certificate, private_key_pem=key),
            "/certificate_authorities": self.api.make("/certificate_authorities", ca_pem=certificate_authority()),
            "/backends/tunnel_group": self.api.make("/backends/tunnel_group", labels={"round": str(number)}),
            "/edges/https": self.api.make("/edges/https", hostports=[f"n{number}.nobody.example.net:443"]),
            "/endpoints": self.api.make(
                "/endpoints", url=f"tls://n{number}.internal", type="cloud", traffic_policy=CLOSED
            ),
        }
        for path in reversed(made):
            self.api("DELETE", f"{path}/{made[path]}")

    def policy(self, rules: list[dict[str, str]]) -> str:
        """An IP policy."""
        policy = self.api.make("/ip_policies")
        for rule in rules:
            self.api.make("/ip_policy_rules", ip_policy_id=policy, **rule)
        return policy


class Switch:
    """An edge that is changed again and again, and looked at each time on the same connection."""

    def __init__(self, case: LiveCase) -> None:
        self.case, self.api = case, case.api
        self.name = case.domain()
        self.backend = case.fixed("first")
        self.edge, self.route = case.https_edge(self.name, self.backend)
        self.visitor = keep_open(case.edge, self.name)

    def turn(self, number: int) -> None:
        """A few changes, each with a look at once."""
        self.api("PATCH", f"/backends/http_response/{self.backend}", {"body": f"body {number}"})
        self.look((200, f"body {number}"))
        self.api("PATCH", self.route, {"match": f"/{number}"})
        self.look((404, None))
        self.look((200, f"body {number}"), f"/{number}")
        self.api("PATCH", self.route, {"match": "/", "backend": {"backend_id": self.case.fixed(f"other {number}")}})
        self.look((200, f"other {number}"))
        self.api("DELETE", f"{self.route}/backend")
        self.look((502, None))
        self.api("PUT", f"{self.route}/backend", {"backend_id": self.backend})
        self.look((200, f"body {number}"))
        self.api("DELETE", self.edge)
        self.look((404, None))
        self.edge, self.route = self.case.https_edge(self.name, self.backend)
        self.look((200, f"body {number}"))

    def look(self, wanted: tuple[int, str | None], path: str = "/") -> None:
        """One request on the connection that is kept."""
        self.visitor.request("GET", path, headers={"Host": self.name})
        answer = Answer(self.visitor.getresponse())
        self.case.assertEqual(answer.status, wanted[0], answer)
        if wanted[1] is not None:
            self.case.assertEqual(answer.text, wanted[1])


class Changing(threading.Thread):
    """
    Changes an edge, a route and a backend as fast as the server takes it, until that is gone.

    :ivar acknowledged: the last number that the server has taken.
    """

    def __init__(self, api: Management, paths: tuple[str, str], number: int) -> None:
        super().__init__(daemon=True)
        self._api, (self._route, self._backend) = api, paths
        self.acknowledged = number

    def run(self) -> None:
        """Until the server is gone."""
        try:
            while True:
                number = self.acknowledged + 1
                self._api("PATCH", self._backend, {"body": str(number)})
                self._api("PATCH", self._route, {"match": f"/{number}"})
                self.acknowledged = number
        except (OSError, ValueError, http.client.HTTPException):
            return


class RestartTests(SynchronousTestCase):
    """``kill -9``."""

    def test_killed(self) -> None:
        """After a kill in the middle of changes the server serves what it has acknowledged, whole, and goes on from there."""
        edge = Edge(MANAGED).start()
        self.addCleanup(edge.remove)
        name, api = full_name("killed"), Management(edge)
        api.make("/reserved_domains", domain=name)
        backend = api.make("/backends/http_response", status_code=200, body="0")
        shop = api.make("/edges/https", hostports=[f"{name}:443"])
        given: dict[str, Any] = {"match_type": "path_prefix", "match": "/0", "backend": {"backend_id": backend}}
        paths = (
            f"/edges/https/{shop}/routes/{api.make(f'/edges/https/{shop}/routes', **given)}",
            f"/backends/http_response/{backend}",
        )
        number = 0
        for _ in range(KILLS):
            changing = Changing(Management(edge), paths, number)
            changing.start()
            time.sleep(random.uniform(0.2, 1.0))
            edge.kill()
            changing.join(30)
            edge.start()
            self.assertGreater(changing.acknowledged, number)
            api = Management(edge)
            number = int(api("GET", paths[1])["body"])
            self.assertIn(number, (changing.acknowledged, changing.acknowledged + 1))
            match = api("GET", paths[0])["match"]
            self.assertIn(match, (f"/{changing.acknowledged}", f"/{number}"))
            answer = fetch(edge, f"https://{name}{match}")
            self.assertEqual((answer.status, answer.text), (200, str(number)))
        self.assertEqual(edge.new_alarms(), "")

    def test_port_taken(self) -> None:
        """Where somebody else has an edge's port by now, the server starts all the same, and serves it once it can."""
        edge = Edge(MANAGED).start()
        self.addCleanup(edge.remove)
        service, api = Service(greet(b"hi")), Management(edge)
        self.addCleanup(service.close)
        backend = api.make("/backends/static", address=f"127.0.0.1:{service.port}")
        addr = api("POST", "/reserved_addrs", {})["addr"]
        shop = api.make("/edges/tcp", hostports=[addr], backend={"backend_id": backend})
        port = int(addr.rpartition(":")[2])
        edge.stop()
        with socket.create_server(("127.0.0.1", port)):
            edge.start()
            self.assertIn(f"{shop} has to wait: port {port} cannot be opened", edge.log())
            Management(edge)("PATCH", f"/edges/tcp/{shop}", {"metadata": "still here"})
        wait_until(lambda: answers(port), RETRY + 5, "served port")
        self.assertEqual(said_at(port), b"hi")


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
