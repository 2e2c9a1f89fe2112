"""
Tests for `ngrok_twisted.control.api.resources.reserved_addrs`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.resources.reserved_addrs import DeclaredAddr, reserved_addrs
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import TCPEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_addr import ReservedAddr
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, APIHarness, APITestCase, principal

HOST = SETTINGS.tcp_host


class AddrTestCase(APITestCase):
    """Reserves addresses."""

    def reserve(self, **body: Any) -> Any:
        """An address that is reserved."""
        return self.ok("POST", "/reserved_addrs", body)


class LifeTests(AddrTestCase):
    """An address is made, shown, changed and deleted."""

    def test_life(self) -> None:
        """The server picks the port, and it stays."""
        made = self.reserve(description="", metadata="m", region="")
        host, _, port = made["addr"].partition(":")
        self.assertEqual(host, HOST)
        self.assertIn(int(port), SETTINGS.tcp_ports)
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/reserved_addrs/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
                "addr": made["addr"],
                "region": "us",
                "endpoint_configuration": None,
            },
        )
        changed = self.ok("PATCH", f"/reserved_addrs/{made['id']}", {"description": "d"})
        self.assertEqual(changed, {**made, "description": "d"})
        self.assertEqual(self.ok("GET", "/reserved_addrs")["reserved_addrs"], [changed])
        self.assertEqual(self.status("DELETE", f"/reserved_addrs/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/reserved_addrs/{made['id']}").status, 404)

    def test_nothing(self) -> None:
        """A change without a value is refused, and the address itself cannot be changed."""
        id = self.reserve()["id"]
        self.assertEqual(self.refused("PATCH", f"/reserved_addrs/{id}", {}).code, 506)
        self.assertEqual(self.refused("PATCH", f"/reserved_addrs/{id}", {"addr": f"{HOST}:20001"}).code, 214)

    def test_region(self) -> None:
        """There is one region, which may be named."""
        self.assertEqual(self.reserve(region="us")["region"], "us")
        self.assertEqual(self.refused("POST", "/reserved_addrs", {"region": "eu"}).code, 500)

    def test_texts(self) -> None:
        """Texts have their limits."""
        error = self.refused("POST", "/reserved_addrs", {"description": "x" * 256, "metadata": "x" * 4097})
        self.assertEqual(error.code, 504)
        self.assertIn("ERR_NGROK_505", error.details["metadata"])


class ChosenTests(AddrTestCase):
    """Which port is chosen."""

    def test_random(self) -> None:
        """Random bytes choose among the ports that are free."""
        for number, expected in ((7, 20007), (19, 20009)):
            api = APIHarness(random_bytes=lambda count: number.to_bytes(count, "big"))
            self.api = api
            self.assertEqual(self.reserve()["addr"], f"{HOST}:{expected}")
        self.api.parts = replace(self.api.parts, random_bytes=lambda count: (8).to_bytes(count, "big"))
        self.assertEqual(self.reserve()["addr"], f"{HOST}:20008")
        self.assertEqual(self.reserve()["addr"], f"{HOST}:20000")

    def test_none_free(self) -> None:
        """Ports that somebody has reserved or uses are not given; at last there is none."""
        edge = TCPEdge(
            id=declared_id("edgtcp", "t", "1"), account_id=OTHER, hostports=(f"{HOST}:20000",), declared=True
        )
        cloud = Endpoint(
            id="ep_1", account_id=OTHER, proto="tcp", host=HOST, port=20001, type="cloud", declared=True, url="tcp://x"
        )
        self.api.control.declare([edge, cloud])
        agent = Endpoint(id="ep_2", account_id=ACCOUNT, proto="tcp", host=HOST, port=20002)
        self.api.control._live[agent.id] = agent
        given = {self.reserve()["addr"] for _ in range(7)}
        self.assertEqual(given, {f"{HOST}:{port}" for port in range(20003, 20010)})
        self.assertEqual(self.refused("POST", "/reserved_addrs", {}).code, 503)
        del self.api.control._live[agent.id]
        self.assertEqual(self.reserve()["addr"], f"{HOST}:20002")

    def test_not_asked(self) -> None:
        """A port may not be asked for, unless the operator allows it."""
        error = self.refused("POST", "/reserved_addrs", {"addr": f"{HOST}:20005"})
        self.assertEqual((error.code, list(error.details)), (215, ["addr"]))

    def test_asked(self) -> None:
        """Where the operator allows it, a free port of the range may be had by asking."""
        settings: ReservationSettings = replace(SETTINGS, allow_requested_ports=True)
        self.api.parts = replace(self.api.parts, settings=settings)
        self.api.control._live.update(
            (id, Endpoint(id=id, account_id=account, proto="tcp", host=HOST, port=port))
            for id, account, port in (("1", OTHER, 20001), ("2", ACCOUNT, 20002))
        )
        for port in (20002, 20005):
            self.assertEqual(self.reserve(addr=f"{HOST}:{port}")["addr"], f"{HOST}:{port}")
        for addr in (f"{HOST}:20001", f"{HOST}:20005", f"{HOST}:20010", "other.example:20006", HOST, f"{HOST}:x"):
            self.assertEqual(list(self.refused("POST", "/reserved_addrs", {"addr": addr}).details), ["addr"], addr)

    def test_other_account(self) -> None:
        """Addresses of another account are not found."""
        id = self.reserve()["id"]
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/reserved_addrs")["reserved_addrs"], [])
        self.assertEqual(self.refused("DELETE", f"/reserved_addrs/{id}").status, 404)


class UsedTests(AddrTestCase):
    """An address that something uses stays."""

    def test_edge(self) -> None:
        """The edge, or cloud endpoint, is named."""
        made = self.reserve()
        edge = TCPEdge(id=declared_id("edgtcp", "t", "1"), account_id=ACCOUNT, hostports=(made["addr"],))
        written = self.api.control.change(lambda before: [Put(edge)])
        self.successResultOf(Deferred.fromCoroutine(written))
        error = self.refused("DELETE", f"/reserved_addrs/{made['id']}")
        self.assertEqual(error.status, 400)
        self.assertIn(edge.id, error.message)


class DeclaredTests(AddrTestCase):
    """Addresses of a configuration."""

    def made(self, addr: str) -> ReservedAddr:
        """The record of an item, to which the configuration has given an address."""
        making = Making(
            id="ra_1",
            account_id=ACCOUNT,
            declared=True,
            records=Snapshot(),
            settings=SETTINGS,
            inner_id=lambda prefix, key: key,
            random_bytes=lambda count: self.fail("nothing may be random"),
        )
        made = reserved_addrs.make(making, DeclaredAddr(addr=addr))
        assert isinstance(made, ReservedAddr)
        return made

    def test_addr(self) -> None:
        """The operator may always choose."""
        made = self.made(f"{HOST}:20004")
        self.assertEqual(made, ReservedAddr(id="ra_1", account_id=ACCOUNT, declared=True, host=HOST, port=20004))
        self.assertEqual(reserved_addrs.about(DeclaredAddr(addr="a:1")), "a:1")

    def test_refused(self) -> None:
        """An address is one of this server's."""
        for addr, said in (("other.example:20000", "tcp.host"), (f"{HOST}:1", "20000-20009"), (HOST, "host:port")):
            with self.assertRaises(InvalidConfig) as caught:
                self.made(addr)
            self.assertIn(said, str(caught.exception))
