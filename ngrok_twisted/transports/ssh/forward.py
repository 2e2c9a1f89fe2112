"""
`Forward`: one ``-R`` of a connection from its request to its end.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Iterable

from twisted.internet.defer import Deferred

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.transports.ssh.bind import Wish
from ngrok_twisted.transports.ssh.command import IMPLIED, Command
from ngrok_twisted.transports.ssh.console import Shown, clean
from ngrok_twisted.transports.ssh.naming import credentials, key_of
from ngrok_twisted.transports.ssh.tunnel import SSHTunnel

#: The highest TCP port.
_LAST_PORT = 65535


class State(Enum):
    """Where a forward is in its life."""

    HELD = "held"
    CLAIMING = "claiming"
    LIVE = "live"
    DEAD = "dead"


class Forward:
    """
    :ivar wish: what the client asked for.
    :ivar answer: fires with the port for the reply, which the connection has; ``None`` once it has fired.
    :ivar command: the command it was given.
    :ivar silent: it began without a command, which may still come.
    :ivar claims: what was asked of the reservations.
    :ivar grants: what they gave.
    :ivar tunnels: what is online, one a grant.
    :ivar port: the port in its channels: the requested one, or the allocated one for 0.
    :ivar born: seconds on the clock when it went online.
    :ivar work: the claim that is under way, or what comes before it; or ``None``.
    :ivar attempt: grows with every try to put it online; an older one is of no interest.
    :ivar expiry: the delayed call that ends it, or ``None``.
    """

    __slots__ = "wish answer state command silent claims grants tunnels port born expiry work attempt".split()

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.answer: Deferred[int] | None = Deferred()
        self.state = State.HELD
        self.command: Command = IMPLIED
        self.silent = False
        self.claims: tuple[Claim, ...] = ()
        self.grants: list[Grant] = []
        self.tunnels: list[SSHTunnel] = []
        self.port = wish.port
        self.born = 0.0
        self.expiry: Any = None
        self.work: Deferred[Any] | None = None
        self.attempt = 0

    @property
    def hopeful(self) -> bool:
        """It is online or may still get there."""
        return self.state is not State.DEAD

    def matches(self, address: bytes, port: int) -> bool:
        """Whether the client means this forward by an address and an allocated port."""
        return self.wish.address == address and self.port == port

    def collides(self, address: bytes, port: int) -> bool:
        """Whether the client could not tell this forward's channels from those of an address and port."""
        return bool(port) and self.port == port and key_of(self.wish.address) == key_of(address)

    def succeed(self) -> None:
        """Answer the request with the port."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(self.port)

    def fail(self, error: Exception) -> None:
        """Answer the request with a failure."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(error)

    def shown(self) -> list[Shown]:
        """What the user sees of it."""
        return [
            Shown(
                url=title(grant),
                endpoint_id=grant.endpoint.id if grant.endpoint is not None else "",
                address=clean(credentials(self.wish.address)[1].decode("utf-8", "replace")),
                port=self.port,
                proto=grant.claim.proto,
                binding=grant.claim.binding,
            )
            for grant in self.grants
        ]


def title(grant: Grant) -> str:
    """The URL, or the labels of a labelled tunnel."""
    return grant.url or "labels " + ",".join(f"{key}={value}" for key, value in grant.claim.labels.items())


def allocate(forward: Forward, others: Iterable[Forward]) -> int:
    """
    The port to tell the client, and to name in channels.

    For a requested port it is that one. For 0 it is the public port of the first URL, or the next number that no other
    forward with such an address has: the client finds the local service by address and port alone.
    """
    if forward.wish.port:
        return forward.wish.port
    endpoint = forward.grants[0].endpoint
    rivals = [other for other in others if other is not forward and other.hopeful]
    port = endpoint.port if endpoint is not None else 443
    while any(rival.collides(forward.wish.address, port) for rival in rivals):
        port = port % _LAST_PORT + 1
    return port
