"""
Records take effect at once, and without touching what is in flight: visitors of every kind are at work while the API changes
what they use and what they do not use.
"""

from __future__ import annotations

import socket
import ssl


from tests.functional.case import EdgeTestCase
from tests.functional.clients import Answer, keep_open, open_tcp
from tests.functional.management import MANAGED, Management
from tests.functional.pems import certificate_authority, key_pair
from tests.functional.service import Service, echo
from tests.functional.steady import Asking, Downloading, Echoing, Steady, Uploading, upgraded
from tests.functional.test_streams import own_certificate

#: Bytes of the slow download.
DOWNLOAD = 50_000_000

#: Rounds of changes; each has about twenty.
ROUNDS = 15

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
