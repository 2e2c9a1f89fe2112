"""
Datadog Logs: one log an event.
"""

from __future__ import annotations

import gzip
import json

from zope.interface import implementer, provider

from ngrok_twisted.observability.destination import DestinationContext, judge
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind
from ngrok_twisted.records.event_destination import Datadog

#: By this Datadog chooses the pipeline of a log; the events are of the shape that ngrok's have.
SOURCE = "ngrok"

DEFAULT_SITE = "datadoghq.com"

#: ngrok's number for a key that Datadog does not take.
KEY_REFUSED = 5132

#: Fast, and half as good again as nothing better: events repeat themselves.
_COMPRESSION = 1


@implementer(IEventDestination)
@provider(IEventDestinationKind)
class DatadogDestination:
    """
    The intake of logs, version 2 (Datadog API reference, "Send logs"): an array of at most 1000 logs, of 1 MB each and 5 MB
    together before compression, which happens in a thread, since a batch of 1 MiB takes 20 ms.
    """

    name = "datadog"
    Config = Datadog

    def __init__(self, config: Datadog, context: DestinationContext) -> None:
        self._config = config
        self._poster = context.poster
        self._in_thread = context.in_thread
        base = f"https://http-intake.logs.{config.ddsite or DEFAULT_SITE}"
        self._url = context.base_url(base, "DATADOG_ENDPOINT_URL") + "/api/v2/logs"
        added = {"ddsource": SOURCE, "service": config.service, "ddtags": config.ddtags}
        given = {name: value for name, value in added.items() if value}
        # Every event is an object with at least one field, so that it goes on behind these.
        self._start = json.dumps(given, separators=(",", ":")).encode("ascii")[:-1] + b","
        self.limits = BatchLimits(overhead=len(self._start))

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        body = await self._in_thread(self._composed, events)
        headers = {
            "content-type": "application/json",
            "content-encoding": "gzip",
            "dd-api-key": self._config.api_key or "",
        }
        answer = await self._poster.post(self._url, headers, body)
        judge(answer.status, answer.text, self._config, KEY_REFUSED if answer.status in (401, 403) else None)
        return ()

    def _composed(self, events: tuple[Event, ...]) -> bytes:
        logs = b"[" + b",".join(self._start + event.body[1:] for event in events) + b"]"
        return gzip.compress(logs, _COMPRESSION)
