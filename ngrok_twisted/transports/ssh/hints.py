"""
`Hints`: who was shown how to reconnect, so that nobody reads it twice a day.
"""

from __future__ import annotations

from typing import Any

SECONDS = 1

#: How long a hint is not repeated.
PAUSE = 24 * 3600 * SECONDS
#: Credentials that are remembered; with more, the one that was told first may be told again.
MAX_REMEMBERED = 10_000


class Hints:
    """A memory of credentials."""

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        self._told: dict[str, float] = {}

    def wanted(self, credential_id: str) -> bool:
        """Whether the user of this credential should be told now; asking counts as telling."""
        now = self._clock.seconds()
        last = self._told.get(credential_id)
        if last is not None and now - last < PAUSE:
            return False
        self._told.pop(credential_id, None)
        self._told[credential_id] = now
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
