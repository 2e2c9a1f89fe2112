"""
Requests of the server to the agent: one JSON object, and one in reply where the kind has a reply (spec 4, 8.2, 8.3).

Agents of the Go family do not end their side behind a reply, and some never answer, so that a reply ends with its object and
is waited for only so long.
"""

from __future__ import annotations

from typing import Any, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError

from ngrok_twisted.transports.agent import json_object
from ngrok_twisted.transports.agent.json_object import BadObject, ObjectReader
from ngrok_twisted.transports.agent.typed import ControlStream, Conversation, StreamType

#: Bytes of a reply: it holds little more than a sentence.
MOST_REPLY = 64 * 1024


class Unanswered(Exception):
    """The agent ended the stream without a reply that can be read. The text says what it did."""


class Notice(Conversation):
    """Something that the agent is told, and that it does not answer."""

    def begin(self, stream: ControlStream, kind: StreamType, message: Mapping[str, Any], patience: float) -> None:
        """
        :param patience: seconds after which the stream is given up, if the agent has not ended it.
        """
        stream.wait(patience, ControlStream.give_up)
        stream.send((kind.word, json_object.write(message)), fin=True)


class Command(Conversation):
    """
    Something that the agent is to do, and to answer.
    """

    def __init__(self, patience: float) -> None:
        """
        :param patience: seconds after which the stream is given up, if the agent has not ended it behind its reply.
        """
        self._patience = patience
        self._reader = ObjectReader(MOST_REPLY)
        self._result: Deferred[dict[str, Any]] | None = None

    def begin(
        self, stream: ControlStream, kind: StreamType, message: Mapping[str, Any], timeout: float
    ) -> Deferred[dict[str, Any]]:
        """
        :param timeout: seconds for the reply.
        :return: a Deferred that fires with the reply; it fails with `Unanswered`, `StreamReset`,
            `twisted.internet.error.TimeoutError`, or `TunnelLost` if the connection was lost. It can be cancelled.
        """
        result: Deferred[dict[str, Any]] = Deferred(lambda _: self._abandon(stream))
        self._result = result
        stream.wait(timeout, self._too_slow)
        stream.send((kind.word, json_object.write(message)))
        return result

    def received(self, stream: ControlStream, data: bytes) -> None:
        """`Conversation`."""
        if self._result is None:
            return
        try:
            reply = self._reader.feed(data)
        except BadObject as bad:
            self._fail(stream, Unanswered(f"its reply is bad: {bad}"))
            return
        if reply is not None:
            stream.wait(self._patience, ControlStream.give_up)
            stream.send((), fin=True)
            self._done().callback(reply)

    def finished(self, stream: ControlStream) -> None:
        """`Conversation`."""
        stream.relax()
        if self._result is not None:
            self._fail(stream, Unanswered("it ended the stream without a reply"))

    def lost(self, stream: ControlStream, error: Exception) -> None:
        """`Conversation`."""
        if self._result is not None:
            self._done().errback(error)

    def _too_slow(self, stream: ControlStream) -> None:
        self._fail(stream, TimeoutError("no reply in time"))

    def _fail(self, stream: ControlStream, error: Exception) -> None:
        result = self._done()
        self._abandon(stream)
        result.errback(error)

    def _abandon(self, stream: ControlStream) -> None:
        self._result = None
        stream.send((), fin=True)
        stream.give_up()

    def _done(self) -> Deferred[dict[str, Any]]:
        result, self._result = self._result, None
        assert result is not None
        return result
