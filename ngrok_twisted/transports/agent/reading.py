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
        self._rest: deque[Any] | None = None  # an empty one takes hundreds of bytes
        self._resting = False

    def take(self, buffers: Sequence[Any]) -> None:
        """
        Read what came, or a share of it now and the rest later.

        :param buffers: bytes-like objects, good during the call only.
        """
        if self._rest is not None:
            self._rest.extend(map(bytes, buffers))
        elif len(buffers) == 1:
            self._read(buffers)
        else:
            self._proceed(deque(buffers))

    def finish(self) -> None:
        """Read all there is: nothing more will come."""
        rest, self._rest = self._rest, None
        if rest is not None:
            self._read(rest)

    def drop(self) -> None:
        """Forget what is left, and read nothing more: the transport is about to be closed."""
        self._rest = None
        self._resting = False

    def _go_on(self) -> None:
        if self._rest is not None:
            self._proceed(self._rest)

    def _proceed(self, rest: deque[Any]) -> None:
        self._rest = rest
        self._read(self._share(rest))
        if self._rest is None:  # it was dropped on the way
            return
        if rest:
            if not self._resting:
                self._resting = True
                self._rest = deque(map(bytes, rest))
                self._transport.pauseProducing()
            self._go_on_later(self._go_on)
            return
        self._rest = None
        if self._resting:
            self._resting = False
            self._transport.resumeProducing()

    def _share(self, rest: deque[Any]) -> Iterator[Any]:
        seconds = self._clock.seconds
        end = seconds() + SHARE
        while rest:
            yield rest.popleft()
            if seconds() >= end:
                return
