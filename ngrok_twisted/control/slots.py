"""
`SlotMemory`: which random name or port was last given to whom, so that a reconnect gets it again.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import Any

#: Wishes that are remembered; beyond it the oldest is forgotten. An entry takes about 300 bytes.
WISHES_MAX = 20_000


class SlotMemory:
    """
    Remembers a host and a port for a credential and a slot: for as long as they are in use, and some time after. A name
    is remembered with port 0, since it serves several schemes.
    """

    def __init__(self, clock: Any, keep: float) -> None:
        """
        :param clock: an `IReactorTime`.
        :param keep: seconds a place is remembered after it was left.
        """
        self._clock = clock
        self._keep = keep
        self._places: OrderedDict[tuple[str, str], tuple[str, int, float]] = OrderedDict()
        self._left: dict[tuple[str, int], float] = {}

    def note(self, credential_id: str, slot: str | None, host: str, port: int) -> None:
        """The place is in use from now on."""
        self._left.pop((host, port), None)
        self._put(credential_id, slot, (host, port, inf))

    def leave(self, credential_id: str, slot: str | None, host: str, port: int) -> None:
        """The place is no longer in use."""
        until = self._clock.seconds() + self._keep
        self._put(credential_id, slot, (host, port, until))
        self._left[host, port] = until
        if len(self._left) > WISHES_MAX:
            del self._left[next(iter(self._left))]

    def recall(self, credential_id: str, slot: str | None) -> tuple[str, int] | None:
        """The host and port last given for this wish, if that is not too long ago."""
        if slot is None:
            return None
        host, port, until = self._places.get((credential_id, slot), ("", 0, -inf))
        return (host, port) if until > self._clock.seconds() else None

    def was_just_left(self, host: str, port: int) -> bool:
        """Whether someone may still come back for this place."""
        return self._left.get((host, port), -inf) > self._clock.seconds()

    def _put(self, credential_id: str, slot: str | None, place: tuple[str, int, float]) -> None:
        if slot is None:
            return
        self._places[credential_id, slot] = place
        self._places.move_to_end((credential_id, slot))
        if len(self._places) > WISHES_MAX:
            self._places.popitem(last=False)
