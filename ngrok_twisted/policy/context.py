"""
`ActionContext`: what an action is given beside its own config.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable


def nowhere(account_id: str, proto: str, host: str, port: int) -> None:
    """Finds no internal endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """
    :ivar phase: where the action stands.
    :ivar account_id: the account that the policy belongs to.
    :ivar internal: ``internal(account_id, proto, host, port)`` gives what serves an internal endpoint of the account now,
        or ``None``: it has ``online()``, and ``resource`` (an `IResource`) or ``factory`` (an `IProtocolFactory`).
    """

    phase: str
    account_id: str = ""
    internal: Callable[[str, str, str, int], Any] = nowhere
