"""
Tests for `ngrok_twisted.observability.destinations.datadog`.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.observability.destinations.datadog import DatadogDestination
from ngrok_twisted.observability.events import Event
from ngrok_twisted.records.event_destination import Datadog
from tests.observability.targets import FakePoster, context, event


class DatadogTests(SynchronousTestCase):
    """The intake of logs."""

    def send(self, answer: Any = (202, {}), **config: str) -> Deferred[tuple[Event, ...]]:
        """Send two events to a Datadog that gives this answer."""
        self.poster = FakePoster(answer)
        self.destination = DatadogDestination(Datadog(api_key="hush", **config), context(self.poster))
        return Deferred.fromCoroutine(self.destination.send((event(1), event(2))))

    def test_logs(self) -> None:
        """Each event is a log with the service and the tags of the destination, compressed."""
        self.assertEqual(self.successResultOf(self.send(service="edge", ddtags="a:b,c:d", ddsite="datadoghq.eu")), ())
        ((url, headers, body),) = self.poster.posts
        self.assertEqual(url, "https://http-intake.logs.datadoghq.eu/api/v2/logs")
        self.assertEqual((headers["dd-api-key"], headers["content-encoding"]), ("hush", "gzip"))
        first, second = json.loads(gzip.decompress(body))
        self.assertEqual((first["event_id"], second["event_id"]), ("ev_1", "ev_2"))
        self.assertEqual((first["service"], first["ddtags"], first["ddsource"]), ("edge", "a:b,c:d", "ngrok"))
        self.assertEqual(first["object"], {})

    def test_sparing(self) -> None:
        """Without a site, a service and tags it is the first site, and logs have neither."""
        self.successResultOf(self.send())
        ((url, _, body),) = self.poster.posts
        self.assertEqual(url, "https://http-intake.logs.datadoghq.com/api/v2/logs")
        self.assertFalse({"service", "ddtags"} & json.loads(gzip.decompress(body))[0].keys())

    def test_overhead(self) -> None:
        """What is added to each event counts for the size of batches."""
        self.successResultOf(self.send(ddtags="x" * 500))
        self.assertGreater(self.destination.limits.overhead, 500)

    def test_errors(self) -> None:
        """A key that is not taken has ngrok's number for it; other refusals have none, and trouble passes."""
        for status, code in ((403, 5132), (401, 5132), (400, None)):
            refused = self.failureResultOf(self.send((status, {"errors": ["not hush"]})), DestinationRefused).value
            self.assertEqual(refused.code, code)
            self.assertNotIn("hush", refused.sentence)
        self.failureResultOf(self.send((429, {})), DestinationBusy)
