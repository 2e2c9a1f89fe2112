"""
``forward-internal``: an internal endpoint of the account answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Literal

from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer, provider

from ngrok_twisted.endpoint_url import EndpointURL, check_internal, parse_url
from ngrok_twisted.errors import EdgeError, EndpointOffline, InvalidConfig, Refused
from ngrok_twisted.policy.chain import Closed
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IConnectionAction, IRequestAction
from ngrok_twisted.policy.phases import HTTP, ON_HTTP_REQUEST, ON_TCP_CONNECT, STREAMS, Ending
from ngrok_twisted.policy.text import template_problems
from ngrok_twisted.records.base import Problem

#: Internal endpoints on the way of one request or connection; ngrok publishes no number.
HOPS_MAX = 10

#: In a flow's variables: the internal endpoints that it has met.
MET = "policy.met"

BAD_VALUE = 2204


class TooManyHops(EdgeError):
    """Internal endpoints forward to each other further than anybody means."""

    code = 3501
    status = 508
    sentence = "Too many internal endpoints forward this request to one another."


class LoopDetected(EdgeError):
    """An internal endpoint forwards to itself, perhaps through others."""

    code = 3603
    status = 508
    sentence = "The internal endpoints behind this endpoint forward to one another in a ring."


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardInternalConfig:
    """
    :ivar url: of an internal endpoint of the account, such as ``https://svc.internal``.
    :ivar on_error: ``continue`` goes on with the next action where the endpoint is not online; ``halt`` answers with the
        error. An endpoint that is online and fails later answers with its error in both cases.
    :ivar binding: the only one there is.
    """

    url: str
    on_error: Literal["halt", "continue"] = "halt"
    binding: Literal["internal"] = "internal"

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: it is not the URL of an internal endpoint.
        """
        found = list(template_problems("url", self.url))
        try:
            if not found:
                check_internal(parse_url(self.url))
        except Refused as refused:
            found = [Problem("url", refused.message, code=BAD_VALUE)]
        if found:
            raise InvalidConfig(found)


@provider(IActionKind)
@implementer(IRequestAction, IConnectionAction)
class ForwardInternal:
    """Passes on what it is given; the endpoint's own policy comes next."""

    _log = Logger()
    name = "forward-internal"
    Config = ForwardInternalConfig
    phases = {ON_TCP_CONNECT: STREAMS, ON_HTTP_REQUEST: HTTP}
    ending = Ending.ALWAYS

    def __init__(self, config: ForwardInternalConfig, context: ActionContext) -> None:
        self._url = parse_url(config.url)
        self._goes_on = config.on_error == "continue"
        self._context = context
        self._closed = Closed()

    @staticmethod
    def ends(config: ForwardInternalConfig) -> Ending:
        """IActionKind."""
        return Ending.ALWAYS if config.on_error == "halt" else Ending.NEVER

    @staticmethod
    def problems(config: ForwardInternalConfig, path: str, phase: str, proto: str) -> Iterator[Problem]:
        """IActionKind."""
        family = HTTP if proto in HTTP else frozenset({proto})
        if parse_url(config.url).proto not in family:
            names = " or ".join(sorted(family))
            yield Problem(f"{path}.url", f"{proto} endpoints forward to {names} endpoints only", code=BAD_VALUE)

    def admit(self, request: Any) -> Any:
        """
        IRequestAction.

        :raises EndpointOffline: nobody is there.
        :raises TooManyHops: there were too many already.
        :raises LoopDetected: the request was there already.
        """
        found = self._found()
        if found is None:
            if self._goes_on:
                return None
            raise EndpointOffline()
        flow = request.flow
        flow.remember(MET, self._met((flow.variables or {}).get(MET, ())))
        return found.resource

    def admit_connection(self, address: Any) -> Any:
        """IConnectionAction."""
        found = self._found()
        if found is None:
            return None if self._goes_on else self._closed
        try:
            return _Onward(found.factory, self._met(getattr(address, "met", ())))
        except EdgeError as error:
            self._log.warn("a connection to {url} is closed: {reason}", url=str(self._url), reason=error.sentence)
            return self._closed

    def _found(self) -> Any:
        url = self._url
        found = self._context.internal(self._context.account_id, url.proto, url.host, url.port)
        return found if found is not None and found.online() else None

    def _met(self, before: Iterable[EndpointURL]) -> tuple[EndpointURL, ...]:
        met = tuple(before)
        if self._url in met:
            raise LoopDetected()
        if len(met) >= HOPS_MAX:
            raise TooManyHops()
        return (*met, self._url)


@dataclass(frozen=True, slots=True)
class _Address:
    """
    A visitor's address, with where its connection has been.

    :ivar met: the internal endpoints so far.
    """

    host: str
    port: int
    server_name: str | None
    met: tuple[EndpointURL, ...]


class _Onward(Factory):
    """Gives a connection to an internal endpoint."""

    noisy = False

    def __init__(self, inner: Any, met: tuple[EndpointURL, ...]) -> None:
        self._inner = inner
        self._met = met

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        return self._inner.buildProtocol(_Address(addr.host, addr.port, getattr(addr, "server_name", None), self._met))
