"""
`Circuit`: a circuit breaker on Hystrix's model, as a state machine without I/O; whoever asks it brings the time.

::

    CLOSED ── enough of the last requests failed ──▶ OPEN ── `tripped` seconds later, the next request ──▶ HALF_OPEN
       ▲                                              ▲                                                      │
       │                                              └─────── the probe failed, or was abandoned ───────────┤
       └────────────────────── the probe succeeded; the counts start anew ───────────────────────────────────┘

Requests are counted in a ring of buckets, so that old ones leave the window a bucket at a time. What a request comes to
counts only while the circuit is in the state that let the request pass: an answer that was under way when the circuit opened
neither closes it nor spoils the counts after it. (Netflix/Hystrix, "How it Works", and its ``HystrixCircuitBreaker``.)

It is asked at every request, which is why it is plain attributes and comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"

#: What becomes of a request, in the words of ngrok's event field ``circuit_breaker.decision``.
ALLOW, BLOCK, ALLOW_WHILE_OPEN = "allow", "block", "allow_while_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitLimits:
    """
    :ivar error_threshold: the share of failures, 0.0 to 1.0, above which the circuit opens.
    :ivar inclusive: it opens at exactly that share, too.
    :ivar volume: how many requests must be in the window before it may open.
    :ivar window: how long a request counts, in seconds.
    :ivar buckets: how many parts the window moves on in.
    :ivar tripped: seconds that it stays open before one request may try again.
    """

    error_threshold: float
    inclusive: bool = False
    volume: int
    window: float
    buckets: int
    tripped: float


class Circuit:
    """
    One circuit.

    :ivar limits: its `CircuitLimits`.
    :ivar state: `CLOSED`, `OPEN` or `HALF_OPEN`.
    :ivar epoch: changes with every change of state; a request keeps the one that it passed in, for `record`.
    :ivar total: requests in the window; ``errors`` of them failed.
    """

    __slots__ = (
        "limits",
        "state",
        "epoch",
        "total",
        "errors",
        "_since",
        "_width",
        "_tick",
        "_position",
        "_totals",
        "_errors",
        "__weakref__",
    )

    def __init__(self, limits: CircuitLimits) -> None:
        self.limits = limits
        self.state = CLOSED
        self.epoch = 0
        self._since = 0.0
        self._width = limits.window / limits.buckets
        self._tick = 0
        self._clear()

    def ask(self, now: float) -> str:
        """
        May a request pass? After `ALLOW_WHILE_OPEN` the circuit waits for the outcome of this one; if there is
        none within the time that it stays open, another may try.

        :param now: seconds, on the clock that all calls use.
        """
        if self.state == CLOSED:
            return ALLOW
        if self.seconds_left(now) > 0:
            return BLOCK
        self._enter(HALF_OPEN, now)
        return ALLOW_WHILE_OPEN

    def record(self, epoch: int, failed: bool, now: float) -> bool:
        """
        What a request came to.

        :param epoch: of the circuit when the request passed, after `ask`.
        :return: whether this changed the state.
        """
        if epoch != self.epoch:
            return False
        if self.state == CLOSED:
            self._count(failed, now)
            if self.total < self.limits.volume or not self._too_many():
                return False
            failed = True
        self._enter(OPEN if failed else CLOSED, now)
        return True

    def abandon(self, epoch: int, now: float) -> None:
        """A request that passed ended without an outcome. A probe says nothing then: the circuit stays open as long again."""
        if epoch == self.epoch and self.state == HALF_OPEN:
            self._enter(OPEN, now)

    def seconds_left(self, now: float) -> float:
        """How long, in seconds, a circuit that is not closed will let nobody pass; 0.0 or less: somebody may."""
        if now < self._since:
            self._since = now  # the clock was set back: nobody has to wait for that, too
        return self._since + self.limits.tripped - now

    def counts(self, now: float) -> tuple[int, int]:
        """``total`` and ``errors`` at this moment, though nobody may have asked for long. Nothing is decided by looking."""
        tick = int(now / self._width)
        if tick > self._tick:
            self._move_to(tick)
        return self.total, self.errors

    def _enter(self, state: str, now: float) -> None:
        self.state = state
        self.epoch += 1
        self._since = now
        if state == CLOSED:
            self._clear()

    def _too_many(self) -> bool:
        share, bearable = self.errors / self.total, self.limits.error_threshold
        return share > bearable or self.limits.inclusive and share == bearable

    def _clear(self) -> None:
        self.total = self.errors = self._position = 0
        self._totals = [0] * self.limits.buckets
        self._errors = [0] * self.limits.buckets

    def _count(self, failed: bool, now: float) -> None:
        tick = int(now / self._width)
        if tick != self._tick:
            self._move_to(tick)
        position = self._position
        self.total += 1
        self._totals[position] += 1
        if failed:
            self.errors += 1
            self._errors[position] += 1

    def _move_to(self, tick: int) -> None:
        """Let the buckets go that have left the window. A clock that was set back lets none go: they age from here on."""
        size = self.limits.buckets
        for _ in range(min(tick - self._tick, size)):
            self._position = position = (self._position + 1) % size
            self.total -= self._totals[position]
            self.errors -= self._errors[position]
            self._totals[position] = self._errors[position] = 0
        self._tick = tick
