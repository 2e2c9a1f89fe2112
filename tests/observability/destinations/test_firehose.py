"""
Tests for `ngrok_twisted.observability.destinations.firehose`.
"""

from __future__ import annotations

import json
from base64 import b64decode

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.destinations.firehose import FirehoseDestination
from ngrok_twisted.records.event_destination import Firehose
from tests.observability.targets import FakePoster, context, event
from tests.observability.test_amazon import CREDS

ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/events"


class FirehoseTests(SynchronousTestCase):
    """PutRecordBatch."""

    def setUp(self) -> None:
        self.events = (event(1), event(2))

    def send(self, answer: object) -> tuple[object, ...]:
        """What is left of the events after this answer."""
        self.poster = FakePoster((200, answer))
        destination = FirehoseDestination(Firehose(auth=CREDS, delivery_stream_arn=ARN), context(self.poster))
        return self.successResultOf(Deferred.fromCoroutine(destination.send(self.events)))

    def test_records(self) -> None:
        """Each event is a line."""
        self.assertEqual(self.send({"FailedPutCount": 0}), ())
        ((url, headers, body),) = self.poster.posts
        self.assertEqual(url, "https://firehose.eu-west-1.amazonaws.com/")
        self.assertEqual(headers["x-amz-target"], "Firehose_20150804.PutRecordBatch")
        told = json.loads(body)
        self.assertEqual(told["DeliveryStreamName"], "events")
        lines = [b64decode(record["Data"]) for record in told["Records"]]
        self.assertEqual(lines, [one.body + b"\n" for one in self.events])

    def test_part(self) -> None:
        """Records that failed are left."""
        responses = [{"RecordId": "1"}, {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"}]
        self.assertEqual(self.send({"FailedPutCount": 1, "RequestResponses": responses}), (self.events[1],))
