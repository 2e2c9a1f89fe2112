"""
A route with one module and a service behind it, without sockets.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock

from ngrok_twisted.module import ModuleContext
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.upstream.forward import Forward
from tests.edge.wire import Backend, Service, Visitor, statuses

REPLY = b"HTTP/1.1 %d Said\r\nContent-Length: 2\r\n\r\nok"


def context(clock: Any = None, **more: Any) -> ModuleContext:
    """What a module is given."""
    return ModuleContext(runtime=Runtime(reactor=clock or Clock(), random=Random(1)), **more)


class Route:
    """
    A module in front of a service.

    :ivar service: what the test plays.
    """

    def __init__(self, kind: Any, config: Any, service: Service | None = None, **more: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.service = service or Service()
        self.forward = Forward(Backend(self.service), self.clock, **more)
        self.module = kind(config, context(self.clock))
        self.resource = self.module.wrap_resource(self.forward)

    def visitor(self) -> Visitor:
        """Somebody new."""
        return Visitor(self.resource, clock=self.clock)

    def ask(self, *lines: bytes, reply: int = 200, method: bytes = b"GET") -> Visitor:
        """
        A request, answered by the service if it gets there.

        :param lines: of the request's head.
        """
        visitor = self.visitor()
        asked = len(self.service.connections)
        visitor.send(b"\r\n".join([method + b" / HTTP/1.1", b"Host: a.example", *lines, b"", b""]))
        if len(self.service.connections) > asked:
            self.service.connection.send(REPLY % reply)
            self.service.connection.close()
        return visitor

    def status(self, *lines: bytes, **more: Any) -> int:
        """The status of the answer to one request."""
        (status,) = statuses(self.ask(*lines, **more).take())
        return status
