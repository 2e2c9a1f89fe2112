"""
``deny``: a request is answered with a bare status, a connection is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.chain import FINAL, Closed
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IConnectionAction, IRequestAction
from ngrok_twisted.policy.phases import EVERY, HTTP, ON_HTTP_REQUEST, ON_TCP_CONNECT, Ending
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyConfig:
    """
    :ivar status_code: 200 to 599; of no meaning for connections.
    """

    status_code: int = 403

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: the status is none that ends a request.
        """
        if not 200 <= self.status_code <= 599:
            raise InvalidConfig([Problem("status_code", "must be from 200 to 599")])


@provider(IActionKind)
@implementer(IRequestAction, IConnectionAction)
class Deny:
    """Nobody passes. The rules for responses do not see the answer."""

    name = "deny"
    Config = DenyConfig
    phases = {ON_TCP_CONNECT: EVERY, ON_HTTP_REQUEST: HTTP}
    ending = Ending.ALWAYS

    def __init__(self, config: DenyConfig, context: ActionContext) -> None:
        self._answer = Answer(config.status_code, [])
        self._closed = Closed()

    @staticmethod
    def ends(config: DenyConfig) -> Ending:
        """IActionKind."""
        return Ending.ALWAYS

    @staticmethod
    def problems(config: DenyConfig, path: str, phase: str, proto: str) -> Iterable[Problem]:
        """IActionKind."""
        return ()

    def admit(self, request: Any) -> Any:
        """IRequestAction."""
        request.flow.remember(FINAL, True)
        return self._answer

    def admit_connection(self, address: Any) -> Any:
        """IConnectionAction."""
        return self._closed
