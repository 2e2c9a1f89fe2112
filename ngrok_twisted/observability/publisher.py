"""
`Publisher`: from something that happened to the destinations that subscribed to it.

What is subscribed to is worked out when records change; an event costs one look-up, and nothing at all where nobody wants
it. What waits is held in memory: a server that stops sends for a few seconds, and forgets the rest.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ngrok_twisted.event_types import TRAFFIC
from ngrok_twisted.observability.delivery import Delivery
from ngrok_twisted.observability.destination import (
    DestinationContext,
    DestinationRefused,
    NoDestination,
    make_destination,
)
from ngrok_twisted.observability.events import Event, make_event
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.event_destination import EventDestination
from ngrok_twisted.records.event_subscription import EventSubscription
from ngrok_twisted.records.ids import NewIds

SECONDS = 1

# Of the 30 s that a process usually has to end, visitors need most.
DRAIN_TIMEOUT = 5 * SECONDS

#: The prefix of events' ids.
PREFIX = "ev"

#: The type of events that only show that a destination works.
TEST = "test"


class Publisher(Service):
    """
    :ivar traffic: whether anybody subscribed to traffic at all.
    """

    _log = Logger()

    def __init__(self, context: DestinationContext, clock: Any, random: Random) -> None:
        """
        :param context: what targets are given; their account is filled in.
        :param clock: an ``IReactorTime`` whose seconds are those since the epoch.
        """
        self.traffic = False
        self._context = context
        self._clock = clock
        self._random = random
        self._new_id = NewIds(clock.seconds)
        self._index: Mapping[tuple[str, str], tuple[EventDestination, ...]] = {}
        self._records: tuple[Any, Any] = ({}, {})
        self._deliveries: dict[str, tuple[EventDestination, Delivery]] = {}
        self._before = (0, 0)

    # -- what is wanted ------------------------------------------------------------------------------------------------

    def update(self, snapshot: Snapshot) -> None:
        """Follow these records from now on."""
        tables = snapshot.tables
        records = (tables.get(EventSubscription.family, {}), tables.get(EventDestination.family, {}))
        if records == self._records:
            return
        self._records = records
        self._index = subscribed(snapshot)
        self.traffic = any(type in TRAFFIC for _, type in self._index)
        for id, (before, delivery) in tuple(self._deliveries.items()):
            now = snapshot.get(EventDestination, id)
            if now is None:
                del self._deliveries[id]
                lost = delivery.stop()
                self._before = (self._before[0] + delivery.sent, self._before[1] + delivery.dropped + lost)
                self._log.info("event destination {id} is gone, and {lost} events with it", id=id, lost=lost)
            elif now != before:
                self._deliveries[id] = (now, delivery)
                delivery.change(self._target(now))

    def wants(self, account_id: str, type: str) -> bool:
        """Whether anybody subscribed to this type of event of the account."""
        return (account_id, type) in self._index

    # -- what happens --------------------------------------------------------------------------------------------------

    def publish(
        self, type: str, account_id: str, object: Mapping[str, Any], principal: Mapping[str, Any] | None = None
    ) -> None:
        """
        Tell everybody who subscribed. It never waits.

        :param object: JSON-shaped data: what it happened to.
        :param principal: likewise: who did it.
        """
        destinations = self._index.get((account_id, type))
        if not destinations:
            return
        event = self._event(type, account_id, object, principal, type in TRAFFIC)
        for destination in destinations:
            self._delivery(destination).put(event)

    def counts(self) -> tuple[int, int]:
        """How many events were sent and how many lost since the start, to all destinations, those too that are gone."""
        deliveries = [delivery for _, delivery in self._deliveries.values()]
        sent, lost = self._before
        return sent + sum(one.sent for one in deliveries), lost + sum(one.dropped for one in deliveries)

    async def test(self, destination: EventDestination) -> str:
        """
        Send an event at once that says nothing, past all others. If the target takes it, what waits goes on.

        :param destination: may be one that is not in force.
        :return: the event's id.
        :raises DestinationRefused: the target does not take it.
        :raises DestinationBusy: the target cannot be reached, or takes nothing now.
        """
        event = self._event(TEST, destination.account_id, {}, None, False)
        await self._target(destination).send((event,))
        known, delivery = self._deliveries.get(destination.id, (None, None))
        if delivery is not None and known == destination:
            delivery.resume()
        return event.id

    def refusal(self, destination: EventDestination) -> str:
        """Why this server cannot send there at all; empty if it can."""
        target = self._target(destination)
        return target.refused.sentence if isinstance(target, NoDestination) else ""

    def _event(
        self,
        type: str,
        account_id: str,
        object: Mapping[str, Any],
        principal: Mapping[str, Any] | None,
        traffic: bool,
    ) -> Event:
        return make_event(self._new_id(PREFIX), type, account_id, self._clock.seconds(), object, principal, traffic)

    def _delivery(self, destination: EventDestination) -> Delivery:
        """The delivery to a destination, from its first event on."""
        found = self._deliveries.get(destination.id)
        if found is None:
            delivery = Delivery(destination.id, self._target(destination), self._clock, self._random)
            found = self._deliveries[destination.id] = (destination, delivery)
        return found[1]

    def _target(self, destination: EventDestination) -> Any:
        context = replace(self._context, account_id=destination.account_id)
        try:
            return make_destination(destination.target, context)
        except DestinationRefused as refused:
            return NoDestination(refused)

    # -- the end -------------------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """
        Send what waits, for `DRAIN_TIMEOUT` at most.

        :return: a Deferred that fires with ``None``.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        deliveries = [delivery for _, delivery in self._deliveries.values()]
        idle = [delivery.drain() for delivery in deliveries]
        enough = self._clock.callLater(DRAIN_TIMEOUT, lambda: [delivery.stop() for delivery in deliveries])
        for waiting in idle:
            await waiting
        if enough.active():
            enough.cancel()
        lost = sum(delivery.stop() for delivery in deliveries)
        if lost:
            self._log.warn("{lost} events could not be sent before the end", lost=lost)


def subscribed(snapshot: Snapshot) -> dict[tuple[str, str], tuple[EventDestination, ...]]:
    """The destinations of every type of event of every account; each stands once, however many subscriptions name it."""
    found: dict[tuple[str, str], dict[str, EventDestination]] = {}
    for subscription in snapshot.all(EventSubscription):
        for id in subscription.destination_ids:
            destination = snapshot.get(EventDestination, id)
            if destination is None or destination.account_id != subscription.account_id:
                continue
            for source in subscription.sources:
                found.setdefault((subscription.account_id, source.type), {})[id] = destination
    return {key: tuple(destinations.values()) for key, destinations in found.items()}
