"""
``traffic_policy``: the rules of a traffic policy before what is behind a route or a stream edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, IModuleKind
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.policy.chain import PolicyChain
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.document import action_kinds, parse_policy, told
from ngrok_twisted.policy.policy import Policy
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Phase

_UNREADABLE = 2236


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicyConfig:
    """
    Rules that are run before the backend is asked.

    :ivar value: YAML or JSON, with rules for requests and responses; it comes back byte for byte.
    """

    value: Annotated[str, EXTERNAL]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every problem of the policy.
        """
        _parsed(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSTrafficPolicyConfig(TrafficPolicyConfig):
    """
    Rules that are run before the backend is asked.

    :ivar value: YAML or JSON, with rules for connections; it comes back byte for byte.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPTrafficPolicyConfig(TLSTrafficPolicyConfig):
    """
    Rules that are run before the backend is asked.
    """


#: The protocol that each config's rules are for, and where they stand.
_PLACES: Mapping[type, tuple[str, str]] = {
    TrafficPolicyConfig: ("https", "route"),
    TLSTrafficPolicyConfig: ("tls", ""),
    TCPTrafficPolicyConfig: ("tcp", ""),
}


def _parsed(config: Any) -> Policy:
    proto, place = _PLACES[type(config)]
    try:
        return parse_policy(config.value, proto, place=place)
    except InvalidConfig as error:
        found = [Problem("value", told(problem), code=problem.code) for problem in error.problems]
        raise InvalidConfig(found) from None


@provider(IModuleKind)
@implementer(IHTTPModule, IConnectionModule)
class TrafficPolicyModule:
    """
    Runs the rules of a traffic policy; what they do not answer goes on to the backend.
    """

    name = "traffic_policy"
    Config = TrafficPolicyConfig
    configs = {"tls": TLSTrafficPolicyConfig, "tcp": TCPTrafficPolicyConfig}
    codes = {"value": _UNREADABLE}
    phase = Phase.POLICY
    attaches = frozenset({"route", "tls", "tcp"})

    def __init__(self, config: Any, context: ModuleContext) -> None:
        inside = ActionContext(phase="", account_id=context.account_id, internal=context.internal)
        self._chain = PolicyChain(_parsed(config), action_kinds(), inside)

    def wrap_resource(self, inner: Any) -> Any:
        """IHTTPModule."""
        return self._chain.around_resource(inner)

    def wrap_factory(self, inner: Any) -> Any:
        """IConnectionModule."""
        return self._chain.around_factory(inner)
