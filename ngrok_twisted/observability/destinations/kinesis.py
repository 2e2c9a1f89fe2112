"""
Amazon Kinesis Data Streams: one record an event.
"""

from __future__ import annotations

from base64 import b64encode

from zope.interface import implementer, provider

from ngrok_twisted.observability.amazon import Amazon
from ngrok_twisted.observability.destination import DestinationContext
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind
from ngrok_twisted.records.event_destination import Kinesis

#: Bytes of a partition key, which count too: an event's id.
_KEY_BYTES = 32


@implementer(IEventDestination)
@provider(IEventDestinationKind)
class KinesisDestination:
    """
    PutRecords (Amazon Kinesis API reference): at most 500 records, of 1 MiB each and 5 MiB together. The event's id is the
    partition key, so that the shards share the load.
    """

    name = "kinesis"
    Config = Kinesis
    limits = BatchLimits(overhead=_KEY_BYTES)

    def __init__(self, config: Kinesis, context: DestinationContext) -> None:
        self._amazon = Amazon(config.auth, config.stream_arn, "Kinesis_20131202", "KINESIS", context)

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        records = [{"Data": b64encode(event.body).decode("ascii"), "PartitionKey": event.id} for event in events]
        result = await self._amazon.call("PutRecords", {"StreamARN": self._amazon.arn, "Records": records})
        if not result.get("FailedRecordCount"):
            return ()
        # A record fails when its shard has no capacity left, or by a fault of Amazon's.
        return tuple(event for event, told in zip(events, result.get("Records", ())) if told.get("ErrorCode"))
