"""
Tests for `ngrok_twisted.control.hostports`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ngrok_twisted.control import hostports
from ngrok_twisted.control.around import Around
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.endpoint import Endpoint
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, principal
from tests.control.api.resources.edge_case import EdgeCase, given


class HostportTests(EdgeCase):
    """Which names and addresses an edge may serve."""

    def found(self, kind: str, *texts: str) -> list[int]:
        """ngrok's numbers for hostports that cannot be had; none for those that can."""
        error = []
        self.api.send("POST", f"/edges/{kind}", {"hostports": list(texts)}).addErrback(
            lambda failure: error.append(failure.value)
        )
        return [int(said.rpartition("_")[2][:-1]) for one in error for said in one.details.values()]

    def test_names(self) -> None:
        """Reserved names, names below them, and free names right below the base domain may be served."""
        for kind in ("https", "tls"):
            for name in ("shop.example.org", "*.wild.example.org", "a.b.wild.example.org", "app.example.com"):
                self.assertEqual(self.found(kind, f"{name}:443"), [], name)
                self.setUp()

    def test_refused(self) -> None:
        """What is no hostport, not reserved, or not the account's own is refused, each with its number."""
        cases = {
            "shop.example.org": 7104,
            "shop.example.org:x": 7104,
            "a b:443": 7104,
            ":443": 7104,
            "shop.example.org:0": 7112,
            "shop.example.org:65536": 7112,
            "shop.example.org:444": 7116,
            "else.example:443": 7117,
            "wild.example.org:443": 7117,
            "example.com:443": 7117,
            "api.example.com:443": 7117,
            "a.connect.example.com:443": 7117,
            "blue.example.org:443": 7118,
            "a.blue.example.org:443": 7118,
        }
        for text, code in cases.items():
            for kind in ("https", "tls"):
                self.assertEqual(self.found(kind, text), [code], text)
        self.assertEqual(self.found("https", "tcp.example.com:20001"), [7121])
        self.assertEqual(self.found("tls", "tcp.example.com:20001"), [7133])

    def test_addresses(self) -> None:
        """Only a reserved address of the account may be served by a TCP edge."""
        self.assertEqual(self.found("tcp", "tcp.example.com:20001", "tcp.example.com:20002"), [])
        cases = {
            "tcp.example.com:20003": 7114,
            "tcp.example.com:20005": 7113,
            "elsewhere.example:20001": 7113,
            "shop.example.org:443": 7120,
            "app.example.com:443": 7120,
            "tcp.example.com": 7104,
        }
        for text, code in cases.items():
            self.assertEqual(self.found("tcp", text), [code], text)

    def test_one_edge(self) -> None:
        """A hostport belongs to one edge of any kind, in whatever case it is written, until that gives it up."""
        path = self.edge(hostports=["shop.example.org:443"])
        for kind in ("https", "tls"):
            self.assertEqual(self.found(kind, "SHOP.example.org.:443"), [7122])
        self.assertEqual(self.found("https", "app.example.com:443", "APP.example.com:443"), [7122])
        self.ok("PATCH", path, {"description": "still mine"})
        self.ok("PATCH", path, {"hostports": []})
        self.assertEqual(self.found("tls", "shop.example.org:443"), [])
        self.edge("tcp", hostports=["tcp.example.com:20001"])
        self.assertEqual(self.found("tcp", "tcp.example.com:20001"), [7122])

    def test_other_accounts_edge(self) -> None:
        """Who has a free name already is not told to others."""
        path = self.edge(hostports=["app.example.com:443"])
        self.api.caller = principal(OTHER)
        error = self.refused("POST", "/edges/https", {"hostports": ["app.example.com:443"]})
        self.assertEqual(error.code, 7122)
        self.assertNotIn(path.rpartition("/")[2], error.message)

    def test_open_accounts(self) -> None:
        """Names further down, and wildcards, below the base domain are for those accounts that may have them."""
        for name in ("a.b.example.com", "*.b.example.com"):
            self.assertEqual(self.found("https", f"{name}:443"), [])
        self.api.caller = principal(OTHER)
        for name in ("a.c.example.com", "*.c.example.com"):
            self.assertEqual(self.found("https", f"{name}:443"), [7117])
        self.assertEqual(self.found("https", "c.example.com:443"), [])

    def test_online(self) -> None:
        """What an agent serves right now is not taken away from it."""
        cases = [("https", "app.example.com", 443), ("tcp", "tcp.example.com", 20001)]
        for number, (proto, host, port) in enumerate(cases):
            endpoint = Endpoint(id=f"ep_{number}", account_id=ACCOUNT, proto=proto, host=host, port=port)
            self.api.control.publish(put=endpoint)
            self.api.clock.advance(0)
            self.assertEqual(self.found(proto, f"{host}:{port}"), [7132])
            self.api.control.publish(delete=endpoint)
            self.api.clock.advance(0)
            self.assertEqual(self.found(proto, f"{host}:{port}"), [])

    def test_cloud_endpoint(self) -> None:
        """Nor is what a cloud endpoint serves."""
        self.write(
            Endpoint(id="ep_1", account_id=ACCOUNT, type="cloud", proto="https", host="shop.example.org", port=443)
        )
        self.assertEqual(self.found("tls", "shop.example.org:443"), [7122])

    def test_other_port(self) -> None:
        """One name is one account's on all its ports: who is on http keeps others off https, but not itself."""
        agent = Endpoint(id="ep_1", account_id=OTHER, proto="http", host="app.example.com", port=80)
        for account, codes in ((OTHER, [7118]), (ACCOUNT, [])):
            self.api.control.publish(put=replace(agent, account_id=account))
            self.api.clock.advance(0)
            self.assertEqual(self.found("https", "app.example.com:443"), codes)
        self.write(Endpoint(id="ep_2", account_id=OTHER, type="cloud", proto="http", host="b.example.com", port=80))
        self.assertEqual(self.found("https", "b.example.com:443"), [7118])

    def test_limit(self) -> None:
        """There is a bound to hostports."""
        self.patch(hostports, "HOSTPORTS_MAX", 2)
        names = [f"{letter}.wild.example.org:443" for letter in "abc"]
        self.assertEqual(self.found("https", *names[:2]), [])
        self.assertEqual(self.found("https", *names), [7129])


class DeclaredTests(EdgeCase):
    """Edges of the configuration."""

    def found(self, *edges: Any, stored: tuple[Any, ...] = ()) -> list[tuple[str, str, int, str]]:
        """What is wrong with declared edges."""
        declared = [replace(edge, account_id=ACCOUNT, declared=True) for edge in edges]
        changes = [Put(record) for record in (*given(), *stored, *declared)]
        around = Around(records=Snapshot().with_changes(changes), settings=SETTINGS, live={})
        return [
            (edge.id, problem.path, problem.code, problem.other)
            for edge in declared
            for problem in hostports.hostport_problems(edge, around)
        ]

    def test_later_one(self) -> None:
        """Of two with one hostport the later one is told, with the other's id; of a stored one it is the declared one."""
        names = ("shop.example.org:443",)
        one, two = HTTPSEdge(id="e1", hostports=names), TLSEdge(id="e2", hostports=names)
        self.assertEqual(self.found(one, two), [("e2", "hostports[0]", 7122, "e1")])
        stored = TLSEdge(id="e3", account_id=ACCOUNT, hostports=names)
        self.assertEqual(self.found(one, stored=(stored,)), [("e1", "hostports[0]", 7122, "e3")])

    def test_none(self) -> None:
        """An edge without any is refused: nobody would reach it."""
        self.assertEqual(self.found(TCPEdge(id="e1")), [("e1", "hostports", 0, "")])

    def test_agents(self) -> None:
        """Whoever is online there gives way to the operator."""
        edge = HTTPSEdge(id="e1", account_id=OTHER, hostports=("a.b.example.com:443",), declared=True)
        live = {"ep_1": Endpoint(id="ep_1", proto="https", host="a.b.example.com", port=443)}
        around = Around(records=Snapshot().with_changes([Put(edge)]), settings=SETTINGS, live=live)
        self.assertEqual(list(hostports.hostport_problems(edge, around)), [])
