"""
Policies that are run: one visitor, one policy, and a service behind it.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.policy.chain import PolicyChain
from ngrok_twisted.policy.context import ActionContext, nowhere
from ngrok_twisted.policy.document import action_kinds, parse_policy
from ngrok_twisted.wrapper import Answer
from tests.edge.wire import Visitor

#: What the service behind a policy says.
SERVED = Answer(200, [(b"x-from", b"service")], b"served")


class Address:
    """A visitor's address."""

    def __init__(self, host: str = "192.0.2.1") -> None:
        self.host = host
        self.port = 1


class Inner:
    """A factory that says what it built a protocol for."""

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        return ("served", addr)


def chain(text: str, proto: str = "https", internal: Any = nowhere) -> PolicyChain:
    """A policy, ready to run."""
    context = ActionContext(phase="", account_id="ac_1", internal=internal)
    return PolicyChain(parse_policy(text, proto), action_kinds(), context)


def visit(text: str, uri: str = "/", *, inner: Any = SERVED, internal: Any = nowhere, method: str = "GET") -> Visitor:
    """A visitor who has sent one request to an endpoint with this policy."""
    visitor = Visitor(chain(text, internal=internal).around_resource(inner))
    visitor.send(f"{method} {uri} HTTP/1.1\r\nHost: app.example.com\r\n\r\n".encode())
    return visitor


def answered(visitor: Visitor) -> tuple[int, dict[str, str], str]:
    """The status, headers and body of the one response."""
    head, _, body = visitor.take().decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), fields, body


def admitted(text: str, proto: str = "tcp", host: str = "192.0.2.1") -> bool:
    """Whether a connection gets through."""
    built = chain(text, proto).around_factory(Inner()).buildProtocol(Address(host))
    return built is not None
