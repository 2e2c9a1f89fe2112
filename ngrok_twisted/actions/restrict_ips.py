"""
``restrict-ips``: only certain addresses pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Iterable, Iterator

from zope.interface import implementer, provider

from ngrok_twisted.errors import EdgeError, InvalidConfig, Refused
from ngrok_twisted.networks import Admission, Network, NetworkSet, admits, parse_network
from ngrok_twisted.policy.chain import Closed
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IConnectionAction, IRequestAction
from ngrok_twisted.policy.phases import EVERY, HTTP, ON_HTTP_REQUEST, ON_TCP_CONNECT, Ending
from ngrok_twisted.policy.text import template_problems
from ngrok_twisted.records.base import Problem

BAD_REFERENCE, BAD_CIDR = 2216, 2217


class AddressRefused(EdgeError):
    """The visitor's address is not among those that may pass."""

    code = 3203
    status = 403
    sentence = "Your IP address may not use this endpoint."


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictIPsConfig:
    """
    :ivar enforce: without it nobody is turned away.
    :ivar allow: networks such as ``192.0.2.0/24``, or addresses; who is in none of them is turned away.
    :ivar deny: networks or addresses that are turned away even so.
    :ivar ip_policies: ids of IP policies; not built into this version.
    """

    enforce: bool = True
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ip_policies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every problem.
        """
        found = [*_problems("allow", self.allow), *_problems("deny", self.deny)]
        if self.ip_policies:
            message = "is not built into this version; write the networks under allow and deny"
            found.append(Problem("ip_policies", message, code=BAD_REFERENCE))
        if found:
            raise InvalidConfig(found)


@provider(IActionKind)
@implementer(IRequestAction, IConnectionAction)
class RestrictIPs:
    """Permits who is in a network of ``allow`` and in none of ``deny``."""

    name = "restrict-ips"
    Config = RestrictIPsConfig
    phases = {ON_TCP_CONNECT: EVERY, ON_HTTP_REQUEST: HTTP}
    ending = Ending.NEVER

    def __init__(self, config: RestrictIPsConfig, context: ActionContext) -> None:
        self._enforce = config.enforce
        self._admissions = (Admission(*(NetworkSet(map(_network, texts)) for texts in (config.allow, config.deny))),)
        self._closed = Closed()

    @staticmethod
    def ends(config: RestrictIPsConfig) -> Ending:
        """IActionKind."""
        return Ending.NEVER

    @staticmethod
    def problems(config: RestrictIPsConfig, path: str, phase: str, proto: str) -> Iterable[Problem]:
        """IActionKind."""
        return ()

    def admit(self, request: Any) -> None:
        """
        IRequestAction.

        :raises AddressRefused: the visitor may not pass.
        """
        if not self._passes(request.flow.peer_host):
            raise AddressRefused()

    def admit_connection(self, address: Any) -> Any:
        """IConnectionAction."""
        return None if self._passes(address.host) else self._closed

    def _passes(self, host: str) -> bool:
        return not self._enforce or admits(self._admissions, host)


def _network(text: str) -> Network:
    """
    A network or an address; bits behind the mask are passed over.

    :raises ValueError: it is neither.
    """
    try:
        return parse_network(text, bare=True)
    except Refused:
        return parse_network(str(ip_network(text, strict=False)))


def _problems(path: str, texts: tuple[str, ...]) -> Iterator[Problem]:
    for number, text in enumerate(texts):
        templates = list(template_problems(f"{path}[{number}]", text))
        yield from templates
        try:
            if not templates:
                _network(text)
        except ValueError:
            yield Problem(f"{path}[{number}]", f"{text[:60]!r} is no network such as 192.0.2.0/24", code=BAD_CIDR)
