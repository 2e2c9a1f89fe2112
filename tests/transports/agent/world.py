"""
What stands around agents' sessions in their tests: real reservations, seals, checkers and tables, and connections that only
remember.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.internet.error import ConnectionDone
from zope.interface import implementer

from ngrok_twisted.control.keyring import Keyring
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.reservations import Reservations
from ngrok_twisted.errors import Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.checkers import AuthtokenChecker
from ngrok_twisted.iam.realm import Realm
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.iam.tokens import token_hash
from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.transports.agent.clients import Clients
from ngrok_twisted.transports.agent.gateway import Gateway
from ngrok_twisted.transports.agent.kind import Config
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.seals import Seals
from ngrok_twisted.transports.agent.settings import AgentSettings
from ngrok_twisted.transports.agent.typed import StreamType
from ngrok_twisted.tunnels import Tunnels
from tests.control.agents import FakeEdge

NOW = 1_700_000_000.0

SETTINGS = ReservationSettings(base_domain="base.example", tcp_host="tcp.base.example", tcp_ports=range(2000, 2004))

#: The authtokens of two credentials of one account, and of one of another.
TOKEN, OTHER_TOKEN, STRANGERS_TOKEN = "a-token-of-ann", "another-token-of-ann", "a-token-of-bob"

GONE = Failure(ConnectionDone())


class FakeConnection:
    """
    An `AgentConnection` that remembers.

    :ivar room: how many streams it still has room for.
    :ivar full: whether that is so until one ends.
    :ivar eased: how often `ease` was called.
    :ivar opened: the headers of the streams that were opened.
    :ivar told: what the agent was told.
    :ivar commands: what it was to do, with the Deferreds of its answers.
    :ivar probes: the Deferreds of its signs of life; it answers at once while ``alive``.
    :ivar closed: the reason, or ``None``.
    :ivar known: interval and tolerance, once it has logged in.
    :ivar late_fin: it breaks off streams that are ended on our side.
    :ivar party: whose it is.
    """

    peer_host = "192.0.2.7"
    peer_port = 50022

    def __init__(self) -> None:
        self.room = 480
        self.full = False
        self.eased = 0
        self.opened: list[bytes] = []
        self.told: list[tuple[int, Any]] = []
        self.commands: list[tuple[int, Any, float, Deferred[Any]]] = []
        self.probes: list[Deferred[None]] = []
        self.alive = True
        self.closed: str | None = None
        self.known: tuple[float, float] | None = None
        self.late_fin = False
        self.party = ""

    def logged_in(self, interval: float, tolerance: float, late_fin: bool = False, party: str = "") -> None:
        self.known = (interval, tolerance)
        self.party = party
        self.late_fin = late_fin

    def ease(self) -> None:
        self.eased += 1

    def open_proxied(self, header: bytes, factory: Any) -> Any:
        self.opened.append(header)
        self.room -= 1
        return factory.buildProtocol(None)

    def tell(self, kind: int, message: Any) -> None:
        self.told.append((kind, message))

    def command(self, kind: int, message: Any, timeout: float) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.commands.append((kind, message, timeout, answer))
        return answer

    def probe(self) -> Deferred[None]:
        probe: Deferred[None] = succeed(None) if self.alive else Deferred()
        self.probes.append(probe)
        return probe

    def close(self, reason: str) -> None:
        self.closed = self.closed if self.closed is not None else reason


@implementer(IFlowFactory)
class Dial(Factory):
    """A factory that was made for one flow."""

    protocol = Protocol
    noisy = False

    def __init__(self, flow: Flow) -> None:
        self.flow = flow


def visit(host: str = "192.0.2.99", port: int = 50000, proto: str = "https", edge: Any = None) -> Dial:
    """A visitor who wants to be connected."""
    flow = Flow(host, port, proto, 0)
    flow.edge = edge
    return Dial(flow)


class World:
    """
    A server's agents, and all around them.

    :ivar edge: what the edge serves.
    :ivar records: what is configured.
    :ivar spared: the tunnels of which a stream was to be ended.
    """

    def __init__(self, settings: ReservationSettings = SETTINGS, **config: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.edge = FakeEdge()
        self.records = Snapshot().with_changes(
            [
                Put(Account(id="ac_1", name="Ann")),
                Put(Account(id="ac_2", name="Bob")),
                *(
                    Put(Credential(id=id, account_id=account, token_hash=token_hash(token), declared=True))
                    for id, account, token in (
                        ("cr_1", "ac_1", TOKEN),
                        ("cr_2", "ac_1", OTHER_TOKEN),
                        ("cr_3", "ac_2", STRANGERS_TOKEN),
                    )
                ),
            ]
        )
        self.seals = Seals(Keyring(bytes(32)))
        self.settings = AgentSettings(
            base_domain="base.example", tcp_host="tcp.base.example", version="1.2", region="us"
        )
        self.config = Config(**config)
        self.spared: list[Any] = []
        self.restart(settings)

    def restart(self, settings: ReservationSettings = SETTINGS) -> None:
        """Begin anew, with nothing remembered but what is configured, and the key."""
        self.tunnels = Tunnels()
        self.sessions = Sessions()
        self.reservations = Reservations(
            settings, lambda: self.records, self.edge.publish, self.clock, Random(7), Random(8).randbytes
        )
        self.clients = Clients(
            config=self.config,
            settings=self.settings,
            reservations=self.reservations,
            tunnels=self.tunnels,
            sessions=self.sessions,
            seals=self.seals,
            spare=self.spare,
            clock=self.clock,
        )
        self.portal = Portal(Realm(lambda: self.records), [AuthtokenChecker(lambda: self.records)])

    def spare(self, tunnel: Any) -> bool:
        """There is no room for another stream to an agent."""
        self.spared.append(tunnel)
        return True

    def agent(self, *, connect: bool = True, **login: Any) -> Agent:
        """An agent that is connected and, if it is to be, logged in."""
        agent = Agent(self)
        if connect:
            agent.login(**login)
        return agent

    def change(self, *records: Any) -> None:
        """Change what is configured."""
        self.records = self.records.with_changes(map(Put, records))
        self.sessions.update(self.records)


class Agent:
    """
    The agent's side of one connection.

    :ivar connection: the `FakeConnection`.
    :ivar gateway: its owner.
    :ivar welcome: the reply to its login.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.connection = FakeConnection()
        self.gone: list[Gateway] = []
        self.refusal: Refused | None = None
        self.gateway = Gateway(
            self.connection,
            portal=world.portal,
            clients=world.clients,
            settings=world.settings,
            refusal=lambda: self.refusal,
            when_gone=self.gone.append,
        )
        self.welcome: dict[str, Any] = {}

    @property
    def session(self) -> Any:
        """The agent's session."""
        (session,) = [session for session in self.world.clients if session.id == self.welcome["ClientId"]]
        return session

    @property
    def leg(self) -> Any:
        """This connection's leg."""
        (leg,) = [leg for leg in self.session.legs if leg.connection is self.connection]
        return leg

    def ask(self, kind: StreamType, message: Any) -> Any:
        """Ask for something: a Reply, or a Deferred of one."""
        return self.gateway.request(kind, message)

    def login(self, **changes: Any) -> dict[str, Any]:
        """Log in; it succeeds."""
        reply = self.now(self.ask(StreamType.AUTH, auth(**changes)))
        self.welcome = dict(reply.message)
        return self.welcome

    def back(self, **changes: Any) -> Agent:
        """The agent comes back on another connection."""
        return self.world.agent(client_id=self.welcome["ClientId"], cookie=self.welcome["Extra"]["Cookie"], **changes)

    def bind(self, read: bool = True, **wish: Any) -> dict[str, Any]:
        """
        Bind an endpoint; it succeeds.

        :param read: the agent has read the reply.
        """
        return self.told(self.ask(StreamType.BIND, bind(**wish)), read)

    def label(self, read: bool = True, **wish: Any) -> dict[str, Any]:
        """Start a labelled tunnel; it succeeds."""
        message = {"Labels": {"a": "b"}, "ForwardsTo": "", "ForwardsProto": "", "Metadata": "", **wish}
        return self.told(self.ask(StreamType.START_TUNNEL_WITH_LABEL, message), read)

    def unbind(self, id: str) -> dict[str, Any]:
        """Unbind; it succeeds."""
        return self.told(self.ask(StreamType.UNBIND, {"Id": id, "Extra": None}), True)

    def lose(self) -> None:
        """The connection is lost."""
        self.gateway.lost(GONE)

    def told(self, answer: Any, read: bool) -> dict[str, Any]:
        """What a request was answered."""
        reply = self.now(answer)
        if read and reply.when_read is not None:
            reply.when_read()
        return dict(reply.message)

    @staticmethod
    def now(answer: Any) -> Reply:
        """The reply, which is there at once."""
        if isinstance(answer, Reply):
            return answer
        results: list[Any] = []
        answer.addBoth(results.append)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        assert isinstance(result, Reply)
        return result


def auth(token: str = TOKEN, client_id: str = "", cookie: str = "", leg: int = 0, **extra: Any) -> dict[str, Any]:
    """A login as the SDKs send it."""
    return {
        "Version": ["3", "2"],
        "ClientId": client_id,
        "Extra": {
            "OS": "linux",
            "Arch": "x86_64",
            "AuthToken": token,
            "Version": "1.7.0",
            "ClientType": "ngrok-python",
            "UserAgent": "ngrok-python/1.7.0",
            "Metadata": "mine",
            "Cookie": cookie,
            "HeartbeatInterval": 10_000_000_000,
            "HeartbeatTolerance": 15_000_000_000,
            "StopUnsupportedError": "",
            "RestartUnsupportedError": "not today",
            "UpdateUnsupportedError": None,
            "LegNumber": leg,
            **extra,
        },
    }


def bind(proto: str = "https", id: str = "", token: str = "", opts: Any = None, **extra: Any) -> dict[str, Any]:
    """A bind as the SDKs send it."""
    return {
        "Id": id,
        "Proto": proto,
        "ForwardsTo": "http://127.0.0.1:8000/",
        "ForwardsProto": "",
        "Opts": {} if opts is None else opts,
        "Extra": {"Token": token, "IPPolicyRef": "", "Metadata": "m", "Bindings": [], "PoolingEnabled": False, **extra},
    }


def again(answer: dict[str, Any]) -> dict[str, Any]:
    """The wish of an agent that comes back: what it was answered."""
    return {
        "proto": answer["Proto"],
        "id": answer["Id"],
        "token": answer["Extra"]["Token"],
        "opts": answer["Opts"],
    }
