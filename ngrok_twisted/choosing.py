"""
Which of several equal targets gets a flow: `Load`, what is known of one target, and `Chooser`.

Members take turns, and each turn is compared with a member drawn at random: the one with fewer open flows gets it. Among
members that are equally busy that is round robin; where one of them is slow or has long streams, it is the power of two
choices (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996). Either way a choice costs the same
for two members and for thousands.

Pure: nothing here waits, or looks at a clock.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Iterator, Sequence

if TYPE_CHECKING:
    from ngrok_twisted.flow import Flow

SECONDS = 1.0

#: How long a target that could not be reached is left alone, as long as there is another one. It is the ``fail_timeout`` of
#: nginx: long enough that few visitors wait for nothing, short enough that a service that is up again soon gets its share.
REST = 10 * SECONDS

_NEVER = float("-inf")


class Load:
    """
    :ivar target: the `ngrok_twisted.interfaces.ITarget` that it is about.
    :ivar flows: how many flows are with it now.
    :ivar missed_at: seconds on the clock when it could last not be reached; minus infinity if it was reached since.
    """

    __slots__ = ("target", "flows", "missed_at")

    def __init__(self, target: Any) -> None:
        self.target = target
        self.flows = 0
        self.missed_at = _NEVER

    def reached(self) -> None:
        """It answers: whatever was before is forgotten."""
        self.missed_at = _NEVER

    def rests(self, now: float) -> bool:
        """
        Whether it is to be left alone.

        :param now: seconds on the clock.
        """
        return self.missed_at + REST > now


class Chooser:
    """
    Chooses among the members of one group, whoever they are at the time.
    """

    __slots__ = ("_random", "_turn")

    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._turn = int(random.random() * 0xFFFF)

    def candidates(self, members: Sequence[Load], flow: Flow) -> Iterator[Any]:
        """
        The targets in the order to try: the one chosen, then the others that are not resting, the least busy first, and at
        last those that are, beginning with the one that has rested longest. The flow is counted with each while it is there.

        :param members: at least one.
        """
        load = self.first(members, flow.started)
        flow.go_to(load)
        yield load.target
        left = list(members)
        while len(left) > 1:
            left.remove(load)
            now = max(flow.started, load.missed_at)  # it has just been missed
            load = min(left, key=lambda other: (other.missed_at if other.rests(now) else _NEVER, other.flows))
            flow.go_to(load)
            yield load.target

    def first(self, members: Sequence[Load], now: float) -> Load:
        """
        The one to try first.

        :param members: at least one.
        :param now: seconds on the clock.
        """
        count = len(members)
        if count == 1:
            return members[0]
        self._turn = turn = (self._turn + 1) % count
        one = members[turn]
        other = members[
            turn - 1 - int(self._random() * (count - 1))
        ]  # any but the one: an index below 0 counts from the end
        since = now - REST
        if one.missed_at > since:
            return self._awake(members, now) if other.missed_at > since else other
        return one if one.flows <= other.flows or other.missed_at > since else other

    def any(self, members: Sequence[Load], now: float) -> Load:
        """
        One at random, that does not rest if there is such a one: for members that cannot be compared.

        :param members: at least one.
        :param now: seconds on the clock.
        """
        load = members[int(self._random() * len(members))]
        if not load.rests(now):
            return load
        awake = [load for load in members if not load.rests(now)] or members
        return awake[int(self._random() * len(awake))]

    def _awake(self, members: Sequence[Load], now: float) -> Load:
        """The less busy of two that are drawn from those who do not rest, or from all where everyone does."""
        awake = [load for load in members if not load.rests(now)] or members
        one, other = (awake[int(self._random() * len(awake))] for _ in range(2))
        return one if one.flows <= other.flows else other
