"""
Tests for `ngrok_twisted.records.references`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Mapping

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.references import Reference, lost_references, references


@dataclass(frozen=True, kw_only=True)
class Names:
    """Fields of every shape."""

    backend_id: str = ""
    ip_policy_ids: tuple[str, ...] = ()
    certificate_authority_id: str | None = None
    backends: Mapping[str, int] = field(default_factory=dict)
    vaults: tuple[str, ...] = ()
    client_id: str = ""
    idea_ids: tuple[str, ...] = ()
    id: str = ""
    ids: tuple[str, ...] = ()
    credentials: tuple[dict[str, str], ...] = ()
    secrets: str = ""


class ReferenceTests(SynchronousTestCase):
    """Names of fields say what they refer to."""

    def test_found(self) -> None:
        """Ids of known families are references, whatever else is not."""
        self.assertEqual(
            references(Names),
            (
                Reference("backend_id", "backends", False),
                Reference("ip_policy_ids", "ip_policies", True),
                Reference("certificate_authority_id", "certificate_authorities", False),
                Reference("backends", "backends", True),
                Reference("vaults", "vaults", True),
            ),
        )

    def test_shown(self) -> None:
        """Answers have the thing itself where bodies have its id."""
        shown = ["backend", "ip_policies", "certificate_authority", "backends", "vaults"]
        self.assertEqual([reference.shown for reference in references(Names)], shown)

    def test_ids(self) -> None:
        """The ids in a value have paths."""
        value = Names(backend_id="b", ip_policy_ids=("p", "q"), backends={"x": 1})
        found = [reference.ids(value) for reference in references(Names)]
        self.assertEqual(
            found,
            [
                (("backend_id", "b"),),
                (("ip_policy_ids[0]", "p"), ("ip_policy_ids[1]", "q")),
                (),
                (("backends.x", "x"),),
                (),
            ],
        )

    def test_lost(self) -> None:
        """What modules name and the account does not have is told; another account's does not count."""
        policies = (IPPolicy(id="ipp_1", account_id="ac_1"), IPPolicy(id="ipp_2", account_id="ac_2"))
        records = Snapshot().with_changes(map(Put, policies))
        modules = {"filter": SimpleNamespace(config=Names(ip_policy_ids=("ipp_1", "ipp_2", "ipp_3")))}
        self.assertEqual(
            [*lost_references(modules, "ac_1", records)],
            [("filter", "ip_policy_ids", "ipp_2"), ("filter", "ip_policy_ids", "ipp_3")],
        )
        self.assertEqual([*lost_references({}, "ac_1", records)], [])
