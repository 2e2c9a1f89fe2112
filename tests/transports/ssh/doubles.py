"""
What stands below and beside the gateway in its tests: an SSH connection, a session and reservations that only remember.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IAgentSession, IReservations
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.transports.ssh.gateway import Gateway
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.tunnels import Tunnels

Terminal = namedtuple("Terminal", "term columns rows")
PTY = Terminal("xterm", 80, 24)
NOW = 1_700_000_000.0


class FakeConnection:
    """An authenticated connection."""

    principal = Principal(account_id="ac_1", account_name="Ada", credential_id="sshcr_1")
    username = b"ada"
    peer_host = "192.0.2.7"
    peer_port = 50022
    client_version = "SSH-2.0-OpenSSH_9.2"

    def __init__(self) -> None:
        self.disconnects: list[tuple[int, str]] = []
        self.opened: list[tuple[Any, ...]] = []
        self.answer: Deferred[Any] | None = None

    def open_forwarded(self, address: bytes, port: int, host: str, peer_port: int, factory: Any) -> Deferred[Any]:
        self.opened.append((address, port, host, peer_port))
        return self.answer if self.answer is not None else succeed(factory.buildProtocol(None))

    def probe(self) -> Deferred[None]:
        return succeed(None)

    def disconnect(self, code: int, text: str) -> None:
        self.disconnects.append((code, text))


class FakeSession:
    """A session channel."""

    def __init__(self, gateway: Any, pty: Any = None) -> None:
        self.gateway = gateway
        self.pty = pty
        self.out = b""
        self.err = b""
        self.status: int | None = None

    @property
    def closed(self) -> bool:
        return self.status is not None

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.out += data

    def write_error(self, data: bytes) -> None:
        assert not self.closed
        self.err += data

    def exit(self, status: int) -> None:
        assert not self.closed
        self.status = status
        self.gateway.session_closed(self)


@implementer(IReservations)
class FakeReservations:
    """Grants what nobody has, and remembers who has what."""

    def __init__(self, clock: Clock) -> None:
        self.claims: list[Claim] = []
        self.held: list[Grant] = []
        self.released: list[Grant] = []
        self.refusal: Exception | None = None
        self.waiting: list[Deferred[None]] | None = None
        self._numbers = count(1)

    def claim(self, session: Any, claim: Claim) -> Deferred[Grant]:
        assert verifyObject(IAgentSession, session)
        self.claims.append(claim)
        if self.refusal is not None:
            return fail(self.refusal)
        gate: Deferred[Any] = Deferred()
        gate.addCallback(lambda _: self._grant(session, claim))
        if self.waiting is None:
            gate.callback(None)
        else:
            self.waiting.append(gate)
        return gate

    def _grant(self, session: Any, claim: Claim) -> Grant:
        number = next(self._numbers)
        if claim.proto == "labels":
            grant = Grant(endpoint=None, url="", session_id=session.id, claim=claim)
        else:
            grant = self._endpoint_grant(session, claim, number)
        self.held.append(grant)
        return grant

    def _endpoint_grant(self, session: Any, claim: Claim, number: int) -> Grant:
        host = claim.host or (f"{claim.label}.example.com" if claim.label else f"random{number}.example.com")
        port = {"https": 443, "http": 80, "tls": 443}.get(claim.proto) or claim.port or 20000 + number
        url = f"{claim.proto}://{'tcp.example.com' if claim.proto == 'tcp' else host}"
        url += f":{port}" if claim.proto == "tcp" else ""
        if any(grant.url == url for grant in self.held):
            raise Refused(334, f"{url} is online already.")
        endpoint = Endpoint(id=f"ep_{number}", proto=claim.proto, host=host, port=port)
        return Grant(endpoint=endpoint, url=url, session_id=session.id, claim=claim)

    def release(self, grant: Grant) -> Deferred[None]:
        assert grant in self.held, "a grant is given back once"
        self.held.remove(grant)
        self.released.append(grant)
        return succeed(None)


class World:
    """A gateway and all around it."""

    def __init__(self, username: bytes = b"ada", **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.connection = FakeConnection()
        self.connection.username = username
        self.reservations = FakeReservations(self.clock)
        self.tunnels = Tunnels()
        self.gone: list[Gateway] = []
        self.settings = replace(
            GatewaySettings(base_domain="example.com", connect_host="connect.example.com", tcp_host="tcp.example.com"),
            **settings,
        )
        self.gateway = self.another()

    def another(self, **more: Any) -> Gateway:
        return Gateway(
            self.connection,
            settings=self.settings,
            reservations=self.reservations,
            tunnels=self.tunnels,
            clock=self.clock,
            when_gone=self.gone.append,
            **more,
        )

    def forward(self, address: bytes = b"localhost", port: int = 443) -> list[Any]:
        """Ask for a forward; the list holds its answer once there is one: a port, or a `Refused`."""
        answers: list[Any] = []
        asked = self.gateway.forward_requested(address, port)
        asked.addCallbacks(answers.append, lambda failure: answers.append(failure.value))
        return answers

    def session(self, pty: Any = None) -> FakeSession:
        """Open a session."""
        session = FakeSession(self.gateway, pty)
        self.gateway.session_opened(session)
        return session

    def run(self, command: bytes | None = None, pty: Any = None) -> FakeSession:
        """Open a session with a command."""
        session = self.session(pty)
        self.gateway.session_command(session, command)
        return session

    @property
    def urls(self) -> list[str]:
        """What is online."""
        return [tunnel.url for tunnel in self.tunnels]
