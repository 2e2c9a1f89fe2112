"""
Tests for `ngrok_twisted.edge.amend`.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.amend import Changes, endpoint_changes
from ngrok_twisted.edge.compile import compile_router
from ngrok_twisted.edge.router import Router
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.edge.doubles import Edge, endpoint
from tests.edge.test_compile import group, shop


def shown(router: Router) -> Any:
    """All that a router is about, to be compared with another's."""
    return (
        {key: records for key, (records, _) in router.edges.items()},
        {name: edge.name for name, edge in names(router.secure)},
        {name: edge.name for name, edge in names(router.plain)},
        {port: edge.name for port, edge in router.ports.items()},
        router.built.keys(),
        {key: known.members for key, known in router.internal.live.items()},
    )


def names(table: Any) -> list[tuple[str, Any]]:
    """The names of a table with their owners."""
    return [*table._exact.items(), *((f"*.{name}", owner) for name, owner in table._wild.items())]


class ChangesTests(SynchronousTestCase):
    """`endpoint_changes`."""

    def test_endpoints(self) -> None:
        """Endpoints that came, went, and are other than they were."""
        stays, goes, changes = endpoint("ep_1"), endpoint("ep_2"), endpoint("ep_3")
        before = Snapshot().with_changes(map(Put, (stays, goes, changes)))
        changed, comes = replace(changes, description="other"), endpoint("ep_4")
        after = before.with_changes([Delete(Endpoint, "ep_2"), Put(changed), Put(comes)])
        self.assertEqual(endpoint_changes(before, after), Changes((goes, changes), (changed, comes)))
        self.assertEqual(endpoint_changes(after, after), Changes((), ()))

    def test_others(self) -> None:
        """Where other records changed, too, nothing is told; but credentials make no edges."""
        before = Snapshot().with_changes([Put(endpoint("ep_1"))])
        used = before.with_changes([Put(SSHCredential(id="sshcr_1", public_key="ssh-ed25519 AAAA"))])
        self.assertEqual(endpoint_changes(before, used), Changes((), ()))
        reserved = before.with_changes([Put(ReservedDomain(id="rd_1", domain="a.example.com"))])
        self.assertIsNone(endpoint_changes(before, reserved))
        self.assertIsNone(endpoint_changes(reserved, before))
        self.assertIsNone(endpoint_changes(None, before))


class AmendTests(SynchronousTestCase):
    """A router that is made from the changes alone, beside the one from all records."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.router = Router()
        self.snapshot = Snapshot()

    def change(self, *changes: Put | Delete) -> Router:
        """The next router, from the changes; it must be as the one from nothing."""
        self.snapshot = self.snapshot.with_changes(changes)
        known = endpoint_changes(self.router.source, self.snapshot)
        plane, context = self.edge.plane, self.edge.context
        self.router = compile_router(self.snapshot, self.router, plane, context, None, known)
        self.assertIs(self.router.source, self.snapshot)
        self.assertEqual(shown(self.router), shown(compile_router(self.snapshot, Router(), plane, context)))
        return self.router

    def test_unchanged(self) -> None:
        """What did not change keeps its live edge, and what came and went leaves nothing behind."""
        first = self.change(Put(endpoint("ep_1", host="a.example.com")))
        second = self.change(Put(endpoint("ep_2", host="b.example.com")))
        self.assertIs(second.secure.get("a.example.com"), first.secure.get("a.example.com"))
        self.assertIsNone(first.secure.get("b.example.com"))
        third = self.change(Delete(Endpoint, "ep_2"))
        self.assertIs(third.secure.get("a.example.com"), first.secure.get("a.example.com"))
        self.assertIsNone(third.secure.get("b.example.com"))

    def test_pool(self) -> None:
        """Members of a pool come, change and go; they stay in order."""
        one, two, three = (endpoint(f"ep_{number}", pooling_enabled=True) for number in (1, 2, 3))
        self.change(Put(one))
        self.change(Put(two), Put(three))
        self.change(Put(replace(one, description="other")))
        self.change(Delete(Endpoint, "ep_2"))
        self.change(Delete(Endpoint, "ep_1"), Delete(Endpoint, "ep_3"))

    def test_configured_edge(self) -> None:
        """An endpoint in the place of a configured edge goes, and the edge has its place again."""
        backend, edge = group("bkd_1", a="b"), shop()
        self.change(Put(backend), Put(edge))
        configured = self.router.secure.get("shop.example.com")
        self.change(Put(endpoint("ep_1", host="shop.example.com")))
        self.assertIsNot(self.router.secure.get("shop.example.com"), configured)
        self.change(Delete(Endpoint, "ep_1"))
        self.assertEqual(self.router.secure.get("shop.example.com").name, configured.name)

    def test_two_protocols(self) -> None:
        """Of two endpoints that share a name on different ports one goes: the name is the other's."""
        self.change(Put(endpoint("ep_1", host="a.example.com")))
        self.change(Put(endpoint("ep_2", host="a.example.com", proto="tls", port=8443)))
        self.change(Delete(Endpoint, "ep_2"))
        self.change(Put(endpoint("ep_3", host="a.example.com", proto="tls", port=8443)))
        self.change(Delete(Endpoint, "ep_1"))

    def test_services(self) -> None:
        """A name of the server's own that was added meanwhile is no endpoint's."""
        plane = self.edge.plane
        plane.apply(Snapshot().with_changes([Put(endpoint("ep_1", host="a.example.com"))]))
        plane.host("api.example.com", None)
        plane.apply(Snapshot().with_changes([Put(endpoint("ep_2", host="api.example.com"))]))
        self.assertEqual(plane.router.secure.get("api.example.com").name, "api.example.com")

    def test_many(self) -> None:
        """Whatever comes and goes, in whatever order."""
        random = Random(7)
        kinds: list[dict[str, Any]] = [
            {"proto": "https", "port": 443},
            {"proto": "http", "port": 80},
            {"proto": "tls", "port": 443},
            {"proto": "https", "binding": "internal", "port": 443},
        ]
        for _ in range(300):
            batch: list[Put | Delete] = []
            for _ in range(random.randrange(1, 4)):
                id = f"ep_{random.randrange(12)}"
                if random.random() < 0.4:
                    batch.append(Delete(Endpoint, id))
                    continue
                number = random.randrange(8)
                more = dict(host=f"{'*.' if number == 0 else ''}n{number}.example.com", **random.choice(kinds))
                if random.random() < 0.2:
                    more |= {"proto": "tcp", "host": "tcp.example.com", "binding": "public", "port": 20000 + number}
                batch.append(Put(endpoint(id, pooling_enabled=True, description=str(random.random()), **more)))
            self.change(*batch)
