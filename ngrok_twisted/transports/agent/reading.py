"""
`FairReading`: what an agent has sent is read a share at a time, so that nobody else waits long for the reactor.

Half a megabyte, which is what one read of the socket may bring, holds sixty bodies of visitors or sixty thousand frames that
do nothing. Counted is the time that they take, since that is what others wait for: bodies take a tenth of a share.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Iterable, Iterator, Sequence

from ngrok_twisted.net.shares import SHARE


class FairReading:
    """
    What stands between a connection's transport and its multiplexer.
    """

    __slots__ = ("_clock", "_go_on_later", "_transport", "_read", "_rest", "_resting")

    def __init__(
        self,
        clock: Any,
        go_on_later: Callable[[Callable[[], object]], None],
        transport: Any,
        read: Callable[[Iterable[Any]], object],
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param go_on_later: calls what it is given, soon: see `ngrok_twisted.net.shares.Shares.do`.
        :param transport: an `IPushProducer`; it is paused while there is something left to be read.
        :param read: takes buffers, as many as it is given, and does not raise.
        """
        self._clock = clock
        self._go_on_later = go_on_later
        self._transport = transport
        self._read = read
        self._rest: deque[Any] = deque()
        self._resting = False

    def take(self, buffers: Sequence[Any]) -> None:
        """
        Read what came, or a share of it now and the rest later.

        :param buffers: bytes-like objects, good during the call only.
        """
        if len(buffers) == 1 and not self._rest:
            self._read(buffers)
            return
        self._rest.extend(buffers)
        if not self._resting:
            self._go_on()

    def finish(self) -> None:
        """Read all there is: nothing more will come."""
        rest, self._rest = self._rest, deque()
        if rest:
            self._read(rest)

    def drop(self) -> None:
        """Forget what is left, and read nothing more: the transport is about to be closed."""
        self._rest.clear()
        self._resting = False

    def _go_on(self) -> None:
        self._read(self._share())
        if self._rest:
            self._rest = deque(map(bytes, self._rest))
            if not self._resting:
                self._resting = True
                self._transport.pauseProducing()
            self._go_on_later(self._go_on)
        elif self._resting:
            self._resting = False
            self._transport.resumeProducing()

    def _share(self) -> Iterator[Any]:
        rest, seconds = self._rest, self._clock.seconds
        end = seconds() + SHARE
        while rest:
            yield rest.popleft()
            if seconds() >= end:
                return
