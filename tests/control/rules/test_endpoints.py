"""
Tests for `ngrok_twisted.control.rules.endpoints`; most of it is shown by those of the resource.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules.endpoints import rules
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.endpoint import Endpoint
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS

CLOUD = Endpoint(
    id="ep_1",
    account_id=ACCOUNT,
    proto="https",
    host="a.example.com",
    port=443,
    type="cloud",
    traffic_policy="on_http_request: [{type: deny}]",
)


class EndpointRulesTests(SynchronousTestCase):
    """What must hold among others."""

    def codes(self, record: Endpoint, *others: Record, live: tuple[Endpoint, ...] = (), **settings: Any) -> list[int]:
        """The codes of what is wrong."""
        records = Snapshot().with_changes([Put(one) for one in (record, *others)])
        around = Around(records=records, settings=replace(SETTINGS, **settings), live={one.id: one for one in live})
        return [problem.code for problem in rules.problems(record, around)]

    def test_alone(self) -> None:
        """An endpoint is not in its own way."""
        self.assertEqual(self.codes(CLOUD), [])

    def test_other_accounts_edge(self) -> None:
        """A name that another account's edge has is not to be had on the other port either; one's own edge is no obstacle."""
        plain = replace(CLOUD, proto="http", port=80)
        theirs = HTTPSEdge(id="edghts_1", account_id=OTHER, hostports=("a.example.com:443",))
        self.assertEqual(self.codes(plain, theirs), [18006])
        self.assertEqual(self.codes(CLOUD, theirs), [18017])
        self.assertEqual(self.codes(plain, replace(theirs, account_id=ACCOUNT)), [])

    def test_address(self) -> None:
        """An address that another account's agent has is not to be had, however both pool."""
        tcp = replace(
            CLOUD,
            proto="tcp",
            host="tcp.example.com",
            port=20001,
            pooling_enabled=True,
            traffic_policy="on_tcp_connect: [{type: deny}]",
        )
        theirs = replace(tcp, id="ep_2", account_id=OTHER, type="agent")
        self.assertEqual(self.codes(tcp), [18006])
        self.assertEqual(self.codes(tcp, allow_requested_ports=True), [])
        self.assertEqual(self.codes(tcp, live=(theirs,), allow_requested_ports=True), [18006])

    def test_namespaces(self) -> None:
        """The same name in clusters, inside the account and in another account are different names."""
        internal = replace(CLOUD, proto="http", host="svc.internal", port=80, binding="internal")
        others = (
            replace(internal, id="ep_2", account_id=OTHER),
            replace(internal, id="ep_3", binding="kubernetes"),
        )
        self.assertEqual(self.codes(internal, *others), [])
        self.assertEqual(self.codes(internal, replace(internal, id="ep_4")), [18009])
