"""
`Runtime`: all that a kind may reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """
    :ivar reactor: the reactor, or a test's clock.
    :ivar random: randomness that is not for secrets.
    :ivar http: a treq-like client, or ``None`` where there is none.
    :ivar publish: ``publish(event)`` hands a dict to the event publisher and never waits.
    :ivar state: the state directory as a `twisted.python.filepath.FilePath`.
    """

    reactor: Any
    random: Random
    http: Any = None
    publish: Callable[[dict[str, Any]], None] = lambda event: None
    state: Any = None
