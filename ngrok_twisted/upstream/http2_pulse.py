"""
`Pulse`: whether the other end of a connection is still there, and when a connection that nobody uses is let go.
"""

from __future__ import annotations

from typing import Any, Callable

from ngrok_twisted.net.timeouts import IdleWatch

SECONDS = 1.0
MINUTES = 60 * SECONDS

#: For the service's settings, which are the first that it says.
SETTINGS_TIMEOUT = 10 * SECONDS

#: Silence, while a request waits for its answer, until the service is asked for a sign of life, and for that to come.
PING_AFTER = 15 * SECONDS
PING_TIMEOUT = 15 * SECONDS

#: In a longer silence it is asked again after this time only: gRPC's servers close connections of those who ask more often
#: than every 5 minutes while there is nothing to answer (gRPC proposal A8).
PING_INTERVAL = 5 * MINUTES + 10 * SECONDS

#: How long a connection may wait for the next request, as in HTTP/1.1.
LINGER = 30 * SECONDS

# What is waited for: the settings; the next request; the next byte of an answer; the answer to a ping.
_SETTINGS, _REQUEST, _ANSWER, _PING = range(4)


def _nothing() -> None:
    """Nobody is there to be told."""


class Pulse:
    """
    One timer for one connection.

    :ivar moved: part of an answer came since the last ping.
    """

    __slots__ = (
        "moved",
        "_clock",
        "_linger",
        "_ask",
        "_dead",
        "_unused",
        "_waits_for",
        "_since",
        "_asked_at",
        "_watch",
    )

    def __init__(
        self,
        clock: Any,
        linger: float,
        ask: Callable[[], object],
        dead: Callable[[], object],
        unused: Callable[[], object],
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param linger: seconds that the connection may wait for a request.
        :param ask: sends a ping.
        :param dead: called, once, when the other end is no longer there.
        :param unused: called, once, when there was no request for as long as may be.
        """
        self.moved = False
        self._clock = clock
        self._linger = linger
        self._ask = ask
        self._dead = dead
        self._unused = unused
        self._waits_for = _SETTINGS
        self._since = 0.0
        self._asked_at = clock.seconds() - PING_INTERVAL
        self._watch = IdleWatch(clock, SETTINGS_TIMEOUT, self._quiet)

    def heard(self) -> None:
        """Something came."""
        if self._waits_for == _PING:
            self._wait(_ANSWER, PING_AFTER)
        elif self._waits_for == _ANSWER:
            self._watch.touch()

    def busy(self) -> None:
        """There are requests, and the settings have come."""
        if self._waits_for == _REQUEST and self._watch.timeout == PING_AFTER:
            self._waits_for = _ANSWER  # a request after the other: the timer runs on
            self._watch.touch()
        elif self._waits_for in (_SETTINGS, _REQUEST):
            self._wait(_ANSWER, PING_AFTER)

    def resting(self) -> None:
        """There is no request, and the settings have come."""
        self._since = self._clock.seconds()
        if self._watch.timeout != PING_AFTER:
            self._watch.change(PING_AFTER)
        self._waits_for = _REQUEST

    def stop(self) -> None:
        """The connection is over, and let go of: it would otherwise be kept by what it keeps."""
        self._watch.stop()
        self._ask = self._dead = self._unused = _nothing

    def _wait(self, what: int, seconds: float) -> None:
        self._waits_for = what
        self._watch.change(seconds)

    def _quiet(self) -> None:
        now = self._clock.seconds()
        if self._waits_for == _REQUEST:
            left = self._since + self._linger - now
            if left > 0:
                self._watch.change(left)
            else:
                self._unused()
        elif self._waits_for != _ANSWER:
            self._dead()
        elif self.moved or now - self._asked_at >= PING_INTERVAL:
            self.moved = False
            self._asked_at = now
            self._wait(_PING, PING_TIMEOUT)
            self._ask()
        else:
            self._wait(_ANSWER, PING_AFTER)
