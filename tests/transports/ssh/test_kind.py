"""
Tests for `ngrok_twisted.transports.ssh.kind`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.conch.ssh.keys import Key
from twisted.cred.portal import Portal
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.transports.ssh import kind
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.tunnels import Tunnels
from tests.transports.ssh.doubles import FakeConnection, FakeReservations

KEY = Key(ed25519.Ed25519PrivateKey.generate()).toString("OPENSSH").decode()


class Sessions:
    """Counts agent sessions."""

    def __init__(self) -> None:
        self.live: list[Any] = []
        self.shut_out: dict[tuple[str, str], Refused] = {}

    def count(self, credential_id: str) -> int:
        return sum(session.principal.credential_id == credential_id for session in self.live)

    def refusal(self, account_id: str, peer_host: str) -> Refused | None:
        return self.shut_out.get((account_id, peer_host))

    def track(self, session: Any) -> Any:
        self.live.append(session)
        return lambda: self.live.remove(session)


class ServiceTests(SynchronousTestCase):
    """`SSHService`."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.sessions = Sessions()
        runtime = Runtime(reactor=self.reactor, random=Random(1), state=FilePath(self.mktemp()))
        config = kind.Config(host_keys=(KEY,), max_sessions_per_credential=2)
        self.service = kind.ssh(
            config,
            Portal(None),
            FakeReservations(self.reactor),
            Tunnels(),
            runtime,
            settings=GatewaySettings(max_sessions_per_credential=2),
            sessions=self.sessions,
        )

    def connect(self) -> tuple[Any, FakeConnection]:
        """A client logs in."""
        connection = FakeConnection()
        return self.service.factory.make_gateway(connection), connection

    def test_interface(self) -> None:
        """It is a transport kind."""
        verifyObject(ITransportKind, kind.ssh)
        self.assertEqual(kind.ssh.name, "ssh")

    def test_sessions(self) -> None:
        """Agent sessions are tracked from the login to the end of the connection."""
        gateway, _ = self.connect()
        self.assertEqual((self.sessions.live, len(self.service)), ([gateway], 1))
        gateway.disconnected(Failure(ConnectionError()))
        self.assertEqual((self.sessions.live, len(self.service)), ([], 0))

    def test_limit(self) -> None:
        """A key has so many sessions at a time, and a place that is left is free again."""
        first, _ = self.connect()
        self.connect()
        third, _ = self.connect()
        refused = self.failureResultOf(third.forward_requested(b"", 443)).value
        self.assertEqual(refused.code, 108)
        third.disconnected(Failure(ConnectionError()))
        first.disconnected(Failure(ConnectionError()))
        fourth, _ = self.connect()
        self.assertNoResult(fourth.forward_requested(b"", 443))

    def test_turned_away(self) -> None:
        """Who may not come in from its address publishes nothing, and is told why."""
        first, connection = self.connect()
        place = (connection.principal.account_id, connection.peer_host)
        self.sessions.shut_out[place] = Refused(115, "not from there")
        self.assertNoResult(first.forward_requested(b"", 443))
        second, _ = self.connect()
        self.assertEqual(self.failureResultOf(second.forward_requested(b"", 443)).value.code, 115)

    def test_stop(self) -> None:
        """Stopping tells every client, and waits for them to be gone."""
        gateway, connection = self.connect()
        self.service.drain()
        self.assertEqual(connection.disconnects, [])
        late, _ = self.connect()
        self.failureResultOf(late.forward_requested(b"", 443))
        stopped = self.service.stopService()
        self.reactor.advance(0)
        self.assertEqual(connection.disconnects, [(11, kind.SHUTTING_DOWN)])
        self.assertNoResult(stopped)
        for each in (gateway, late):
            each.disconnected(Failure(ConnectionError()))
        self.successResultOf(stopped)

    def test_stop_of_many(self) -> None:
        """A crowd is told a few at a time: others are served in between."""
        many = [self.connect() for _ in range(10)]
        told: list[str] = []
        others: list[int] = []

        def disconnect(code: int, text: str) -> None:
            told.append(text)
            self.reactor.rightNow += 0.001
            self.reactor.callLater(0, lambda: others.append(len(told)))

        for _, connection in many:
            connection.disconnect = disconnect  # type: ignore[method-assign]
        stopped = self.service.stopService()
        self.reactor.pump([0.001] * 10)
        self.assertEqual(others, [2, 2, 4, 4, 6, 6, 8, 8, 10, 10])
        for gateway, _ in many:
            self.assertNoResult(stopped)
            gateway.disconnected(Failure(ConnectionError()))
        self.successResultOf(stopped)

    def test_stop_in_time(self) -> None:
        """A client that does not go is not waited for without end."""
        self.connect()
        stopped = self.service.stopService()
        self.reactor.pump([0, kind.CLOSE_TIMEOUT])
        self.successResultOf(stopped)

    def test_explain(self) -> None:
        """A stranger reads which keys were offered and what to do."""
        text = self.service.factory.explain(b"ada", ["SHA256:abc"])
        for part in ("ERR_NGROK_1102", "SHA256:abc", "ssh-keygen", "config.yaml"):
            self.assertIn(part, text)
        self.assertIn("https://d", kind.explain([], GatewaySettings(dashboard_url="https://d")))


class HostKeyTests(SynchronousTestCase):
    """`host_keys`."""

    def test_inline(self) -> None:
        """Keys in the configuration are used, and nothing is made."""
        state = FilePath(self.mktemp())
        (key,) = kind.host_keys([KEY], state)
        self.assertFalse(key.isPublic())
        self.assertFalse(state.exists())

    def test_file(self) -> None:
        """A path names a file."""
        path = FilePath(self.mktemp())
        path.setContent(KEY.encode())
        path.chmod(0o600)
        (key,) = kind.host_keys([path.path], FilePath(self.mktemp()))
        self.assertEqual(key.type(), "Ed25519")

    def test_bad(self) -> None:
        """A key that cannot be read is a problem with its place."""
        error = self.assertRaises(InvalidConfig, kind.host_keys, ["-----BEGIN nonsense"], FilePath(self.mktemp()))
        self.assertEqual(error.problems[0].path, "ssh.host_keys[0]")
