"""
IP restrictions of whole accounts, as the places that enforce them see them: the edge, the API and the doors of agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from twisted.logger import Logger

from ngrok_twisted.networks import NO_RULES, Admission, admits
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.ip_restriction import IPRestriction

_log = Logger()


@dataclass(frozen=True, slots=True)
class Gate:
    """
    One restriction with the rules of its policies.

    :ivar restriction: the record.
    :ivar admissions: what its policies say; one that is gone says nothing.
    """

    restriction: IPRestriction
    admissions: tuple[Admission, ...]

    def shuts_out(self, host: str) -> bool:
        """
        Whether a peer may not pass.

        :param host: the peer's IP address.
        """
        return self.restriction.enforced and not admits(self.admissions, host)

    def turns_away(self, host: str) -> bool:
        """
        As `shuts_out`, for a peer who is here: one who would be turned away, were the restriction enforced, is logged.
        """
        if admits(self.admissions, host):
            return False
        if not self.restriction.enforced:
            _log.info(
                "{peer} would be turned away by {id}, the restriction of {type}, if it were enforced",
                peer=host,
                id=self.restriction.id,
                type=self.restriction.type,
            )
        return self.restriction.enforced


def gates(records: Snapshot, type: str) -> dict[str, tuple[Gate, ...]]:
    """
    Every restriction of a type, by account; usually one in each.
    """
    found: dict[str, tuple[Gate, ...]] = {}
    for record in records.all(IPRestriction):
        if record.type == type:
            made = Gate(record, tuple(_admission(records, record, id) for id in record.ip_policy_ids))
            found[record.account_id] = found.get(record.account_id, ()) + (made,)
    return found


def _admission(records: Snapshot, restriction: IPRestriction, policy_id: str) -> Admission:
    policy = records.get(IPPolicy, policy_id)
    return NO_RULES if policy is None or policy.account_id != restriction.account_id else policy.admission


class Restrictions:
    """
    The restrictions of one type, for a place that asks often: an account without one costs a look into a dictionary.
    """

    def __init__(self, type: str) -> None:
        """
        :param type: ``endpoints``, ``api`` or ``agent``.
        """
        self._type = type
        self._made_of: tuple[Any, Any] = (None, None)
        self._gates: Mapping[str, tuple[Gate, ...]] = {}

    def update(self, records: Snapshot) -> bool:
        """
        Hold to these records from now on.

        :return: whether restrictions or policies have changed.
        """
        # Tables with declared records are new at every change; their records are the same ones, so that this is cheap.
        made_of = (records.tables.get(IPRestriction.family), records.tables.get(IPPolicy.family))
        before, self._made_of = self._made_of, made_of
        if made_of == before:
            return False
        self._gates = gates(records, self._type)
        return True

    def turn_away(self, account_id: str, host: str) -> bool:
        """
        Whether a peer may not reach what belongs to the account.

        :param host: the peer's IP address.
        """
        found = self._gates.get(account_id)
        return found is not None and any(gate.turns_away(host) for gate in found)
