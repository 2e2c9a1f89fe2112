"""
Tests for `ngrok_twisted.control.api.edges`: edges that are made over the API are served at once.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted import kinds
from ngrok_twisted.control.api.edges import canonical
from ngrok_twisted.interfaces import IModuleKind
from tests.control.api.harness import ACCOUNT, APIHarness
from tests.control.api.resources.edge_case import CA, POLICY, EdgeCase, given
from tests.edge.doubles import Edge, Tunnel
from tests.edge.wire import Wire
from tests.modules.secure import Visitor

HOST = "shop.example.org"


class LiveTests(EdgeCase):
    """The API in front of a real edge plane."""

    def setUp(self) -> None:
        self.edge_plane = Edge(module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind))
        self.api = APIHarness(plane=self.edge_plane.plane)
        self.write(*given())

    def statuses(self, host: str = HOST) -> list[int]:
        """The status that a visitor who connects now is answered with."""
        return Visitor(self.edge_plane, host).ask(host)

    def shop(self) -> tuple[str, str]:
        """The paths of an edge with a fixed answer, and of its route."""
        sorry = self.ok("POST", "/backends/http_response", {"status_code": 418, "body": "sorry"})["id"]
        edge = self.edge(hostports=[f"{HOST}:443"])
        body = {"match": "/", "match_type": "path_prefix", "backend": {"backend_id": sorry}}
        return edge, f"{edge}/routes/" + self.ok("POST", edge + "/routes", body)["id"]

    def test_life(self) -> None:
        """An edge answers from the moment it is made, as it is changed, and until it is deleted."""
        self.assertEqual(self.statuses(), [404])
        edge, route = self.shop()
        self.assertEqual(self.statuses(), [418])
        backend = self.ok("GET", route)["backend"]["backend"]["uri"].removeprefix("https://api.example.com")
        self.ok("PATCH", backend, {"status_code": 503})
        self.assertEqual(self.statuses(), [503])
        self.ok("PUT", route + "/backend", {"backend_id": backend.rpartition("/")[2], "enabled": False})
        self.assertEqual(self.statuses(), [502])
        self.ok("PATCH", edge, {"hostports": ["app.example.com:443"]})
        self.status("DELETE", route + "/backend")
        self.assertEqual(self.statuses("app.example.com"), [502])
        self.status("DELETE", route)
        self.assertEqual(self.statuses("app.example.com"), [404])
        self.status("DELETE", edge)
        self.assertIsNone(self.edge_plane.plane.router.secure.get("app.example.com"))

    def test_modules(self) -> None:
        """A module counts from the next connection on, is passed by while switched off, and is gone when deleted."""
        edge, route = self.shop()
        body = {"ip_policy_ids": [POLICY]}
        self.ok("PUT", route + "/ip_restriction", body)
        self.assertEqual(self.statuses(), [403])
        self.ok("PUT", route + "/ip_restriction", {**body, "enabled": False})
        self.assertEqual(self.statuses(), [418])
        self.assertEqual(self.ok("GET", route + "/ip_restriction")["ip_policies"][0]["id"], POLICY)
        self.ok("PUT", edge + "/mutual_tls", {"certificate_authority_ids": [CA]})
        self.assertEqual(self.statuses(), [])
        self.status("DELETE", edge + "/mutual_tls")
        self.assertEqual(self.statuses(), [418])

    def test_in_flight(self) -> None:
        """A stream that is on its way stays, whatever becomes of its edge."""
        tunnel = Tunnel("tn_1", labels={"app": "db"})
        tunnel.account_id = ACCOUNT
        self.edge_plane.tunnels.online(tunnel)
        group = self.group(app="db")
        edge = self.edge("tcp", hostports=["tcp.example.com:20001"], backend={"backend_id": group})
        port, factory = self.edge_plane.reactor.tcpServers[0][:2]
        self.assertEqual(port, 20001)
        visitor: Any = factory.buildProtocol(None)
        wire = Wire()
        visitor.makeConnection(wire)
        self.status("DELETE", edge)
        visitor.dataReceived(b"still here")
        self.assertEqual(tunnel.connection.take(), b"still here")
        self.assertFalse(wire.ended)
        self.assertIsNone(factory.buildProtocol(None))

    def test_others_stay(self) -> None:
        """A change of one edge leaves the others the very same."""
        self.shop()
        other = self.edge(hostports=["app.example.com:443"])
        secure = self.edge_plane.plane.router.secure
        before = secure.get(HOST), secure.get("app.example.com")
        self.ok("PATCH", other, {"description": "d"})
        secure = self.edge_plane.plane.router.secure
        self.assertIs(secure.get(HOST), before[0])
        self.assertIsNot(secure.get("app.example.com"), before[1])


class CanonicalTests(EdgeCase):
    """`canonical`."""

    def test_forms(self) -> None:
        """Names have one form; what is none stays for the rules to tell of."""
        given = ("SHOP.Example.org.:443", "bücher.example:443", "*.A.example:0443", "nonsense", "a:b:c")
        made = ("shop.example.org:443", "xn--bcher-kva.example:443", "*.a.example:443", "nonsense", "a:b:c")
        self.assertEqual(canonical(given), made)
