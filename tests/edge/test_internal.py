"""
Tests for `ngrok_twisted.edge.internal`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.internal import InternalEndpoints, compile_internal
from ngrok_twisted.modules.ip_restriction import IPPoliciesConfig
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import module
from ngrok_twisted.records.ip_policy import IPPolicy
from tests.edge.doubles import Edge, endpoint
from tests.modules.secure import real_edge


class InternalEndpointsTests(SynchronousTestCase):
    """Internal endpoints are found by their URL, within their account."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.found = InternalEndpoints()

    def serve(self, *records: Record) -> InternalEndpoints:
        """Compile these."""
        snapshot = Snapshot().with_changes([Put(record) for record in records])
        self.found = compile_internal(snapshot, self.found, self.edge.plane, self.edge.context)
        return self.found

    def test_find(self) -> None:
        """All of scheme, host, port and account count; an exact name goes before a wildcard."""
        found = self.serve(
            endpoint("ep_1", "http", "a.internal", 80, binding="internal"),
            endpoint("ep_2", "http", "*.internal", 80, binding="internal"),
            endpoint("ep_3"),
        )
        for place, id in (
            (("ac_1", "http", "a.internal", 80), "ep_1"),
            (("ac_1", "http", "b.internal", 80), "ep_2"),
            (("ac_1", "https", "a.internal", 80), None),
            (("ac_1", "http", "a.internal", 81), None),
            (("ac_2", "http", "a.internal", 80), None),
            (("ac_1", "https", "app.example.com", 443), None),
        ):
            one = found.find(*place)
            self.assertEqual(None if one is None else one.members[0].id, id, place)

    def test_kept(self) -> None:
        """What did not change is kept, with its live edge."""
        first = endpoint("ep_1", "http", "a.internal", 80, binding="internal")
        second = endpoint("ep_2", "http", "b.internal", 80, binding="internal")
        before = self.serve(first)
        self.assertIs(self.serve(first, endpoint("ep_9")), before)
        after = self.serve(first, second)
        key = ("ac_1", "http", "a.internal", 80)
        self.assertIs(after.live[key], before.live[key])
        self.assertEqual(len(self.serve(second).live), 1)

    def test_online(self) -> None:
        """An agent's endpoint is online with its tunnel; a cloud endpoint always is."""
        deny = "on_http_request: [{type: deny}]"
        found = self.serve(
            endpoint("ep_1", "http", "a.internal", 80, binding="internal"),
            endpoint("ep_2", "http", "b.internal", 80, binding="internal", type="cloud", traffic_policy=deny),
        )
        agent, cloud = (found.find("ac_1", "http", host, 80) for host in ("a.internal", "b.internal"))
        assert agent is not None and cloud is not None
        self.assertEqual((agent.online(), cloud.online()), (False, True))
        self.edge.online("ep_1")
        self.assertTrue(agent.online())

    def test_used(self) -> None:
        """An endpoint has a new edge when a record changes that its modules use; it is not served without it."""
        self.edge = real_edge()
        guarded = module(IPPoliciesConfig(ip_policy_ids=("ipp_1",)))
        inside = endpoint("ep_1", "http", "a.internal", 80, binding="internal", modules={"ip_restriction": guarded})
        policy = IPPolicy(id="ipp_1", account_id="ac_1")
        before = self.serve(inside, policy)
        self.assertIs(self.serve(inside, policy, endpoint("ep_9")), before)
        key = ("ac_1", "http", "a.internal", 80)
        after = self.serve(inside, replace(policy, description="new"))
        self.assertIsNot(after.live[key], before.live[key])
        self.assertEqual(self.serve(inside).live, {})
