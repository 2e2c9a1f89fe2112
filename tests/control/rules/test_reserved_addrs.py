"""
Tests for `ngrok_twisted.control.rules.reserved_addrs`. What an API client meets is tested with
`ngrok_twisted.control.api.resources.reserved_addrs`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.reserved_addr import ReservedAddr

SETTINGS = ReservationSettings(base_domain="base.example", tcp_host="tcp.base.example", tcp_ports=range(2000, 2010))


class ReservedAddrRulesTests(SynchronousTestCase):
    """What is wrong with addresses among others."""

    def test_taken(self) -> None:
        """An address belongs to one account: the later record has the problem, which names the earlier."""
        records = [
            ReservedAddr(id=id, account_id=account, host=host, port=port)
            for id, account, host, port in (
                ("1", "a", "tcp.base.example", 2000),
                ("2", "b", "tcp.base.example", 2001),
                ("3", "b", "tcp.base.example", 2000),
                ("4", "b", "other.example", 2000),
            )
        ]
        around = Around(records=Snapshot().with_changes(map(Put, records)), settings=SETTINGS)
        ((record, problem),) = all_problems(records, around)
        self.assertEqual((record.id, problem.path, problem.other), ("3", "addr", "1"))

    def test_older(self) -> None:
        """An address from before the server's ports were changed stays."""
        record = ReservedAddr(id="1", account_id="a", host="tcp.base.example", port=9)
        around = Around(records=Snapshot().with_changes([Put(record)]), settings=SETTINGS)
        self.assertEqual(all_problems([record], around), [])
