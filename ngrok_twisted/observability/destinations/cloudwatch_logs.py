"""
Amazon CloudWatch Logs: one log event an event, in a stream that is named after this machine and made at first use.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger
from zope.interface import implementer, provider

from ngrok_twisted.observability.amazon import Amazon, AmazonError
from ngrok_twisted.observability.destination import DestinationContext
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind
from ngrok_twisted.records.event_destination import CloudwatchLogs

KIB = 1024

#: Bytes that each event costs besides its text.
_OVERHEAD = 26

#: Seconds that the events of one batch may lie apart.
_SPAN = 24 * 60 * 60

_MISSING, _THERE = "ResourceNotFoundException", "ResourceAlreadyExistsException"


@implementer(IEventDestination)
@provider(IEventDestinationKind)
class CloudwatchLogsDestination:
    """
    PutLogEvents (Amazon CloudWatch Logs API reference): 1 MiB together, 256 KiB each, in the order of time and within a
    day.
    """

    _log = Logger()

    name = "cloudwatch_logs"
    Config = CloudwatchLogs
    limits = BatchLimits(event_bytes=256 * KIB, overhead=_OVERHEAD)

    def __init__(self, config: CloudwatchLogs, context: DestinationContext) -> None:
        self._amazon = Amazon(config.auth, config.log_group_arn, "Logs_20140328", "CLOUDWATCH_LOGS", context)
        group = self._amazon.resource.removeprefix("log-group:").removesuffix(":*")
        # Colons and asterisks may not stand in the name of a stream.
        node = context.node.replace(":", "_").replace("*", "_")
        self._stream = {"logGroupName": group, "logStreamName": f"ngrok_twisted/{node}"}

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        in_time = sorted(events, key=lambda event: event.seconds)  # a clock may be set back
        batch = [event for event in in_time if event.seconds - in_time[0].seconds < _SPAN]
        told = [{"timestamp": int(event.seconds * 1000), "message": event.body.decode("ascii")} for event in batch]
        result = await self._put({**self._stream, "logEvents": told})
        rejected = result.get("rejectedLogEventsInfo")
        if rejected:
            self._log.warn("{group} takes no events of this age: {rejected}", group=self._amazon.arn, rejected=rejected)
        return tuple(in_time[len(batch) :])

    async def _put(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._amazon.call("PutLogEvents", arguments)
        except AmazonError as error:
            if error.name != _MISSING:
                raise
        try:
            await self._amazon.call("CreateLogStream", self._stream)
        except AmazonError as error:
            if error.name != _THERE:
                raise
        return await self._amazon.call("PutLogEvents", arguments)
