"""
The ``api`` restriction of an account: from which addresses its API keys may be used.
"""

from __future__ import annotations

from typing import Callable, Iterable

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.restrictions import gates

Build = Callable[[Snapshot], Iterable[Put | Delete]]


def admitted(records: Snapshot, account_id: str, peer_host: str) -> bool:
    """
    Whether the account's restrictions let an address use the API. A restriction that is not enforced only logs.

    :param peer_host: the caller's IP address.
    """
    return not any(gate.turns_away(peer_host) for gate in gates(records, "api").get(account_id, ()))


def keeping_caller(call: Call, build: Build) -> Build:
    """
    The same change, unless it would shut its own caller out of the API: nothing in the API could undo that.

    :param build: as for `ngrok_twisted.control.service.Control.change`.
    :return: likewise; it raises `Refused` where the caller's address would be turned away afterwards, and was not before.
    """

    def checked(records: Snapshot) -> Iterable[Put | Delete]:
        changes = tuple(build(records))
        if call.peer_host and not _shut_out(call, records) and _shut_out(call, records.with_changes(changes)):
            raise Refused(
                None,
                f"After this change your own address, {call.peer_host}, could not use the API any more. "
                "Allow it in one of the IP policies of the restriction first.",
            )
        return changes

    return checked


def _shut_out(call: Call, records: Snapshot) -> bool:
    return any(gate.shuts_out(call.peer_host) for gate in gates(records, "api").get(call.account_id, ()))
