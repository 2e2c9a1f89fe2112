"""
`EventQueue`: the events that wait for one destination. It is bounded, and forgets the oldest traffic first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ngrok_twisted.observability.events import Event

KIB = 1024
MIB = 1024 * KIB

#: Events that wait for one destination. A request makes one of about 600 bytes, so that both bounds are met at about the
#: same time; a server of 1000 requests a second rides out ten seconds, one that only audits rides out weeks.
QUEUE_EVENTS = 10_000
QUEUE_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """
    What a target takes in one request. The defaults are less than any takes, so that a batch is made within milliseconds.

    :ivar events: how many events.
    :ivar bytes: their size together.
    :ivar event_bytes: the size of one.
    :ivar overhead: bytes that are added to each.
    """

    events: int = 500
    bytes: int = MIB
    event_bytes: int = 1000 * KIB
    overhead: int = 1


class EventQueue:
    """
    First in, first out. Traffic and audit events stand in two lines, so that what must go is found at once.
    """

    def __init__(self, most_events: int = QUEUE_EVENTS, most_bytes: int = QUEUE_BYTES) -> None:
        """
        :param most_events: the bound on how many wait.
        :param most_bytes: the bound on their size together.
        """
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._audit: deque[tuple[int, Event]] = deque()
        self._traffic: deque[tuple[int, Event]] = deque()
        self._number = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._audit) + len(self._traffic)

    def put(self, event: Event) -> int:
        """
        Add an event at the end.

        :return: how many others, or this one, had to go for it.
        """
        self._number += 1
        (self._traffic if event.traffic else self._audit).append((self._number, event))
        self.size += len(event.body)
        dropped = 0
        while len(self) > self._most_events or self.size > self._most_bytes:
            _, oldest = (self._traffic or self._audit).popleft()
            self.size -= len(oldest.body)
            dropped += 1
        return dropped

    def fills(self, limits: BatchLimits) -> bool:
        """Whether there is enough for a whole batch."""
        return len(self) >= limits.events or self.size + len(self) * limits.overhead >= limits.bytes

    def take(self, limits: BatchLimits) -> tuple[tuple[Event, ...], int]:
        """
        Take the oldest events out, as many as fit into one batch.

        :return: the events, and how many were thrown away because none of the target's batches can hold them.
        """
        batch: list[Event] = []
        size, too_large = 0, 0
        while len(self) and len(batch) < limits.events:
            line = self._older()
            event = line[0][1]
            cost = len(event.body) + limits.overhead
            fits = cost <= min(limits.event_bytes, limits.bytes)
            if fits and size + cost > limits.bytes:
                break
            line.popleft()
            self.size -= len(event.body)
            if fits:
                batch.append(event)
                size += cost
            else:
                too_large += 1
        return tuple(batch), too_large

    def _older(self) -> deque[tuple[int, Event]]:
        """The line whose first event came first."""
        if not self._audit or not self._traffic:
            return self._audit or self._traffic
        return self._audit if self._audit[0][0] < self._traffic[0][0] else self._traffic
