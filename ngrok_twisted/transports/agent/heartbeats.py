"""
Heartbeats: the agent's words are written back, and words of our own ask for a sign of life (spec 5).

A word is four bytes that mean nothing. The agent opens one stream for its own and needs them back; we open one for ours when
somebody first asks.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Callable

from twisted.internet.defer import Deferred

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.transports.agent.typed import ControlStream, Conversation

WORD = struct.Struct(">I")

#: Bytes of words that may wait for an agent which does not take them back; it then has no heartbeat any more. An agent sends
#: one word in ten seconds and reads it at once.
MOST_UNREAD = 1024

#: Words of ours that may be on their way; whoever asks while there are more hears of the last of them.
MOST_PROBES = 16


class Words(Conversation):
    """
    Cuts what comes into words.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        """
        :param heard: called for each word, or several that came together: the agent lives.
        """
        self._heard = heard
        self._partial = b""

    def received(self, stream: ControlStream, data: bytes) -> None:
        """`Conversation`."""
        data = self._partial + data
        whole = len(data) - len(data) % WORD.size
        self._partial = data[whole:]
        if whole:
            stream.credit(whole)
            self._heard()
            self.words(stream, data[:whole])

    def words(self, stream: ControlStream, words: bytes) -> None:
        """
        :param words: at least one.
        """
        raise NotImplementedError


class Echo(Words):
    """The agent's words come back to it."""

    def words(self, stream: ControlStream, words: bytes) -> None:
        """`Words`."""
        stream.send((words,))
        if stream.unread > MOST_UNREAD:
            stream.give_up()

    def finished(self, stream: ControlStream) -> None:
        """`Conversation`."""
        stream.send((), fin=True)


class Probes(Words):
    """
    Words of ours, each one more than the last, so that an answer says which it answers.

    The stream is never ended by us: an agent of the Rust family would write zeros without end (spec 3.8, L4).
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        super().__init__(heard)
        self._last = 0
        self._waiting: deque[tuple[int, list[Deferred[None]]]] = deque()

    def probe(self, stream: ControlStream) -> Deferred[None]:
        """
        :return: a Deferred that fires with ``None`` when the word comes back, and fails with `TunnelLost` if none can. It may
            be cancelled.
        """
        result: Deferred[None] = Deferred()
        if len(self._waiting) >= MOST_PROBES:
            # One that was cancelled keeps its place: its answer still comes.
            self._waiting[-1][1].append(result)
            return result
        self._last = self._last % 0xFFFFFFFF + 1
        self._waiting.append((self._last, [result]))
        stream.send((WORD.pack(self._last),))
        return result

    def words(self, stream: ControlStream, words: bytes) -> None:
        """`Words`. One that is not ours answers nothing."""
        for (word,) in WORD.iter_unpack(words):
            if any(sent == word for sent, _ in self._waiting):
                self._answered(word)

    def _answered(self, word: int) -> None:
        """This one, and those before it."""
        sent = 0
        while sent != word and self._waiting:
            sent, results = self._waiting.popleft()
            for result in results:
                if not result.called:
                    result.callback(None)

    def finished(self, stream: ControlStream) -> None:
        """`Conversation`: it answers no more."""
        stream.give_up()

    def lost(self, stream: ControlStream, error: Exception) -> None:
        """`Conversation`."""
        waiting, self._waiting = self._waiting, deque()
        for _, results in waiting:
            for result in results:
                if not result.called:
                    result.errback(TunnelLost())
