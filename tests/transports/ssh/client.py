"""
`ScriptedClient`: an SSH client without sockets, for tests that must see and send every message, wrong ones included.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import ed25519, x25519

from twisted.conch.ssh.common import MP, NS, getNS
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ngrok_twisted.transports.ssh.ciphers import Suite
from ngrok_twisted.transports.ssh.framing import OVERHEAD, PAYLOAD, ClearOpener, ClearSealer
from ngrok_twisted.transports.ssh.kex import Proposal, agree, key_material
from ngrok_twisted.transports.ssh.transport import SSHLimits, SSHServerFactory
from tests.transports.ssh.gateways import RecordingGateway, portal_for


@lru_cache(maxsize=None)
def key(name: str) -> Key:
    """One Ed25519 key for each name."""
    return Key(ed25519.Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()))


class Socket(StringTransport):
    """A transport that remembers an abort and does not mind a producer."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class ScriptedClient:
    """
    :ivar host_key: what the server has shown as its key; the key's signature was checked.
    :ivar messages: what the server has sent, oldest first; `take` removes them.
    """

    version = b"SSH-2.0-scripted_1"

    def __init__(
        self,
        cipher: bytes = b"aes128-gcm@openssh.com",
        mac: bytes = b"hmac-sha2-256",
        certificates: Mapping[str, Any] = MappingProxyType({}),
        host_keys: Sequence[str] = ("host",),
        **limits: Any,
    ) -> None:
        """
        :param certificates: arguments of the factory that have to do with them.
        :param host_keys: the names of the server's keys.
        """
        self.clock = Clock()
        self.gateways: list[RecordingGateway] = []
        self.explained: list[Any] = []
        self.portal = portal_for(key("user"))
        self.factory = SSHServerFactory(
            self.portal,
            list(map(key, host_keys)),
            self._gateway,
            SSHLimits(**limits),
            self.clock,
            self._explain,
            **certificates,
        )
        self.host_key = b""
        self.server: Any = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 50022))
        self.socket = Socket(peerAddress=IPv4Address("TCP", "192.0.2.7", 50022))
        self.kex_names: tuple[bytes, ...] = (
            b"curve25519-sha256",
            b"ext-info-c",
            b"kex-strict-c-v00@openssh.com",
        )
        self.cipher, self.mac = cipher, mac
        self.strict = True
        self.sealer: Any = ClearSealer()
        self.opener: Any = ClearOpener()
        self.session_id = b""
        self.messages: list[bytes] = []
        self._received = b""
        self.server_version = b""
        self.server.makeConnection(self.socket)

    def _gateway(self, connection: Any) -> RecordingGateway:
        self.gateways.append(RecordingGateway(connection))
        return self.gateways[-1]

    def _explain(self, username: bytes, fingerprints: Any) -> str:
        self.explained.append((username, fingerprints))
        return "no such key\nERR_NGROK_1102"

    @property
    def gateway(self) -> RecordingGateway:
        """The gateway of the session."""
        return self.gateways[-1]

    # -- messages ------------------------------------------------------------------------------------------------------

    def seal(self, *messages: bytes) -> bytes:
        """The packets of some messages."""
        wire = b""
        for message in messages:
            packet = memoryview(bytearray(len(message) + OVERHEAD))
            packet[PAYLOAD : PAYLOAD + len(message)] = message
            wire += packet[: self.sealer.seal(packet, 0, len(message))]
        return wire

    def send(self, *messages: bytes) -> ScriptedClient:
        """Send them in one read."""
        self.server.dataReceived(self.seal(*messages))
        return self

    def receive(self) -> list[bytes]:
        """Let the server's turn end, and take in all it wrote."""
        self.clock.advance(0)
        self._received += self.socket.value()
        self.socket.clear()
        if not self.server_version:
            if b"\n" not in self._received:
                return self.messages
            self.server_version, _, self._received = self._received.partition(b"\r\n")
        self._open()
        return self.messages

    def _open(self) -> None:
        while True:
            wire = memoryview(bytearray(self._received))
            opened = self.opener.open(wire, 0, len(wire))
            if opened is None:
                return
            self._received = bytes(wire[opened[0] :])
            message = bytes(wire[opened[1] : opened[2]])
            self.messages.append(message)
            if message[0] == 21:
                self._switch()

    def take(self, *kinds: int) -> list[bytes]:
        """All messages of these kinds (or all at all) that came since the last call."""
        self.receive()
        taken = [message for message in self.messages if not kinds or message[0] in kinds]
        self.messages = []
        return taken

    # -- key exchange --------------------------------------------------------------------------------------------------

    def kexinit(self, **changes: Any) -> bytes:
        """The client's KEXINIT."""
        values: dict[str, Any] = dict(
            key_exchanges=self.kex_names,
            host_keys=(b"ssh-ed25519",),
            ciphers_in=(self.cipher,),
            ciphers_out=(self.cipher,),
            macs_in=(self.mac,),
            macs_out=(self.mac,),
        )
        values.update(changes)
        self.proposal = Proposal(**values)
        self.our_kexinit = b"\x14" + self.proposal.encode()
        return self.our_kexinit

    def identify(self) -> ScriptedClient:
        """Send the version."""
        self.server.dataReceived(self.version + b"\r\n")
        return self

    def init(self) -> bytes:
        """The first message of the exchange itself."""
        self.secret = x25519.X25519PrivateKey.generate()
        self.public = self.secret.public_key().public_bytes_raw()
        return b"\x1e" + NS(self.public)

    def exchange(self, newkeys: bool = True) -> ScriptedClient:
        """Exchange keys, from KEXINIT to NEWKEYS."""
        self.send(self.kexinit())
        self.send(self.init())
        self.finish_exchange()
        if newkeys:
            self.send(b"\x15")
            self.use_new_keys()
        return self

    def finish_exchange(self) -> None:
        """Take in the server's KEXINIT and its reply, and derive the keys."""
        self.receive()
        theirs = next(message for message in self.messages if message[0] == 20)
        reply = next(message for message in self.messages if message[0] == 31)
        self._derive(theirs, reply)
        self._open()  # what followed NEWKEYS was under the keys just derived

    def _derive(self, theirs: bytes, reply: bytes) -> None:
        host_key, public, signature, _ = getNS(reply[1:], 3)
        shared = self.secret.exchange(x25519.X25519PublicKey.from_public_bytes(public))
        secret = MP(int.from_bytes(shared, "big"))
        parts = (self.version, self.server_version, self.our_kexinit, theirs, host_key, self.public, public)
        digest = sha256(b"".join(map(NS, parts)) + secret).digest()
        assert key("host").public().verify(signature, digest)
        self.host_key = host_key
        self.session_id = self.session_id or digest
        agreement = agree(self.proposal, Proposal.parse(theirs[1:]))
        derive = key_material(b"curve25519-sha256", secret, digest, self.session_id)
        self._incoming: Suite = agreement.outgoing
        self._next_sealer: Any = agreement.incoming.sealer(derive, b"ACE", 0)
        self._next_opener: Any = agreement.outgoing.opener(derive, b"BDF", 0)
        if any(message[0] == 21 for message in self.messages):
            self._switch()

    def _switch(self) -> None:
        opener = self.__dict__.pop("_next_opener", None)
        if opener is None:
            # NEWKEYS came before the keys were derived: nothing behind it can be read yet.
            self.opener = _Sealed(self.opener.sequence)
            return
        opener.sequence = 0 if self.strict else self.opener.sequence
        self.opener = opener

    def use_new_keys(self) -> None:
        """What we send from now on is under the new keys."""
        self._next_sealer.sequence = 0 if self.strict else self.sealer.sequence
        self.sealer = self._next_sealer

    # -- login ---------------------------------------------------------------------------------------------------------

    def start_auth(self) -> ScriptedClient:
        """Up to the acceptance of ``ssh-userauth``."""
        self.identify().exchange()
        self.send(b"\x05" + NS(b"ssh-userauth"))
        return self

    def auth_request(
        self, user: Key, signed_by: Key | None, username: bytes = b"v2", algorithm: bytes = b"ssh-ed25519"
    ) -> bytes:
        """A request with a public key; signed, or asking whether it would do."""
        blob = user.public().blob()
        head = b"\x32" + NS(username) + NS(b"ssh-connection") + NS(b"publickey")
        tail = NS(algorithm) + NS(blob)
        if signed_by is None:
            return head + b"\0" + tail
        signature = signed_by.sign(NS(self.session_id) + head + b"\1" + tail)
        return head + b"\1" + tail + NS(signature)

    def login(self) -> ScriptedClient:
        """All of it: afterwards the gateway is there."""
        self.start_auth()
        self.send(self.auth_request(key("user"), key("user")))
        assert self.take(52), "the login failed"
        return self

    # -- channels ------------------------------------------------------------------------------------------------------

    def confirm(self, opened: bytes, remote: int, window: int = 1 << 21, limit: int = 32768) -> int:
        """Confirm a ``forwarded-tcpip`` channel; return the server's number."""
        number = channel_number(opened)
        self.send(struct.pack(">BIIII", 91, number, remote, window, limit))
        return number

    def open_session(self, remote: int = 5, window: int = 1 << 20) -> int:
        """Open a session; return the server's number."""
        self.send(b"\x5a" + NS(b"session") + struct.pack(">III", remote, window, 32768))
        return struct.unpack(">II", self.take(91)[0][1:9])[1]

    def request(self, number: int, name: bytes, data: bytes = b"", wants_answer: bool = True) -> None:
        """A channel request."""
        self.send(struct.pack(">BI", 98, number) + NS(name) + bytes((wants_answer,)) + data)

    def disconnect_text(self) -> str:
        """Why the server has disconnected."""
        return next(getNS(message[5:])[0].decode() for message in self.take(1))

    def lose(self) -> None:
        """The connection breaks."""
        self.server.connectionLost(Failure(ConnectionDone()))


class _Sealed:
    """Stands where keys are missing."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def open(self, *ignored: Any) -> None:
        return None


def channel_number(opened: bytes) -> int:
    """The server's number in its CHANNEL_OPEN."""
    return struct.unpack(">I", getNS(opened[1:])[1][:4])[0]


def data(number: int, payload: bytes) -> bytes:
    """A CHANNEL_DATA message."""
    return struct.pack(">BI", 94, number) + NS(payload)
