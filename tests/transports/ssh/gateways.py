"""
A trivial gateway on top of the SSH layer, and what a server needs around it: for tests.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport

PRINCIPAL = Principal(account_id="ac_1", account_name="tester", credential_id="sshcr_1")


@implementer(IRealm)
class Realm:
    """Everybody is the same principal; ``logouts`` counts."""

    logouts = 0

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """`IRealm`."""
        return Principal, PRINCIPAL, self._logout

    def _logout(self) -> None:
        self.logouts += 1


@implementer(ICredentialsChecker)
class KnownBlobs:
    """Lets in those whose key blob is known, and leaves the signature to the SSH layer."""

    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = set(blobs)
        self.asked: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        """`ICredentialsChecker`."""
        self.asked.append(credentials)
        if credentials.blob not in self.blobs:
            return fail(UnauthorizedLogin("unknown key"))
        if credentials.signature is None:
            return fail(ValidPublicKey())
        return succeed(b"sshcr_1")


def portal_for(*keys: Key) -> Portal:
    """A portal that lets these keys in."""
    return Portal(Realm(), [KnownBlobs(*(key.public().blob() for key in keys))])


class RecordingGateway:
    """Writes down what it is told, and grants every forward from port 40000 on."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.calls: list[tuple[Any, ...]] = []
        self.answers: list[Deferred[int]] | None = None
        self.refuse = False

    def forward_requested(self, address: bytes, port: int) -> Deferred[int]:
        self.calls.append(("forward", address, port))
        if self.refuse:
            return fail(Refused(308, "no"))
        if self.answers is not None:
            answer: Deferred[int] = Deferred()
            self.answers.append(answer)
            return answer
        return succeed(port or 40000)

    def forward_cancelled(self, address: bytes, port: int) -> bool:
        self.calls.append(("cancel", address, port))
        return True

    def session_opened(self, session: Any) -> None:
        self.calls.append(("opened", session))

    def session_env(self, session: Any, name: bytes, value: bytes) -> bool:
        self.calls.append(("env", name, value))
        return name == b"GOOD"

    def session_command(self, session: Any, command: bytes | None) -> None:
        self.calls.append(("command", command))

    def session_input(self, session: Any, data: bytes) -> None:
        self.calls.append(("input", data))

    def session_eof(self, session: Any) -> None:
        self.calls.append(("eof",))

    def session_signal(self, session: Any, name: bytes) -> None:
        self.calls.append(("signal", name))

    def session_resized(self, session: Any, columns: int, rows: int) -> None:
        self.calls.append(("resized", columns, rows))

    def session_closed(self, session: Any) -> None:
        self.calls.append(("closed", session))

    def disconnected(self, reason: Any) -> None:
        self.calls.append(("disconnected",))


@implementer(IBatchReceiver, IHalfCloseableProtocol, IPushProducer)
class Splice(Protocol):
    """Half of a relay: what one side receives the other side sends, with back-pressure and half-closes."""

    other: Any = None

    def join(self, other: Splice) -> None:
        """Relay between two connected halves."""
        self.other, other.other = other, self
        self.transport.registerProducer(other.transport, True)
        other.transport.registerProducer(self.transport, True)
        other.transport.resumeProducing()
        self.transport.resumeProducing()

    def connectionMade(self) -> None:
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.other.transport.write(data)

    def batchReceived(self, buffers: Any) -> None:
        transport = self.other.transport
        if IBatchTransport.providedBy(transport):
            transport.writeBatch(buffers)
        else:
            transport.write(b"".join(buffers))

    def readConnectionLost(self) -> None:
        if self.other is not None:
            self.other.transport.unregisterProducer()
            self.other.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """`IHalfCloseableProtocol`."""

    def connectionLost(self, reason: Any = None) -> None:
        if self.other is not None:
            self.other.transport.unregisterProducer()
            self.other.transport.loseConnection()
            self.other = None

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.transport.loseConnection()


class ListeningGateway(RecordingGateway):
    """Opens a loopback port for each forward and relays what connects there."""

    reactor: Any = None
    listen: Any = None  # listen(port, factory) -> IListeningPort

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.ports: list[Any] = []

    def forward_requested(self, address: bytes, port: int) -> Deferred[int]:
        gateway = self
        # The number is needed by the factory; it is known once the port is open.
        allocated: list[int] = []

        class Visitor(Splice):
            def connectionMade(self) -> None:
                super().connectionMade()
                peer = self.transport.getPeer()
                factory = Factory.forProtocol(Splice)
                opened = gateway.connection.open_forwarded(address, allocated[0], peer.host, peer.port, factory)
                opened.addCallbacks(self.join, lambda failure: self.transport.abortConnection())

        listening = self.listen(port, Factory.forProtocol(Visitor))
        allocated.append(listening.getHost().port)
        self.ports.append(listening)
        return succeed(allocated[0])

    def session_command(self, session: Any, command: bytes | None) -> None:
        super().session_command(session, command)
        session.write(b"ports %r\n" % [port.getHost().port for port in self.ports])
        if command == b"stop":
            session.write_error(b"bye\n")
            session.exit(3)

    def disconnected(self, reason: Any) -> None:
        super().disconnected(reason)
        for port in self.ports:
            port.stopListening()
