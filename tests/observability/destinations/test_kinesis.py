"""
Tests for `ngrok_twisted.observability.destinations.kinesis`.
"""

from __future__ import annotations

import json
from base64 import b64decode

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.destinations.kinesis import KinesisDestination
from ngrok_twisted.records.event_destination import Kinesis
from tests.observability.targets import FakePoster, context, event
from tests.observability.test_amazon import ARN, CREDS


class KinesisTests(SynchronousTestCase):
    """PutRecords."""

    def setUp(self) -> None:
        self.events = (event(1), event(2), event(3))

    def send(self, answer: object) -> tuple[object, ...]:
        """What is left of the events after this answer."""
        self.poster = FakePoster((200, answer))
        destination = KinesisDestination(Kinesis(auth=CREDS, stream_arn=ARN), context(self.poster))
        return self.successResultOf(Deferred.fromCoroutine(destination.send(self.events)))

    def test_records(self) -> None:
        """Each event is a record, and its id the partition key."""
        self.assertEqual(self.send({"FailedRecordCount": 0}), ())
        ((_, headers, body),) = self.poster.posts
        self.assertEqual(headers["x-amz-target"], "Kinesis_20131202.PutRecords")
        told = json.loads(body)
        self.assertEqual(told["StreamARN"], ARN)
        self.assertEqual([b64decode(record["Data"]) for record in told["Records"]], [one.body for one in self.events])
        self.assertEqual([record["PartitionKey"] for record in told["Records"]], ["ev_1", "ev_2", "ev_3"])

    def test_part(self) -> None:
        """Records that failed are left, in their order."""
        failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
        records = [failed, {"SequenceNumber": "1", "ShardId": "s"}, failed]
        self.assertEqual(self.send({"FailedRecordCount": 2, "Records": records}), (self.events[0], self.events[2]))
