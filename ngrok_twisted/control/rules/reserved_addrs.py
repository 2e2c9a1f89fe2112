"""
What must hold for reserved addresses.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.ownership import ownership
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.reserved_addr import ReservedAddr


@implementer(IRecordRules)
class ReservedAddrRules:
    """
    An address belongs to one account. Which ones may be made is asked when they are, by
    `ngrok_twisted.control.api.resources.reserved_addrs`: those from before a change of the server's ports stay.
    """

    name = ReservedAddr.family

    def problems(self, record: ReservedAddr, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        first = around.index(ownership).address(record.host, record.port)
        if first is not None and first.id != record.id:
            yield Problem("addr", f"{record.addr} is reserved already", other=first.id)


rules = ReservedAddrRules()
