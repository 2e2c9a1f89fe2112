"""
Tests for `ngrok_twisted.observability.destinations.cloudwatch_logs`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.amazon import AmazonError
from ngrok_twisted.observability.destinations.cloudwatch_logs import CloudwatchLogsDestination
from ngrok_twisted.observability.events import Event
from ngrok_twisted.records.event_destination import CloudwatchLogs
from tests.observability.targets import NOW, FakePoster, context, event
from tests.observability.test_amazon import CREDS

ARN = "arn:aws:logs:eu-west-1:123456789012:log-group:/edge/events:*"
MISSING = (400, {"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."})
THERE = (400, {"__type": "ResourceAlreadyExistsException", "message": "The specified log stream already exists"})


class CloudwatchLogsTests(SynchronousTestCase):
    """PutLogEvents."""

    def send(self, *answers: Any, events: tuple[Event, ...] = (event(),)) -> Deferred[tuple[Event, ...]]:
        """Send events to a group that gives these answers."""
        self.poster = FakePoster(*answers)
        destination = CloudwatchLogsDestination(CloudwatchLogs(auth=CREDS, log_group_arn=ARN), context(self.poster))
        return Deferred.fromCoroutine(destination.send(events))

    def called(self) -> list[str]:
        """The operations, in order."""
        return [headers["x-amz-target"].partition(".")[2] for _, headers, _ in self.poster.posts]

    def test_events(self) -> None:
        """Each event is a log event, in the order of time, in a stream of this machine."""
        events = (event(2, seconds=NOW + 1.25), event(1))
        self.assertEqual(self.successResultOf(self.send((200, {}), events=events)), ())
        ((url, _, body),) = self.poster.posts
        self.assertEqual(url, "https://logs.eu-west-1.amazonaws.com/")
        told = json.loads(body)
        self.assertEqual((told["logGroupName"], told["logStreamName"]), ("/edge/events", "ngrok_twisted/node_1"))
        times = [(one["timestamp"], json.loads(one["message"])["event_id"]) for one in told["logEvents"]]
        self.assertEqual(times, [(NOW * 1000, "ev_1"), (NOW * 1000 + 1250, "ev_2")])

    def test_stream_is_made(self) -> None:
        """A stream that is not there is made, also if somebody else does so at the same time."""
        for made in ((200, b""), THERE):
            self.assertEqual(self.successResultOf(self.send(MISSING, made, (200, {}))), ())
            self.assertEqual(self.called(), ["PutLogEvents", "CreateLogStream", "PutLogEvents"])

    def test_no_group(self) -> None:
        """A group that is not there is not made."""
        error = self.failureResultOf(self.send(MISSING), AmazonError).value
        self.assertIn("ResourceNotFoundException", error.sentence)
        self.assertEqual(self.called(), ["PutLogEvents", "CreateLogStream"])

    def test_other_errors(self) -> None:
        """Other errors are not answered with a stream."""
        denied = (400, {"__type": "AccessDeniedException", "message": "no"})
        self.failureResultOf(self.send(denied), AmazonError)
        self.assertEqual(self.called(), ["PutLogEvents"])

    def test_days(self) -> None:
        """Events that lie more than a day apart do not go together."""
        late = event(2, seconds=NOW + 24 * 60 * 60)
        self.assertEqual(self.successResultOf(self.send((200, {}), events=(event(1), late))), (late,))
