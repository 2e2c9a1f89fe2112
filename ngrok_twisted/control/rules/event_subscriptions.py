"""
What must hold for event subscriptions.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.document import join
from ngrok_twisted.event_types import EVENT_TYPES
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.event_destination import EventDestination
from ngrok_twisted.records.event_subscription import EventSubscription
from ngrok_twisted.schema import suggestion

#: Destinations of one subscription.
DESTINATIONS_MAX = 10


@implementer(IRecordRules)
class EventSubscriptionRules:
    """Known types, each once, to destinations of the account."""

    name = EventSubscription.family

    def problems(self, record: EventSubscription, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        seen = set()
        for number, source in enumerate(record.sources):
            path = join(join("sources", number), "type")
            if source.type not in EVENT_TYPES:
                yield Problem(path, f"is no event type{suggestion(source.type, EVENT_TYPES)}", code=238)
            elif source.type in seen:
                yield Problem(path, f"{source.type} is there already", code=5127)
            seen.add(source.type)
        if len(record.destination_ids) > DESTINATIONS_MAX:
            yield Problem("destination_ids", f"may be at most {DESTINATIONS_MAX}", code=5126)
        for number, id in enumerate(record.destination_ids):
            found = around.records.get(EventDestination, id)
            if found is None or found.account_id != record.account_id:
                yield Problem(join("destination_ids", number), f"there is no event destination {id}", code=5103)


rules = EventSubscriptionRules()
