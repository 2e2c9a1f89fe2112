"""
What a worker tells of what happens in it, so that it comes out where all of the server's does: events and lines of the log.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from zope.interface import implementer

from ngrok_twisted.crew.wire import Handler, Wire
from ngrok_twisted.event_types import TRAFFIC
from ngrok_twisted.net.stalls import Stalls
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.publisher import subscribed
from ngrok_twisted.observability.scraping import Elsewhere, circuits_of
from ngrok_twisted.records.base import Snapshot

EVENT, LINE, USED, KEYS, NUMBERS = "event", "log", "used", "fresh keys", "numbers"


class ToldEvents:
    """
    The publisher, as a worker has it: what nobody subscribed to is not even sent.

    :ivar traffic: whether anybody subscribed to traffic at all.
    """

    def __init__(self, wire: Wire) -> None:
        """
        :param wire: to the main process.
        """
        self.traffic = False
        self._wire = wire
        self._index: Mapping[tuple[str, str], Any] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Follow these records from now on."""
        self._index = subscribed(snapshot)
        self.traffic = any(type in TRAFFIC for _, type in self._index)

    def wants(self, account_id: str, type: str) -> bool:
        """Whether anybody subscribed to this type of event of the account."""
        return (account_id, type) in self._index

    def publish(
        self, type: str, account_id: str, object: Mapping[str, Any], principal: Mapping[str, Any] | None = None
    ) -> None:
        """See `ngrok_twisted.observability.publisher.Publisher`. What the main process is too busy for is dropped."""
        if (account_id, type) in self._index and not self._wire.is_busy:
            self._wire.send(EVENT, (type, account_id, object, principal))


def told_log(wire: Wire) -> ILogObserver:
    """
    An observer of the log of a worker. What is only for debugging is dropped when the main process is too busy.

    :param wire: to the main process.
    """

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info)
        if level is LogLevel.debug and wire.is_busy:
            return
        text = formatEvent(event)
        failure = event.get("log_failure")
        if failure is not None:
            text = f"{text}\n{failure.getTraceback()}"
        wire.send(LINE, (level.name, str(event.get("log_namespace", "")), text))

    return observe


def report_handlers(
    place: int, publisher: Any, used: Callable[[str, float], None], fresh_keys: Callable[[], Any]
) -> Mapping[str, Handler]:
    """
    What the wire to a worker needs in the main process.

    :param place: the worker's.
    :param publisher: the `ngrok_twisted.observability.publisher.Publisher`.
    :param used: see `ngrok_twisted.iam.last_use.LastUse`.
    :param fresh_keys: see `ngrok_twisted.iam.checkers.SSHKeyChecker`. Keys that were found are sent before the answer.
    """
    return {
        EVENT: lambda said, _: publisher.publish(*said),
        USED: lambda said, _: used(*said),
        KEYS: lambda said, _: fresh_keys(),
        LINE: lambda said, _: _say(place, *said),
    }


def _say(place: int, level: str, namespace: str, text: str) -> None:
    found = LogLevel.lookupByName(level)
    Logger(namespace=namespace).emit(found, "(worker {place}) {text}", place=place, text=text)


def keys_asked(wire: Wire) -> Callable[[], Deferred[Any]]:
    """What an SSH key checker of a worker asks for new keys."""
    return lambda: wire.ask(KEYS).addCallback(lambda _: None)


def numbers(
    place: int, flows: FlowMetrics, visitors: Mapping[str, int], kept: Mapping[Any, Any], turns: Any
) -> Elsewhere:
    """
    What a worker adds to the metrics.

    :param flows: what it has counted.
    :param visitors: how many are connected, by protocol.
    :param kept: what modules keep, among it their circuits.
    :param turns: the `ngrok_twisted.net.stalls.Stalls` of its reactor.
    """
    seen = Stalls()
    seen.add(turns)
    turns.take_longest()
    return Elsewhere(
        place=place,
        flows=flows,
        visitors=dict(visitors),
        circuits={route: circuit.state for route, circuit in circuits_of(kept).items()},
        turns=seen,
        seconds=sum(os.times()[:2]),
        memory=_resident(),
    )


def _resident() -> int:
    """Bytes of memory of this process; 0 where the system does not tell (proc(5), statm)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
