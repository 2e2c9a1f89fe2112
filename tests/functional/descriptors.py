"""
Waiting for descriptors, however many the process has: ``select(2)`` knows none above 1023.
"""

from __future__ import annotations

import selectors
from typing import Any, Iterable


def readable(seconds: float, *sources: Any) -> list[Any]:
    """
    Wait until one of these can be read.

    :param seconds: for so long at most.
    :return: those that can be; none if the time is over.
    """
    return ready_for(seconds, sources, ())[0]


def ready_for(seconds: float, sources: Iterable[Any], sinks: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """
    Wait until one of these can be read, or one of those written.

    :param seconds: for so long at most.
    :return: those that can be read, and those that can be written.
    """
    wanted: dict[Any, int] = {}
    for source in sources:
        wanted[source] = selectors.EVENT_READ
    for sink in sinks:
        wanted[sink] = wanted.get(sink, 0) | selectors.EVENT_WRITE
    with selectors.PollSelector() as selector:
        for thing, events in wanted.items():
            selector.register(thing, events)
        found = [(key.fileobj, events) for key, events in selector.select(seconds)]
    return (
        [thing for thing, events in found if events & selectors.EVENT_READ],
        [thing for thing, events in found if events & selectors.EVENT_WRITE],
    )
