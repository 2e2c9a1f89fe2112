"""
Global requests of the client, answered in the order they came in, whenever each answer is known.

Answers carry no number, so the client tells them apart by order alone: a keepalive that is answered before a forward
that still waits makes OpenSSH take the one for the other (spec/ssh-tunnels.md section 8.1; RFC 4254 section 4).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable

from twisted.conch.ssh.common import NS
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.publickey import BadKey, Fields

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

# Bytes of the address in a forward request: a host name with room to spare, or a path.
MAX_ADDRESS = 1024

_SUCCESS = bytes((81,))
_FAILURE = bytes((82,))


class Answer:
    """The place of one answer in the queue."""

    __slots__ = ("message", "_queue")

    def __init__(self, queue: Answers) -> None:
        self.message: bytes | None = None
        self._queue = queue

    def give(self, message: bytes) -> None:
        """The answer is known: it is sent as soon as all before it are."""
        if self.message is None:
            self.message = message
            self._queue.advance()


class Answers:
    """
    The client's requests that wait for their answers, oldest first.
    """

    __slots__ = ("_send", "_limit", "_waiting")

    def __init__(self, send: Callable[[bytes], None], limit: int) -> None:
        """
        :param send: sends a message.
        :param limit: requests that may wait.
        """
        self._send = send
        self._limit = limit
        self._waiting: list[Answer] = []  # short, and smaller than a deque while idle

    def reserve(self) -> Answer | None:
        """:return: the next place; ``None`` when too many wait."""
        if len(self._waiting) >= self._limit:
            return None
        answer = Answer(self)
        self._waiting.append(answer)
        return answer

    def advance(self) -> None:
        """Send what is known."""
        waiting = self._waiting
        while waiting and waiting[0].message is not None:
            self._send(waiting.pop(0).message or b"")


class GlobalRequests:
    """
    Serves one client's global requests (RFC 4254 sections 4 and 7.1).
    """

    __slots__ = ("_connection", "_answers")
    _log = Logger()

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers = Answers(connection.transport.send, connection.limits.max_pending_requests)

    def received(self, payload: bytes) -> None:
        """
        ``SSH_MSG_GLOBAL_REQUEST``.

        :raises PacketError: too many wait for their answers.
        """
        fields = Fields(payload)
        name, wants_answer = fields.string(), fields.raw(1) != b"\0"
        answer: Callable[[bytes], None] = _ignore
        if wants_answer:
            place = self._answers.reserve()
            if place is None:
                raise PacketError(PROTOCOL_ERROR, "too many requests wait for their answers")
            answer = place.give
        serve = self._REQUESTS.get(name)
        if serve is None:
            # keepalive@openssh.com is among these: any answer will do.
            answer(_FAILURE)
            return
        try:
            serve(self, fields, answer)
        except BadKey:
            answer(_FAILURE)

    def _tcpip_forward(self, fields: Fields, answer: Callable[[bytes], None]) -> None:
        address, port = self._forward_address(fields)

        def granted(allocated: int) -> None:
            # The port is told only where the client left it to us (RFC 4254 section 7.1).
            answer(_SUCCESS + struct.pack(">I", allocated) if port == 0 else _SUCCESS)

        def refused(failure: Failure) -> None:
            if not failure.check(Refused, CancelledError):
                self._log.failure(
                    "ssh {peer}: a forward could not be made", failure=failure, peer=self._connection.peer_host
                )
            answer(_FAILURE)

        asked = maybeDeferred(self._connection.gateway.forward_requested, address, port)
        asked.addCallback(granted).addErrback(refused)

    def _cancel_forward(self, fields: Fields, answer: Callable[[bytes], None]) -> None:
        address, port = self._forward_address(fields)
        cancelled = False
        try:
            cancelled = self._connection.gateway.forward_cancelled(address, port)
        except Exception:
            self._log.failure("ssh {peer}: a forward could not be cancelled", peer=self._connection.peer_host)
        answer(_SUCCESS if cancelled else _FAILURE)

    def _forward_address(self, fields: Fields) -> tuple[bytes, int]:
        address, port = fields.string(), int.from_bytes(fields.raw(4), "big")
        fields.end()
        if len(address) > MAX_ADDRESS or port > 65535:
            raise BadKey("no such address")
        return address, port

    def _end_sessions(self, fields: Fields, answer: Callable[[bytes], None]) -> None:
        self._connection.no_more_sessions = True
        answer(_SUCCESS)

    def _prove_host_keys(self, fields: Fields, answer: Callable[[bytes], None]) -> None:
        """OpenSSH's PROTOCOL section 2.5: sign the session's identifier with each of the keys named."""
        known = {key.public().blob(): key for key in self._connection.transport.factory.host_keys}
        signatures = b""
        asked = 0
        while fields.left:
            blob = fields.string()
            key = known.get(blob)
            asked += 1
            if key is None or asked > len(known):
                raise BadKey("not one of our host keys")
            algorithm = b"rsa-sha2-512" if key.sshType() == b"ssh-rsa" else key.sshType()
            message = NS(b"hostkeys-prove-00@openssh.com") + NS(self._connection.transport.sessionID or b"") + NS(blob)
            signatures += NS(key.sign(message, signatureType=algorithm))
        if not signatures:
            raise BadKey("no key was named")
        answer(_SUCCESS + signatures)

    _REQUESTS: dict[bytes, Callable[[GlobalRequests, Fields, Callable[[bytes], None]], None]] = {
        b"tcpip-forward": _tcpip_forward,
        b"cancel-tcpip-forward": _cancel_forward,
        b"no-more-sessions@openssh.com": _end_sessions,
        b"hostkeys-prove-00@openssh.com": _prove_host_keys,
    }


def _ignore(message: bytes) -> None:
    """The client wants no answer."""
