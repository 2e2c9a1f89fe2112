"""
Amazon Data Firehose: one record an event, each with a line break behind it, since Firehose puts records together as they
are.
"""

from __future__ import annotations

from base64 import b64encode

from zope.interface import implementer, provider

from ngrok_twisted.observability.amazon import Amazon
from ngrok_twisted.observability.destination import DestinationContext
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind
from ngrok_twisted.records.event_destination import Firehose


@implementer(IEventDestination)
@provider(IEventDestinationKind)
class FirehoseDestination:
    """
    PutRecordBatch (Amazon Data Firehose API reference): at most 500 records, of 1000 KiB each and 4 MiB together.
    """

    name = "firehose"
    Config = Firehose
    limits = BatchLimits()

    def __init__(self, config: Firehose, context: DestinationContext) -> None:
        self._amazon = Amazon(config.auth, config.delivery_stream_arn, "Firehose_20150804", "FIREHOSE", context)

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        records = [{"Data": b64encode(event.body + b"\n").decode("ascii")} for event in events]
        arguments = {"DeliveryStreamName": self._amazon.resource.partition("/")[2], "Records": records}
        result = await self._amazon.call("PutRecordBatch", arguments)
        if not result.get("FailedPutCount"):
            return ()
        return tuple(event for event, told in zip(events, result.get("RequestResponses", ())) if told.get("ErrorCode"))
