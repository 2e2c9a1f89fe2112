"""
Tests of `ngrok_twisted.control.uses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.uses import (
    agents_on_addresses,
    agents_on_domain,
    called,
    public_places,
    served_on_domain,
    uses_in_modules,
    uses_of_address,
    uses_of_certificate,
    uses_of_domain,
)
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute, Module, TCPEdge, TLSEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The settings of a module that names other records."""

    certificate_authority_ids: tuple[str, ...] = ()
    client_id: str = ""


def endpoint(id: str, host: str, account_id: str = "a", proto: str = "https", **more: Any) -> Endpoint:
    """An endpoint."""
    return Endpoint(id=id, account_id=account_id, proto=proto, host=host, **{"port": 443, **more})


def snapshot(*records: Record) -> Snapshot:
    """These records."""
    return Snapshot().with_changes(map(Put, records))


class DomainTests(SynchronousTestCase):
    """`uses_of_domain`."""

    def test_nearest(self) -> None:
        """An edge or cloud endpoint uses the nearest domain of its account that gives it its name."""
        wide, near, theirs = [
            ReservedDomain(id=id, account_id=account, domain=name)
            for id, account, name in (("wide", "a", "*.x"), ("near", "a", "n.x"), ("theirs", "b", "o.y"))
        ]
        records = snapshot(
            wide,
            near,
            theirs,
            HTTPSEdge(id="1", account_id="a", hostports=("q.y:443", "m.x:443")),
            TLSEdge(id="2", account_id="a", hostports=("n.x:443",)),
            endpoint("3", "a.b.x", type="cloud"),
            endpoint("4", "c.x", type="cloud", binding="internal"),
            endpoint("5", "d.x"),
            endpoint("6", "o.y", type="cloud"),
        )
        for domain, users in ((wide, ["1", "3"]), (near, ["2"]), (theirs, [])):
            self.assertEqual([record.id for record in uses_of_domain(domain, records)], users, domain.id)


class OtherTests(SynchronousTestCase):
    """The other uses."""

    def test_address(self) -> None:
        """The edge and the cloud endpoint of an address are found."""
        records = snapshot(
            TCPEdge(id="1", hostports=("t.x:1", "t.x:2")),
            endpoint("2", "t.x", proto="tcp", port=1, type="cloud"),
            endpoint("3", "t.x", proto="tcp", port=11, type="cloud"),
        )
        used = uses_of_address(ReservedAddr(id="", host="t.x", port=1), records)
        self.assertEqual([record.id for record in used], ["1", "2"])
        self.assertEqual(
            [place[1:] for place in public_places(records)], [("t.x", "1"), ("t.x", "2"), ("t.x", "1"), ("t.x", "11")]
        )

    def test_certificate(self) -> None:
        """The domains with a certificate are found."""
        domains = [ReservedDomain(id=id, domain=id, certificate_id=used) for id, used in (("1", "c"), ("2", ""))]
        self.assertEqual(list(uses_of_certificate("c", snapshot(*domains))), domains[:1])

    def test_modules(self) -> None:
        """Modules on edges and on routes count, switched on or not; fields that are no references do not."""
        names = {"x": Module(config=Names(certificate_authority_ids=("ca_1", "ca_2")), enabled=False)}
        other = {"x": Module(config=Names(client_id="ca_2"))}
        records = snapshot(
            HTTPSEdge(id="1", routes=(HTTPSEdgeRoute(), HTTPSEdgeRoute(modules=names))),
            HTTPSEdge(id="2", modules=other),
            TLSEdge(id="3", modules=names),
        )
        used = uses_in_modules("certificate_authorities", "ca_2", records)
        self.assertEqual([record.id for record in used], ["1", "3"])
        self.assertEqual(list(uses_in_modules("ip_policies", "ca_2", records)), [])

    def test_agents_on_domain(self) -> None:
        """Agents on a name and on those below it are found, if they are there in public and by name."""
        live = [
            endpoint("1", "x.y"),
            endpoint("2", "a.x.y", proto="http"),
            endpoint("3", "*.x.y"),
            endpoint("4", "ax.y"),
            endpoint("5", "x.y", binding="internal"),
            endpoint("6", "x.y", proto="tcp"),
        ]
        for name in ("x.y", "*.x.y"):
            self.assertEqual([found.id for found in agents_on_domain(name, live)], ["1", "2", "3"], name)

    def test_served_on_domain(self) -> None:
        """Edges and cloud endpoints on a name and on those below it are found."""
        records = snapshot(
            HTTPSEdge(id="1", hostports=("x.y:443",)),
            TLSEdge(id="2", hostports=("ax.y:443",)),
            endpoint("3", "a.x.y", type="cloud"),
            endpoint("4", "x.y"),
        )
        for name in ("x.y", "*.x.y"):
            self.assertEqual([found.id for found in served_on_domain(name, records)], ["1", "3"], name)
        self.assertEqual(list(served_on_domain("", records)), [])

    def test_agents_on_addresses(self) -> None:
        """Agents are found by their public TCP address."""
        live = [endpoint("1", "t.x", proto="tcp", port=1), endpoint("2", "t.x")]
        live.append(endpoint("3", "t.x", proto="tcp", port=2, binding="internal"))
        self.assertEqual(agents_on_addresses(live), {("t.x", 1): live[0]})

    def test_called(self) -> None:
        """A record is called by what its owner knows it by."""
        self.assertEqual(called(ReservedDomain(id="rd_1", domain="a.x")), "a.x")
        self.assertEqual(called(endpoint("ep_1", "a.x", url="https://a.x")), "https://a.x")
        self.assertEqual(called(TCPEdge(id="edgtcp_1")), "edgtcp_1")
