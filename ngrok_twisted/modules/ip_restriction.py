"""
``ip_restriction``: only visitors from certain addresses pass.

What counts is the address of the connection, never what a header such as ``X-Forwarded-For`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer, provider

from ngrok_twisted.errors import EdgeError, InvalidConfig, Refused
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.networks import Admission, NetworkSet, admits, parse_network
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.wrapper import Guard, Phase

#: Policies of one module; ngrok has such a limit too (ERR_NGROK_7013).
POLICIES_MAX = 100

#: Visitors' addresses whose verdict a module knows by heart: 200 KB of them.
ADDRESSES_KEPT = 1024

# ngrok's numbers: a policy that is not there, no policy at all, too many; a block that is none, nobody to let in.
_UNKNOWN, _NO_POLICY, _TOO_MANY, _BAD_BLOCK, _NOBODY = 7007, 7025, 7013, 362, 393


class Blocked(EdgeError):
    """The visitor's address may not reach this endpoint."""

    code = 3203
    status = 403
    sentence = "Your IP address may not visit this endpoint."


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPoliciesConfig:
    """
    A visitor passes if at least one rule of all these policies allows its address, and none denies it.

    :ivar ip_policy_ids: the IP policies whose rules count together; at least one.
    """

    ip_policy_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: there is no policy, or there are too many.
        """
        found = [*_policy_problems(self.ip_policy_ids)]
        if not self.ip_policy_ids:
            found.append(Problem("ip_policy_ids", "needs at least one IP policy", code=_NO_POLICY))
        if found:
            raise InvalidConfig(found)


#: What logs and events call the verdict.
DECISION = "ip_policy.decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRestrictionConfig:
    """
    All rules count together: a visitor passes if at least one allows its address, and none denies it.

    :ivar ip_policy_ids: the IP policies whose rules count.
    :ivar allow_cidrs: further addresses that are allowed: CIDR blocks such as ``192.0.2.0/24``, or single addresses.
    :ivar deny_cidrs: further addresses that are denied.
    """

    ip_policy_ids: tuple[str, ...] = ()
    allow_cidrs: tuple[str, ...] = ()
    deny_cidrs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every part that cannot be used.
        """
        found = [*_policy_problems(self.ip_policy_ids), *_bad_blocks("allow_cidrs", self.allow_cidrs)]
        found += _bad_blocks("deny_cidrs", self.deny_cidrs)
        if not self.ip_policy_ids and not self.allow_cidrs:
            found.append(Problem("allow_cidrs", "must allow somebody, or nobody could come in", code=_NOBODY))
        if found:
            raise InvalidConfig(found)


def _policy_problems(ids: tuple[str, ...]) -> Iterator[Problem]:
    if len(ids) > POLICIES_MAX:
        yield Problem("ip_policy_ids", f"names more than {POLICIES_MAX} IP policies", code=_TOO_MANY)


def _bad_blocks(name: str, blocks: tuple[str, ...]) -> Iterator[Problem]:
    for number, block in enumerate(blocks):
        try:
            parse_network(block, bare=True)
        except Refused as refused:
            yield Problem(f"{name}[{number}]", refused.message, code=_BAD_BLOCK)


@provider(IModuleKind)
@implementer(IHTTPModule, IConnectionModule)
class IPRestrictionModule:
    """
    Lets only visitors from certain addresses pass. Others are answered 403; connections of theirs are closed at once.
    """

    name = "ip_restriction"
    Config = IPRestrictionConfig
    configs = dict.fromkeys(("route", "tls", "tcp"), IPPoliciesConfig)
    codes = {"ip_policy_ids": _UNKNOWN}
    phase = Phase.ADMIT
    attaches = frozenset({"route", "tls", "tcp"})

    def __init__(self, config: IPPoliciesConfig | IPRestrictionConfig, context: ModuleContext) -> None:
        # A policy that was deleted has no rules any more (specification of the API, ip_policies).
        policies = (context.find_or(IPPolicy(id=id, account_id=context.account_id)) for id in config.ip_policy_ids)
        self._admissions = admissions = (*(policy.admission for policy in policies), *_own(config))
        # Visitors come again, and what counts is their address alone.
        self._admits = lru_cache(maxsize=ADDRESSES_KEPT)(lambda host: admits(admissions, host))

    def wrap_resource(self, inner: Any) -> Guard:
        """IHTTPModule."""
        return Guard(inner, self._admit)

    def _admit(self, request: Any) -> None:
        flow = request.flow
        if self._admits(flow.peer_host):
            flow.remember(DECISION, "allow")
            return
        flow.remember(DECISION, "block")
        raise Blocked()

    def wrap_factory(self, inner: Any) -> IProtocolFactory:
        """IConnectionModule."""
        return _Door(inner, self._admissions)


def _own(config: IPPoliciesConfig | IPRestrictionConfig) -> Iterator[Admission]:
    if isinstance(config, IPRestrictionConfig):
        blocks = (config.allow_cidrs, config.deny_cidrs)
        yield Admission(*(NetworkSet(parse_network(text, bare=True) for text in texts) for texts in blocks))


@implementer(IProtocolFactory)
class _Door:
    """Lets connections through to the factory behind it, or not."""

    _log = Logger()

    def __init__(self, inner: Any, admissions: tuple[Admission, ...]) -> None:
        self._inner = inner
        self._admissions = admissions

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory: ``None`` closes the connection."""
        host = getattr(addr, "host", "")
        if admits(self._admissions, host):
            return self._inner.buildProtocol(addr)
        self._log.info("a connection from {peer} was closed by an IP restriction", peer=host)
        return None

    def doStart(self) -> None:
        """IProtocolFactory."""
        self._inner.doStart()

    def doStop(self) -> None:
        """IProtocolFactory."""
        self._inner.doStop()
