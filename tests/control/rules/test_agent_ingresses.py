"""
Tests for `ngrok_twisted.control.rules.agent_ingresses`. What an API client meets is tested with
`ngrok_twisted.control.api.resources.agent_ingresses`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.records.agent_ingress import AgentIngress
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain

SETTINGS = ReservationSettings(base_domain="base.example.org", tcp_host="tcp.example.net", tcp_ports=range(0))


class AgentIngressRulesTests(SynchronousTestCase):
    """What is wrong with ingresses among others."""

    def codes(self, *domains: str, **reserved: str) -> list[tuple[str, int]]:
        """Domains of ingresses of the account ``a`` and their problems; ``reserved`` are domains by their accounts."""
        records = [AgentIngress(id=f"{number}", account_id="a", domain=name) for number, name in enumerate(domains)]
        others = [ReservedDomain(id=name, account_id=account, domain=name) for account, name in reserved.items()]
        around = Around(records=Snapshot().with_changes(map(Put, [*records, *others])), settings=SETTINGS)
        return [(record.id, problem.code) for record, problem in all_problems(records, around)]

    def test_taken(self) -> None:
        """A domain is one ingress, and nobody else's reserved domain."""
        self.assertEqual(self.codes("a.example", "b.example", "a.example"), [("2", 6706)])
        self.assertEqual(self.codes("x.a.example", b="a.example"), [("0", 6706)])
        self.assertEqual(self.codes("x.a.example", a="a.example"), [])

    def test_service(self) -> None:
        """The server's own names are no ingresses, and neither are the names that hold them."""
        for name in ("base.example.org", "x.base.example.org", "example.org", "tcp.example.net"):
            self.assertEqual(self.codes(name), [("0", 6705)], name)

    def test_shape(self) -> None:
        """An ingress is the whole name of one domain."""
        for name in ("example", "*.a.example"):
            self.assertEqual(self.codes(name), [("0", 6704)], name)
