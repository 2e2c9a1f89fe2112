"""
`PolicyChain`: a `Policy` around what stands behind it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.phases import ON_HTTP_REQUEST, ON_HTTP_RESPONSE, ON_TCP_CONNECT
from ngrok_twisted.policy.policy import Policy, Rule
from ngrok_twisted.wrapper import Filtered, Guard, ResponseHead, Wrapper

#: Set in a flow's variables by an answer that responses' rules do not see, as ngrok has it for ``deny``.
FINAL = "policy.final"


class PolicyChain:
    """
    The actions of one policy, ready to run.
    """

    def __init__(self, policy: Policy, kinds: Mapping[str, Any], context: ActionContext) -> None:
        """
        :param kinds: the action kinds, by name.
        :param context: whose ``phase`` is filled in here.
        """
        make = lambda phase, rules: _actions(rules, kinds, replace(context, phase=phase))
        self._connections = make(ON_TCP_CONNECT, policy.on_tcp_connect)
        self._requests = make(ON_HTTP_REQUEST, policy.on_http_request)
        self._responses = make(ON_HTTP_RESPONSE, policy.on_http_response)

    def around_resource(self, inner: Any) -> Any:
        """
        The rules for requests and responses around ``inner``.

        The innermost filter sees a response first, so that the first rule's is innermost.
        """
        for action in reversed(self._requests):
            inner = Guard(inner, action.admit)
        for action in self._responses:
            inner = Filtered(inner, _Maker(action).make_filter)
        return inner

    def around_factory(self, inner: Any) -> Any:
        """The rules for connections around ``inner``."""
        for action in reversed(self._connections):
            inner = ConnectionGuard(inner, action.admit_connection)
        return inner

    def around_late(self, inner: Any) -> Any:
        """
        The rules for connections around a resource: where a name is only known with the first request, that is when they
        are run, and the connection is closed if they do not let it go on.
        """
        for action in reversed(self._connections):
            inner = Guard(inner, _Late(action).admit)
        return inner


def _actions(rules: tuple[Rule, ...], kinds: Mapping[str, Any], context: ActionContext) -> list[Any]:
    return [kinds[action.type](action.config, context) for rule in rules for action in rule.actions]


class ConnectionGuard(Factory):
    """
    A factory that lets a connection pass or gives it to another.
    """

    noisy = False

    def __init__(self, inner: Any, admit: Any) -> None:
        """
        :param admit: as `ngrok_twisted.policy.interfaces.IConnectionAction.admit_connection`.
        """
        self._inner = inner
        self._admit = admit

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        taker = self._admit(addr)
        return (self._inner if taker is None else taker).buildProtocol(addr)


class Closed(Factory):
    """Takes a connection to close it."""

    noisy = False
    _log = Logger()

    def buildProtocol(self, addr: Any) -> None:
        """IProtocolFactory: there is no protocol, and whoever accepted the connection ends it."""
        self._log.debug("a connection from {peer} is closed by a traffic policy", peer=addr.host)


class _Late:
    """An action for connections, asked at a request."""

    def __init__(self, action: Any) -> None:
        self._action = action

    def admit(self, request: Any) -> Any:
        """See `Guard`."""
        return None if self._action.admit_connection(_Peer(request.flow)) is None else HangUp()


class _Peer:
    """The visitor's address, taken from a flow."""

    def __init__(self, flow: Any) -> None:
        self.host = flow.peer_host
        self.port = flow.peer_port


class HangUp(Wrapper):
    """Answers a request by breaking its connection."""

    def __init__(self) -> None:
        super().__init__(None)

    def render(self, request: Any) -> int:
        """IResource."""
        request.hang_up()
        return NOT_DONE_YET


class _Maker:
    """Makes the filter of one response action, so that it stays away where its phase is not run."""

    def __init__(self, action: Any) -> None:
        self._action = action

    def make_filter(self, request: Any) -> Any:
        """See `Filtered`."""
        made = self._action.make_filter(request)
        return None if made is None else _Unless(made, request.flow)


@implementer(IResponseFilter)
class _Unless:
    """
    A filter that lets errors of the edge pass, and answers that are final.
    """

    def __init__(self, inner: Any, flow: Any) -> None:
        self._inner = inner
        self._flow = flow
        self._idle = False

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter."""
        flow = self._flow
        self._idle = flow.error is not None or (flow.variables is not None and FINAL in flow.variables)
        if not self._idle:
            self._inner = self._inner.begin(head) or self._inner

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        return data if self._idle else self._inner.feed(data)

    def finish(self) -> bytes:
        """IResponseFilter."""
        return b"" if self._idle else self._inner.finish()
