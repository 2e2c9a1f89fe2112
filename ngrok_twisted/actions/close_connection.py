"""
``close-connection``: the visitor's connection ends, without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from zope.interface import implementer, provider

from ngrok_twisted.policy.chain import Closed, HangUp
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IConnectionAction, IRequestAction
from ngrok_twisted.policy.phases import EVERY, HTTP, ON_HTTP_REQUEST, ON_TCP_CONNECT, Ending
from ngrok_twisted.records.base import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseConnectionConfig:
    """It has no settings."""


@provider(IActionKind)
@implementer(IRequestAction, IConnectionAction)
class CloseConnection:
    """Hangs up."""

    name = "close-connection"
    Config = CloseConnectionConfig
    phases = {ON_TCP_CONNECT: EVERY, ON_HTTP_REQUEST: HTTP}
    ending = Ending.ALWAYS

    def __init__(self, config: CloseConnectionConfig, context: ActionContext) -> None:
        self._closed = Closed()
        self._hang_up = HangUp()

    @staticmethod
    def ends(config: CloseConnectionConfig) -> Ending:
        """IActionKind."""
        return Ending.ALWAYS

    @staticmethod
    def problems(config: CloseConnectionConfig, path: str, phase: str, proto: str) -> Iterable[Problem]:
        """IActionKind."""
        return ()

    def admit(self, request: Any) -> Any:
        """IRequestAction."""
        return self._hang_up

    def admit_connection(self, address: Any) -> Any:
        """IConnectionAction."""
        return self._closed
