"""
Tests for `ngrok_twisted.control.api.admission`.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs

from ngrok_twisted.control.api.admission import admitted, keeping_caller
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction
from tests.control.api.harness import ACCOUNT, BASE_URL, OTHER, APIHarness, APITestCase, principal

OFFICE = IPPolicy(
    id="ipp_1", account_id=ACCOUNT, rules=(IPPolicyRule(id="ipr_1", cidr="192.0.2.0/24", action="allow"),)
)


def restriction(**more: Any) -> IPRestriction:
    """Of the API, to the office."""
    given: dict[str, Any] = {"type": "api", "enforced": True, "ip_policy_ids": ("ipp_1",)}
    return IPRestriction(id="ipx_1", account_id=ACCOUNT, **{**given, **more})


def snapshot(*records: IPPolicy | IPRestriction) -> Snapshot:
    """These records."""
    return Snapshot().with_changes([Put(record) for record in records])


class AdmissionTests(APITestCase):
    """Who may use the API."""

    def test_none(self) -> None:
        """Without a restriction of the API everybody may."""
        for records in (Snapshot(), snapshot(OFFICE), snapshot(OFFICE, restriction(type="endpoints"))):
            self.assertTrue(admitted(records, ACCOUNT, "198.51.100.1"))

    def test_enforced(self) -> None:
        """With one only whom it admits, with keys of its account; others' keys are not restricted."""
        records = snapshot(OFFICE, restriction())
        self.assertTrue(admitted(records, ACCOUNT, "192.0.2.1"))
        self.assertTrue(admitted(records, ACCOUNT, "::ffff:192.0.2.1"))
        self.assertFalse(admitted(records, ACCOUNT, "198.51.100.1"))
        self.assertFalse(admitted(records, ACCOUNT, ""))
        self.assertTrue(admitted(records, OTHER, "198.51.100.1"))

    def test_not_enforced(self) -> None:
        """One that is not enforced lets everybody in, and logs whom it would not."""
        records = snapshot(OFFICE, restriction(enforced=False))
        with capturedLogs() as events:
            self.assertTrue(admitted(records, ACCOUNT, "192.0.2.1"))
            self.assertTrue(admitted(records, ACCOUNT, "198.51.100.1"))
        self.assertEqual([event["peer"] for event in events], ["198.51.100.1"])


class KeepingCallerTests(APITestCase):
    """Nobody shuts himself out."""

    def call(self, peer_host: str) -> Call:
        """A call from this address."""
        return Call(parts=APIHarness().parts, principal=principal(), base_url=BASE_URL, peer_host=peer_host)

    def test_shut_out(self) -> None:
        """A change after which the caller could not call any more is refused; the sentence names the address."""
        before = snapshot(OFFICE, restriction(enforced=False))
        build = keeping_caller(self.call("198.51.100.1"), lambda records: (Put(restriction()),))
        refused = self.assertRaises(Refused, build, before)
        self.assertIn("198.51.100.1", refused.message)
        build = keeping_caller(self.call("192.0.2.1"), lambda records: (Put(restriction()),))
        self.assertEqual(build(before), (Put(restriction()),))

    def test_policy(self) -> None:
        """So is one of a policy that the restriction uses."""
        empty = IPPolicy(id="ipp_1", account_id=ACCOUNT)
        build = keeping_caller(self.call("192.0.2.1"), lambda records: (Put(empty),))
        self.assertRaises(Refused, build, snapshot(OFFICE, restriction()))
        self.assertEqual(build(snapshot(OFFICE)), (Put(empty),))

    def test_way_out(self) -> None:
        """Whoever is shut out already, or comes from nowhere, may change what he can."""
        delete = Delete(IPPolicy, "ipp_1")
        for host in ("198.51.100.1", ""):
            build = keeping_caller(self.call(host), lambda records: (delete,))
            self.assertEqual(build(snapshot(OFFICE, restriction())), (delete,))

    def test_over_api(self) -> None:
        """Every method that could shut its caller out is watched."""
        policy = self.ok("POST", "/ip_policies", {})["id"]
        mine = self.ok("POST", "/ip_policy_rules", {"ip_policy_id": policy, "cidr": "192.0.2.0/24", "action": "allow"})
        self.api.peer_host = "192.0.2.1"
        body = {"type": "api", "enforced": True, "ip_policy_ids": [policy]}
        made = self.ok("POST", "/ip_restrictions", body)
        deny = {"ip_policy_id": policy, "cidr": "192.0.2.1/32", "action": "deny"}
        self.assertIn("192.0.2.1", self.refused("POST", "/ip_policy_rules", deny).message)
        self.refused("DELETE", f"/ip_policy_rules/{mine['id']}")
        self.refused("PATCH", f"/ip_policy_rules/{mine['id']}", {"cidr": "198.51.100.0/24"})
        self.ok("PATCH", f"/ip_restrictions/{made['id']}", {"enforced": False})
        self.ok("PATCH", f"/ip_policy_rules/{mine['id']}", {"cidr": "198.51.100.0/24"})
        self.refused("PATCH", f"/ip_restrictions/{made['id']}", {"enforced": True})
        self.ok("DELETE", f"/ip_restrictions/{made['id']}")
        self.refused("POST", "/ip_restrictions", body)
