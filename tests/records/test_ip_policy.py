"""
Tests for `ngrok_twisted.records.ip_policy`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.networks import admits
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule

POLICY = IPPolicy(
    id="ipp_1",
    rules=(
        IPPolicyRule(id="ipr_1", cidr="192.0.2.0/24", action="allow"),
        IPPolicyRule(id="ipr_2", cidr="192.0.2.1/32", action="deny", description="d", metadata="m", created_at=7.0),
    ),
)


class IPPolicyTests(SynchronousTestCase):
    """The record and what its rules say."""

    def test_admission(self) -> None:
        """The rules of each action are gathered, once for the record; a changed record gathers its own."""
        record = replace(POLICY)
        self.assertTrue(admits([record.admission], "192.0.2.2"))
        self.assertFalse(admits([record.admission], "192.0.2.1"))
        self.assertIs(record.admission, record.admission)
        self.assertTrue(admits([replace(record, rules=record.rules[:1]).admission], "192.0.2.1"))

    def test_equal(self) -> None:
        """What was gathered makes no difference between records, and is not stored."""
        record = replace(POLICY)
        before = schema.dump(record)
        self.assertTrue(record.admission)
        self.assertEqual((record, schema.dump(record), repr(record)), (POLICY, before, repr(POLICY)))
        self.assertEqual(schema.parse(IPPolicy, before, stored=True), record)
