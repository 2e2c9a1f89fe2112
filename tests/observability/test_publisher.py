"""
Tests for `ngrok_twisted.observability.publisher`.
"""

from __future__ import annotations

import gzip
import json
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.delivery import BATCH_WAIT
from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.observability.publisher import DRAIN_TIMEOUT, Publisher, subscribed
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.event_destination import (
    AWSAuth,
    AWSRole,
    Datadog,
    EventDestination,
    EventTarget,
    Kinesis,
)
from ngrok_twisted.records.event_subscription import EventSource, EventSubscription
from tests.observability.targets import FakePoster, context

MADE, GONE, REQUEST = "vault_created.v0", "vault_deleted.v0", "http_request_complete.v0"


def destination(id: str = "ed_1", account_id: str = "ac_1", key: str = "k") -> EventDestination:
    """A destination at Datadog."""
    return EventDestination(id=id, account_id=account_id, target=EventTarget(datadog=Datadog(api_key=key)))


def subscription(id: str, *types: str, to: tuple[str, ...] = ("ed_1",), account_id: str = "ac_1") -> EventSubscription:
    """A subscription to these types."""
    sources = tuple(EventSource(type=type) for type in types)
    return EventSubscription(id=id, account_id=account_id, sources=sources, destination_ids=to)


def snapshot(*records: Record) -> Snapshot:
    """These records."""
    return Snapshot().with_changes(map(Put, records))


class SubscribedTests(SynchronousTestCase):
    """Who wants what."""

    def test_index(self) -> None:
        """Types lead to destinations; one that two subscriptions name stands once."""
        one, two = destination(), destination("ed_2")
        found = subscribed(
            snapshot(one, two, subscription("esb_1", MADE, GONE), subscription("esb_2", MADE, to=("ed_1", "ed_2")))
        )
        self.assertEqual(found, {("ac_1", MADE): (one, two), ("ac_1", GONE): (one,)})

    def test_strangers(self) -> None:
        """Nothing goes to another account's destination, or to one that is not there."""
        found = subscribed(
            snapshot(
                destination(account_id="ac_2"), subscription("esb_1", MADE), subscription("esb_2", GONE, to=("ed_9",))
            )
        )
        self.assertEqual(found, {})


class PublisherTests(SynchronousTestCase):
    """Events to Datadog, as a poster that sends nothing sees them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.use(FakePoster((202, {})))
        self.records = snapshot(destination(), subscription("esb_1", MADE))
        self.publisher.update(self.records)

    def use(self, poster: Any) -> None:
        """A publisher that sends with this poster."""
        self.poster = poster
        self.publisher = Publisher(context(poster, self.clock), self.clock, Random(0))

    def sent(self) -> list[Any]:
        """Everything that Datadog got."""
        return [log for _, _, body in self.poster.posts for log in json.loads(gzip.decompress(body))]

    def test_published(self) -> None:
        """What somebody subscribed to is sent; other types and other accounts' events are not."""
        self.publisher.publish(MADE, "ac_1", {"a": 1}, {"id": "usr_1"})
        self.publisher.publish(GONE, "ac_1", {})
        self.publisher.publish(MADE, "ac_2", {})
        self.clock.advance(BATCH_WAIT)
        (log,) = self.sent()
        self.assertEqual((log["event_type"], log["account_id"], log["object"]), (MADE, "ac_1", {"a": 1}))
        self.assertRegex(log["event_id"], r"^ev_[0-9A-Za-z]{27}$")
        self.assertEqual(log["principal"], {"id": "usr_1"})

    def test_wants(self) -> None:
        """It is known beforehand whether somebody wants an event, and whether anybody wants traffic."""
        self.assertTrue(self.publisher.wants("ac_1", MADE))
        self.assertFalse(self.publisher.wants("ac_2", MADE))
        self.assertFalse(self.publisher.traffic)
        self.publisher.update(self.records.with_changes([Put(subscription("esb_2", REQUEST))]))
        self.assertTrue(self.publisher.traffic)
        self.publisher.update(snapshot(destination()))
        self.assertFalse(self.publisher.wants("ac_1", MADE) or self.publisher.traffic)

    def test_one_id(self) -> None:
        """An event has the same id at each of its destinations."""
        self.publisher.update(
            snapshot(destination(), destination("ed_2"), subscription("esb_1", MADE, to=("ed_1", "ed_2")))
        )
        self.publisher.publish(MADE, "ac_1", {})
        self.clock.advance(BATCH_WAIT)
        first, second = self.sent()
        self.assertEqual(first["event_id"], second["event_id"])

    def test_change(self) -> None:
        """A destination that failed goes on when it is changed, with what has waited; other changes leave it alone."""
        self.use(FakePoster((403, {}), (202, {})))
        self.publisher.update(self.records)
        self.publisher.publish(MADE, "ac_1", {})
        self.clock.advance(BATCH_WAIT)
        self.publisher.update(self.records.with_changes([Put(subscription("esb_2", GONE))]))
        self.clock.advance(1000)
        self.assertEqual(len(self.poster.posts), 1)
        self.publisher.update(self.records.with_changes([Put(destination(key="other"))]))
        self.assertEqual([headers["dd-api-key"] for _, headers, _ in self.poster.posts], ["k", "other"])

    def test_gone(self) -> None:
        """What waits for a destination that is deleted is forgotten."""
        self.publisher.publish(MADE, "ac_1", {})
        self.publisher.update(self.records.with_changes([Delete(EventDestination, "ed_1")]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(1000)
        self.assertEqual(self.poster.posts, [])

    def test_counts(self) -> None:
        """What was sent and what was lost is counted, also where the destination is gone."""
        self.publisher.publish(MADE, "ac_1", {})
        self.clock.advance(BATCH_WAIT)
        self.assertEqual(self.publisher.counts(), (1, 0))
        self.publisher.publish(MADE, "ac_1", {})
        self.publisher.update(self.records.with_changes([Delete(EventDestination, "ed_1")]))
        self.assertEqual(self.publisher.counts(), (1, 1))

    def test_test(self) -> None:
        """A test event goes at once, and its id comes back; a destination that failed goes on after it."""
        self.use(FakePoster((403, {}), (202, {})))
        self.publisher.update(self.records)
        self.publisher.publish(MADE, "ac_1", {})
        self.clock.advance(BATCH_WAIT)
        id = self.successResultOf(Deferred.fromCoroutine(self.publisher.test(destination())))
        refused, test, again = self.sent()
        self.assertEqual((test["event_id"], test["event_type"], test["object"]), (id, "test", {}))
        self.assertEqual(again["event_id"], refused["event_id"])

    def test_test_fails(self) -> None:
        """What stands against a test event is told."""
        for status, expected in ((403, DestinationRefused), (503, DestinationBusy)):
            self.use(FakePoster((status, {"errors": ["no"]})))
            self.failureResultOf(Deferred.fromCoroutine(self.publisher.test(destination())), expected)

    def test_no_key_for_roles(self) -> None:
        """A role needs a key of the server's own: without one everything fails with that sentence."""
        auth = AWSAuth(role=AWSRole(role_arn="arn:aws:iam::1:role/r"))
        target = EventTarget(kinesis=Kinesis(auth=auth, stream_arn="arn:aws:kinesis:us-east-1:1:stream/s"))
        role = EventDestination(id="ed_1", account_id="ac_1", target=target)
        self.assertIn("AWS_ACCESS_KEY_ID", self.publisher.refusal(role))
        self.assertEqual(self.publisher.refusal(destination()), "")
        self.failureResultOf(Deferred.fromCoroutine(self.publisher.test(role)), DestinationRefused)
        self.publisher.update(snapshot(role, subscription("esb_1", MADE)))
        self.publisher.publish(MADE, "ac_1", {})
        self.clock.advance(BATCH_WAIT)
        self.assertEqual(self.poster.posts, [])

    def test_stop(self) -> None:
        """What waits is sent before the end."""
        self.publisher.publish(MADE, "ac_1", {})
        self.successResultOf(self.publisher.stopService())
        self.assertEqual(len(self.sent()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_is_bounded(self) -> None:
        """A target that does not answer does not keep the server from ending."""
        self.use(FakePoster((503, {})))
        self.publisher.update(self.records)
        self.publisher.publish(MADE, "ac_1", {})
        stopped = self.publisher.stopService()
        self.clock.pump([1] * (DRAIN_TIMEOUT - 1))
        self.assertNoResult(stopped)
        self.clock.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
