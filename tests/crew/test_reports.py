"""
Tests of `ngrok_twisted.crew.reports`.
"""

from __future__ import annotations

import pickle
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure

from ngrok_twisted.circuit import Circuit, CircuitLimits
from ngrok_twisted.crew.reports import ToldEvents, keys_asked, numbers, report_handlers, told_log
from ngrok_twisted.crew.wire import BUSY_BYTES
from ngrok_twisted.flow import Flow
from ngrok_twisted.net.stalls import Stalls
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.event_destination import EventDestination
from ngrok_twisted.records.event_subscription import EventSource, EventSubscription
from tests.crew.wires import PairCase


class ReportsTests(PairCase):
    """What a worker tells."""

    def setUp(self) -> None:
        super().setUp()
        self.events: list[Any] = []
        self.used: list[Any] = []
        self.fresh: list[Deferred[None]] = []
        handlers = report_handlers(3, self, lambda *said: self.used.append(said), self.fresh_keys)
        self.to_worker.handlers.update(handlers)

    def publish(self, *said: Any) -> None:
        """As the publisher."""
        self.events.append(said)

    def fresh_keys(self) -> Deferred[None]:
        """As the reloader."""
        self.fresh.append(Deferred())
        return self.fresh[-1]

    def test_events(self) -> None:
        """What somebody subscribed to arrives; anything else is not even sent, nor what the main process is too busy for."""
        told = ToldEvents(self.to_main)
        self.assertEqual((told.traffic, told.wants("ac_1", "http_request_complete.v0")), (False, False))
        told.publish("http_request_complete.v0", "ac_1", {"a": 1})
        destination = EventDestination(id="ed_1", account_id="ac_1", format="json", target=None)  # type: ignore[arg-type]
        source = EventSource(type="http_request_complete.v0")
        subscription = EventSubscription(id="esb_1", account_id="ac_1", destination_ids=("ed_1",), sources=(source,))
        told.update(Snapshot().with_changes([Put(destination), Put(subscription)]))
        self.assertTrue(told.traffic and told.wants("ac_1", "http_request_complete.v0"))
        told.publish("http_request_complete.v0", "ac_1", {"b": 2})
        told.publish("http_request_complete.v0", "ac_2", {"c": 3})
        self.to_main.send("unread", b"x" * (BUSY_BYTES + 1))
        told.publish("http_request_complete.v0", "ac_1", {"d": 4})
        for _ in range(40):
            self.reactor.turn()
        self.assertEqual(self.events, [("http_request_complete.v0", "ac_1", {"b": 2}, None)])

    def test_log(self) -> None:
        """Lines come out in the main process's log, with their level and place in the code, and the worker's number."""
        heard: list[Any] = []
        self.patch(
            Logger, "emit", lambda logger, level, format, **more: heard.append((logger.namespace, level.name, more))
        )
        observe = told_log(self.to_main)
        source = LogPublisher(observe)
        source({"log_format": "{a} {b}", "a": 1, "b": {"c"}, "log_level": LogLevel.warn, "log_namespace": "x.y"})
        try:
            1 / 0
        except ZeroDivisionError:
            source({"log_format": "it failed", "log_failure": Failure(), "log_level": LogLevel.critical})
        self.turns()
        first, second = heard
        self.assertEqual(first, ("x.y", "warn", {"place": 3, "text": "1 {'c'}"}))
        self.assertEqual(second[1], "critical")
        self.assertIn("ZeroDivisionError", second[2]["text"])

    def test_busy(self) -> None:
        """When the main process is too busy, lines that are only for debugging are dropped."""
        heard: list[Any] = []
        self.patch(Logger, "emit", lambda logger, level, format, **more: heard.append(level.name))
        source = LogPublisher(told_log(self.to_main))
        self.to_main.send("unread", b"x" * (BUSY_BYTES + 1))
        for level in (LogLevel.debug, LogLevel.info):
            source({"log_format": "x", "log_level": level})
        self.to_worker.handlers["unread"] = lambda value, _: None
        for _ in range(40):
            self.reactor.turn()
        self.assertEqual(heard, ["info"])

    def test_used(self) -> None:
        """Uses of credentials are told."""
        self.to_main.send("used", ("cr_1", 5.0))
        self.turns()
        self.assertEqual(self.used, [("cr_1", 5.0)])

    def test_keys(self) -> None:
        """Whoever offers an unknown key waits until new ones were looked for."""
        asked = keys_asked(self.to_main)()
        self.turns()
        self.assertNoResult(asked)
        self.fresh[0].callback(None)
        self.turns()
        self.assertIsNone(self.successResultOf(asked))

    def test_numbers(self) -> None:
        """The numbers of a worker can be sent; the longest turn is told once."""
        flows, turns, kept = FlowMetrics(), Stalls(), WeakValueDictionary()  # type: ignore[var-annotated]
        flow = Flow("192.0.2.1", 1, "https", 0.0)
        flow.method, flow.status, flow.ended = b"GET", 200, 1.0
        flows(flow)
        turns.note(0.3)
        turns.turns = 1
        circuit = Circuit(CircuitLimits(error_threshold=0.5, volume=1, window=10.0, buckets=10, tripped=10.0))
        kept["edghtsrt_1", "settings"] = circuit
        found = [pickle.loads(pickle.dumps(numbers(3, flows, {"https": 2}, kept, turns))) for _ in range(2)]
        self.assertEqual([one.turns.take_longest() for one in found], [0.3, 0.0])
        self.assertEqual((found[0].place, found[0].visitors), (3, {"https": 2}))
        self.assertEqual(found[0].circuits, {"edghtsrt_1": circuit.state})
        self.assertGreater(found[0].memory, 1_000_000)
        self.assertGreater(found[0].seconds, 0)
        total = FlowMetrics()
        total.add(found[0].flows)
        self.assertEqual(total._tallies["https"].statuses, flows._tallies["https"].statuses)
