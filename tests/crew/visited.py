"""
Whom connections that go from process to process are for, as tests of both ends have it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.protocol import Factory

from ngrok_twisted.edge.router import Router
from tests.net.loop import Recorder


class Arrival(NamedTuple):
    """What a worker is told with a connection."""

    asked: Any
    ends: Any
    data: bytes


class Owner(Factory):
    """An edge."""

    noisy = False

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.built: list[Recorder] = []

    def buildProtocol(self, addr: Any) -> Recorder:
        self.addresses.append(addr)
        self.built.append(Recorder())
        return self.built[-1]


class Plane:
    """A plane with one secure owner, one plain edge and one port."""

    returning = None

    def __init__(self) -> None:
        self.secure, self.plain, self.port, self.plain_front = Owner(), Owner(), Owner(), Owner()
        self.asked: list[str | None] = []
        self.router = Router(plain={"app.example.com": self.plain}, ports={2000: self.port})

    def secure_owner(self, name: str | None) -> Any:
        self.asked.append(name)
        return self.secure
