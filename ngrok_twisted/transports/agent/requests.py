"""
Requests of the agent: one JSON object each way on a stream of its own (spec 4.1).

A request goes through four states: it is read, asked of the owner, answered, and read by the agent. The agent's FIN is the sign
of the last, which the owner of an endpoint waits for: what is sent to the agent before is often lost (spec 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.agent import json_object
from ngrok_twisted.transports.agent.json_object import BadObject, ObjectReader
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.messages import BAD_AUTH, BAD_BIND, BAD_REQUEST
from ngrok_twisted.transports.agent.replies import error_text
from ngrok_twisted.transports.agent.typed import ControlStream, Conversation, StreamType

#: ngrok's numbers for requests that cannot be read.
_UNREADABLE = {
    StreamType.AUTH: BAD_AUTH,
    StreamType.BIND: BAD_BIND,
    StreamType.START_TUNNEL_WITH_LABEL: BAD_BIND,
}

TOO_SLOW = "The server could not answer in time. Please try again."
BROKEN = "The server could not serve this request, because of a fault of its own."
BUSY = "Too many large requests were made at once. Please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    What the agent is told.

    :ivar message: with all the members that its kind needs.
    :ivar when_read: called once when the agent has read it, or is taken to have. Not called if the connection ends before.
    """

    message: Mapping[str, Any] = field(repr=False)
    when_read: Callable[[], object] | None = None


class Asking(Protocol):
    """
    The connection, as its requests see it.

    :ivar limits: its bounds.
    :ivar held: bytes of its unfinished requests and unread replies.
    """

    limits: AgentLimits
    held: int

    def ask(self, kind: StreamType, message: dict[str, Any]) -> Reply | Deferred[Reply]:
        """
        Serve a request of the agent.

        :return: the reply. A Deferred is cancelled when nobody waits for it any more, and may fail with `Refused`.
        :raises Refused: the agent is told why.
        """

    def do(self, work: Callable[[], object]) -> None:
        """Do something for the agent, as soon as it is its turn: see `ngrok_twisted.net.shares.Shares.do`."""

    def abort(self) -> None:
        """End the connection at once."""


class Request(Conversation):
    """
    One request.
    """

    _log = Logger()

    def __init__(self, kind: StreamType, connection: Asking, limit: int) -> None:
        """
        :param limit: bytes that it may have.
        """
        self._kind = kind
        self._connection = connection
        self._reader: ObjectReader | None = ObjectReader(limit)
        self._message: dict[str, Any] | None = None
        self._answer: Deferred[Reply] | None = None
        self._when_read: Callable[[], object] | None = None
        self._held = 0

    # -- read ----------------------------------------------------------------------------------------------------------

    def received(self, stream: ControlStream, data: bytes) -> None:
        """`Conversation`. What follows the object is nobody's, and draws no credit."""
        reader = self._reader
        if reader is None:
            return
        try:
            message = reader.feed(data)
        except BadObject as bad:
            self._refuse(stream, Refused(_UNREADABLE.get(self._kind, BAD_REQUEST), f"The request is bad: {bad}."))
            return
        if not self._hold(reader.size):
            self._refuse(stream, Refused(None, BUSY))
        elif message is None:
            stream.credit(len(data))
        else:
            self._reader = None
            self._message = message
            stream.wait(self._connection.limits.answer_timeout, self._too_slow)
            self._connection.do(lambda: self._ask(stream))

    def finished(self, stream: ControlStream) -> None:
        """`Conversation`."""
        if self._reader is not None:
            self._refuse(stream, Refused(_UNREADABLE.get(self._kind, BAD_REQUEST), "The request has no end."))
        elif stream.sent_fin:
            self._read(stream)

    # -- asked ---------------------------------------------------------------------------------------------------------

    def _ask(self, stream: ControlStream) -> None:
        message, self._message = self._message, None
        if message is None:  # it took too long, or the stream is gone
            return
        self._hold(0)
        try:
            answer = self._connection.ask(self._kind, message)
        except Exception:
            self._failed(Failure(), stream)
            return
        if isinstance(answer, Reply):
            self._reply(stream, answer)
            return
        self._answer = answer
        answer.addCallbacks(self._answered, self._no_answer, (stream, answer), {}, (stream, answer))

    def _answered(self, reply: Reply, stream: ControlStream, answer: Deferred[Reply]) -> None:
        if self._answer is answer:
            self._answer = None
            self._reply(stream, reply)

    def _no_answer(self, failure: Failure, stream: ControlStream, answer: Deferred[Reply]) -> None:
        if self._answer is answer:
            self._answer = None
            self._failed(failure, stream)

    def _too_slow(self, stream: ControlStream) -> None:
        self._log.warn("agent: no answer to {kind} in time", kind=self._kind.name)
        self._forget_answer()
        self._refuse(stream, Refused(None, TOO_SLOW))

    def _forget_answer(self) -> None:
        self._message = None
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()

    # -- answered ------------------------------------------------------------------------------------------------------

    def _failed(self, failure: Failure, stream: ControlStream) -> None:
        if isinstance(failure.value, Refused):
            self._refuse(stream, failure.value)
        else:
            self._log.failure("agent: {kind} could not be served", failure, kind=self._kind.name)
            self._refuse(stream, Refused(None, BROKEN))

    def _refuse(self, stream: ControlStream, refused: Refused) -> None:
        self._reader = None
        stream.relax()
        self._reply(stream, Reply(message=refusal(self._kind, refused)))

    def _reply(self, stream: ControlStream, reply: Reply) -> None:
        self._when_read = reply.when_read
        stream.send((self._text(reply),), fin=True)
        if stream.unread:
            stream.wait(self._connection.limits.patience, ControlStream.give_up)
        if not self._hold(stream.unread):
            self._log.warn("agent: it does not read the replies to its requests")
            self._connection.abort()

    def _text(self, reply: Reply) -> bytes:
        try:
            return json_object.write(reply.message)
        except (TypeError, ValueError):
            self._log.failure("agent: the reply to {kind} is no JSON", kind=self._kind.name)
            return json_object.write(refusal(self._kind, Refused(None, BROKEN)))

    def sent(self, stream: ControlStream) -> None:
        """`Conversation`."""
        self._hold(0)
        if self._when_read is None:
            self._settled(stream)
        else:
            stream.wait(self._connection.limits.settling, self._settled)

    # -- read by the agent ---------------------------------------------------------------------------------------------

    def _settled(self, stream: ControlStream) -> None:
        self._read(stream)
        if not stream.gone:
            stream.wait(self._connection.limits.patience, ControlStream.give_up)

    def _read(self, stream: ControlStream) -> None:
        stream.relax()
        when_read, self._when_read = self._when_read, None
        if when_read is None or stream.mux.closed:
            return
        try:
            when_read()
        except Exception:
            self._log.failure("agent: what follows {kind} could not be done", kind=self._kind.name)

    def lost(self, stream: ControlStream, error: Exception) -> None:
        """`Conversation`. If there is a reply, nobody waits any more until the agent has read it."""
        self._reader = None
        self._hold(0)
        self._forget_answer()
        self._read(stream)

    def _hold(self, size: int) -> bool:
        """
        Say how many bytes are held for this request now.

        :return: whether all requests together hold no more than they may.
        """
        connection = self._connection
        connection.held += size - self._held
        self._held = size
        return not size or connection.held <= connection.limits.max_held


def refusal(kind: StreamType, refused: Refused) -> dict[str, Any]:
    """
    :return: the reply to a request that is refused (spec 6.1, 9).
    """
    reply = {"Error": error_text(refused)}
    return {"Version": "", "ClientId": ""} | reply if kind is StreamType.AUTH else reply
