"""
Stand-ins for what is on the other side: a poster that sends nothing, and a target that does as it is told.
"""

from __future__ import annotations

import json
from typing import Any, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ngrok_twisted.observability.destination import DestinationContext
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event, make_event
from ngrok_twisted.observability.posting import Posted

#: The moment at which tests begin: 2015-08-30 12:36:00 in UTC, as in Amazon's own examples.
NOW = 1_440_938_160.0


class FakePoster:
    """
    :ivar posts: the URL, the headers and the body of everything that was sent.
    """

    def __init__(self, *answers: tuple[int, Any]) -> None:
        """
        :param answers: the status and the body (bytes, or what becomes JSON) of each answer, in order; the last one stays.
        """
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self._answers = list(answers) or [(200, {})]

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Posted:
        """As `ngrok_twisted.observability.posting.Poster.post`."""
        self.posts.append((url, dict(headers), body))
        status, told = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return Posted(status, told if isinstance(told, bytes) else json.dumps(told).encode())


async def at_once(work: Any, *arguments: Any) -> Any:
    """Stands in for a thread."""
    return work(*arguments)


def context(poster: Any, clock: Clock | None = None, **environment: str) -> DestinationContext:
    """What a target is given."""
    return DestinationContext(
        poster=poster,
        now=clock.seconds if clock is not None else lambda: NOW,
        in_thread=at_once,
        environment=environment,
        node="node:1",
        account_id="ac_1",
    )


def event(number: int = 1, traffic: bool = False, size: int = 0, seconds: float = NOW) -> Event:
    """
    An event.

    :param size: of its body, in bytes; 0 for as it comes.
    """
    made = make_event(f"ev_{number}", "test", "ac_1", seconds, {}, None, traffic)
    padding = max(0, size - len(made.body))
    return make_event(
        f"ev_{number}", "test", "ac_1", seconds, {"": "x" * (padding - 5)} if padding else {}, None, traffic
    )


class Target:
    """
    An `IEventDestination` whose answers are given by the test.

    :ivar sent: the ids of each batch.
    """

    def __init__(self, *outcomes: Any, limits: BatchLimits = BatchLimits()) -> None:
        """
        :param outcomes: of each batch in order: an exception, a number of events that are left, or a Deferred; then all
            are taken.
        """
        self.limits = limits
        self.sent: list[list[str]] = []
        self._outcomes: list[Any] = list(outcomes)

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        self.sent.append(ids(events))
        outcome = self._outcomes.pop(0) if self._outcomes else 0
        if isinstance(outcome, Deferred):
            outcome = await outcome
        if isinstance(outcome, Exception):
            raise outcome
        return events[len(events) - outcome :]


def ids(events: Iterable[Event]) -> list[str]:
    """Their ids."""
    return [event.id for event in events]
