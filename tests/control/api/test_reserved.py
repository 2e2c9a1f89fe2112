"""
Tests for `ngrok_twisted.control.api.reserved`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.reserved import Reserved
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain


class ReservedTests(SynchronousTestCase):
    """What is behind a URL is found in the newest records."""

    def test_found(self) -> None:
        """A name's own reservation, the nearest wildcard over it, or an address; those of the account alone."""
        records = Snapshot().with_changes(
            [
                Put(ReservedDomain(id="rd_1", account_id="ac_1", domain="*.example.org")),
                Put(ReservedDomain(id="rd_2", account_id="ac_1", domain="a.example.org")),
                Put(ReservedAddr(id="ra_1", account_id="ac_1", host="tcp.example.com", port=20001)),
            ]
        )
        reserved = Reserved()
        for account_id, host, id in (
            ("ac_1", "a.example.org", "rd_2"),
            ("ac_1", "b.c.example.org", "rd_1"),
            ("ac_1", "example.org", ""),
            ("ac_2", "a.example.org", ""),
        ):
            self.assertEqual(reserved.domain(records, account_id, host), id, host)
        for account_id, port, id in (("ac_1", 20001, "ra_1"), ("ac_1", 20002, ""), ("ac_2", 20001, "")):
            self.assertEqual(reserved.addr(records, account_id, "tcp.example.com", port), id)
        later = records.with_changes([Delete(ReservedDomain, "rd_2")])
        self.assertEqual(reserved.domain(later, "ac_1", "a.example.org"), "rd_1")
