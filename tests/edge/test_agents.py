"""
Tests for `ngrok_twisted.edge.agents`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.choosing import REST
from ngrok_twisted.edge.agents import AgentBackend, Pool, Unservable, grouped, told
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend
from ngrok_twisted.modules.ip_restriction import IPPoliciesConfig
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import module
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.tunnels import Tunnels
from tests.edge.doubles import Tunnel, endpoint


class AgentBackendTests(SynchronousTestCase):
    """The tunnels behind an endpoint."""

    def setUp(self) -> None:
        self.tunnels = Tunnels()
        self.flow = Flow("192.0.2.1", 1, "https", 0.0)

    def backend(self, *endpoint_ids: str) -> AgentBackend:
        return AgentBackend(endpoint_ids, self.tunnels, Random(1))

    def online(self, number: int) -> Tunnel:
        tunnel = Tunnel(f"tn_{number}", f"ep_{number}")
        self.tunnels.online(tunnel)
        return tunnel

    def test_interface(self) -> None:
        """It is a backend."""
        verifyObject(IBackend, self.backend("ep_1"))

    def test_one(self) -> None:
        """The endpoint's tunnel answers while it is online, and no other one."""
        backend = self.backend("ep_1")
        self.online(2)
        self.assertEqual(list(backend.candidates(self.flow)), [])
        tunnel = self.online(1)
        self.assertEqual(list(backend.candidates(self.flow)), [tunnel])
        self.tunnels.offline(tunnel)
        self.assertEqual(list(backend.candidates(self.flow)), [])

    def test_pool(self) -> None:
        """Members of a pool get about the same, one at a time; who is offline gets nothing."""
        tunnels = [self.online(number) for number in range(3)]
        backend = self.backend("ep_0", "ep_1", "ep_2", "ep_3")
        counts: Counter[str] = Counter()
        for _ in range(30):
            flow = Flow("192.0.2.1", 1, "https", 0.0)
            (chosen,) = backend.candidates(flow)
            counts[chosen.id] += 1
            flow.finish(1.0)
        self.assertEqual(counts, {"tn_0": 10, "tn_1": 10, "tn_2": 10})
        for tunnel in tunnels[1:]:
            self.tunnels.offline(tunnel)
        self.assertEqual(list(backend.candidates(self.flow)), tunnels[:1])

    def test_pool_spares_the_busy(self) -> None:
        """The member that others use gets less, and one that could not be reached gets nothing for a while."""
        first, second = self.online(1), self.online(2)
        backend = self.backend("ep_1", "ep_2")
        (busy,) = backend.candidates(self.flow)
        (free,) = {first, second} - {busy}

        def ask(now: float) -> Tunnel:
            flow = Flow("192.0.2.1", 1, "https", now)
            (chosen,) = backend.candidates(flow)
            flow.finish(now)
            assert isinstance(chosen, Tunnel)
            return chosen

        self.assertEqual({ask(0.0) for _ in range(10)}, {free})
        flow = Flow("192.0.2.1", 1, "https", 0.0)
        list(backend.candidates(flow))
        flow.missed(free, 1.0)
        self.assertEqual({ask(2.0) for _ in range(10)}, {busy})
        self.flow.finish(5.0)
        self.assertEqual({ask(1.0 + REST) for _ in range(10)}, {first, second})


class PoolTests(SynchronousTestCase):
    """Members of a URL that have modules or policies of their own."""

    def setUp(self) -> None:
        self.tunnels = Tunnels()

    def online(self, number: int) -> Tunnel:
        tunnel = Tunnel(f"tn_{number}", f"ep_{number}")
        self.tunnels.online(tunnel)
        return tunnel

    def pool(self, *endpoint_ids: str | None) -> Pool:
        """A pool of which each member stands for itself."""
        return Pool([(id, id or "cloud") for id in endpoint_ids], self.tunnels, Random(1))

    def test_agents(self) -> None:
        """Agents that are online take turns, those that are busy or could not be reached are spared."""
        pool = self.pool("ep_1", "ep_2", "ep_3")
        self.assertIsNone(pool.chosen(0.0))
        self.online(1)
        second = self.online(2)
        self.assertEqual(Counter(pool.chosen(0.0) for _ in range(10)), {"ep_1": 5, "ep_2": 5})
        load = self.tunnels.load_of("ep_1")
        assert load is not None
        load.flows = 3
        self.assertEqual({pool.chosen(0.0) for _ in range(10)}, {"ep_2"})
        load.flows, load.missed_at = 0, 5.0
        self.assertEqual({pool.chosen(6.0) for _ in range(10)}, {"ep_2"})
        self.tunnels.offline(second)
        self.assertEqual(pool.chosen(6.0), "ep_1")

    def test_cloud(self) -> None:
        """A cloud endpoint is always there, and gets about what an agent gets, however busy the agents are."""
        pool = self.pool(None, "ep_1")
        self.assertEqual(pool.chosen(0.0), "cloud")
        self.online(1)
        load = self.tunnels.load_of("ep_1")
        assert load is not None
        load.flows = 100
        found = Counter(pool.chosen(0.0) for _ in range(1000))
        self.assertEqual(set(found), {"cloud", "ep_1"})
        self.assertTrue(all(400 < count < 600 for count in found.values()), found)


class GroupTests(SynchronousTestCase):
    """Which endpoints are served, and where."""

    def groups(self, *records: Endpoint | IPPolicy, binding: str = "public") -> dict[int, tuple[str, ...]]:
        """The ids of endpoints by their ports."""
        snapshot = Snapshot().with_changes([Put(record) for record in records])
        found = grouped(snapshot, binding, lambda one: one.port)
        return {port: tuple(member.id for member in members) for port, members in found.items()}

    def test_pools(self) -> None:
        """Those of one place are together, in the order they came; others' bindings do not count."""
        members = [endpoint("ep_2"), endpoint("ep_1"), replace(endpoint("ep_3"), port=8443)]
        self.assertEqual(self.groups(*members), {443: ("ep_2", "ep_1"), 8443: ("ep_3",)})
        members.extend((endpoint("ep_6"), endpoint("ep_5")))
        self.assertEqual(self.groups(*members), {443: ("ep_2", "ep_1", "ep_6", "ep_5"), 8443: ("ep_3",)})
        inside = endpoint("ep_4", binding="internal")
        self.assertEqual(self.groups(*members, inside, binding="internal"), {443: ("ep_4",)})

    def test_lost(self) -> None:
        """A member one of whose modules refers to what its account does not have is left out; the others stay."""
        guarded = module(IPPoliciesConfig(ip_policy_ids=("ipp_1",)))
        members = (endpoint("ep_1"), endpoint("ep_2", modules={"ip_restriction": guarded}))
        self.assertEqual(self.groups(*members), {443: ("ep_1",)})
        self.assertEqual(self.groups(*members, IPPolicy(id="ipp_1", account_id="ac_2")), {443: ("ep_1",)})
        self.assertEqual(self.groups(*members, IPPolicy(id="ipp_1", account_id="ac_1")), {443: ("ep_1", "ep_2")})

    def test_told(self) -> None:
        """The agent that came last to a place that cannot be served, or changed last, is told; a cloud endpoint has none."""
        error = LookupError("no")
        stored = endpoint("ep_3", type="cloud")
        named = told([endpoint("ep_1"), endpoint("ep_2"), stored], error)
        assert isinstance(named, Unservable)
        self.assertEqual((named.record_id, str(named)), ("ep_2", "no"))
        self.assertIs(told([stored], error), error)
        named = told([endpoint("ep_1", created_at=1.0, updated_at=3.0), endpoint("ep_2", created_at=2.0)], error)
        assert isinstance(named, Unservable)
        self.assertEqual(named.record_id, "ep_1")
