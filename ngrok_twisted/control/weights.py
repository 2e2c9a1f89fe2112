"""
`Weights`: how much of the server's memory the wishes of each account's agents take.

Traffic policies, certificates and lists of networks come from agents and stay as long as their endpoints. One agent's are
bounded by the size of a request and the number of its endpoints; all agents of an account together would still be too many.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass
from typing import Any, Mapping

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import Refused

#: ngrok's number for an account whose agents have too many endpoints.
TOO_MUCH = 350


class Weights:
    """
    Those of all accounts.
    """

    def __init__(self, most: int) -> None:
        """
        :param most: bytes of one account.
        """
        self._most = most
        self._taken: Counter[str] = Counter()

    def trial(self, account_id: str, claim: Claim) -> Trial:
        """
        :return: to be used in ``with``: entering counts the claim and raises `Refused` if that is too much; the count is
            taken back if the block fails.
        """
        return Trial(self, account_id, claim)

    def take(self, account_id: str, claim: Claim) -> None:
        """
        Count a claim.

        :raises Refused: it is one too many.
        """
        size = weight(claim)
        if self._taken[account_id] + size > self._most:
            raise Refused(
                TOO_MUCH,
                f"The policies and module settings of your account's endpoints are more than {self._most} bytes already.",
            )
        self._taken[account_id] += size

    def give_back(self, account_id: str, claim: Claim) -> None:
        """A claim that was counted is of no account any more."""
        self._taken[account_id] -= weight(claim)
        if not self._taken[account_id]:
            del self._taken[account_id]


class Trial:
    """See `Weights.trial`."""

    __slots__ = ("_weights", "_account_id", "_claim")

    def __init__(self, weights: Weights, account_id: str, claim: Claim) -> None:
        self._weights = weights
        self._account_id = account_id
        self._claim = claim

    def __enter__(self) -> None:
        self._weights.take(self._account_id, self._claim)

    def __exit__(self, kind: object, *reason: object) -> None:
        if kind is not None:
            self._weights.give_back(self._account_id, self._claim)


def weight(claim: Claim) -> int:
    """:return: characters of what an agent wishes, as far as their number is not small by itself."""
    return len(claim.traffic_policy) + sum(_size(module.config) for module in claim.modules.values())


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, (tuple, list, set, frozenset)):
        return sum(map(_size, value)) + len(value)
    if isinstance(value, Mapping):
        return sum(_size(key) + _size(one) for key, one in value.items())
    if is_dataclass(value):
        return sum(_size(getattr(value, field.name)) for field in fields(value))
    return 0
