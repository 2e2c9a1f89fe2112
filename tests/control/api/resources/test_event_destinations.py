"""
Tests for `ngrok_twisted.control.api.resources.event_destinations`.
"""

from typing import Any

from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.records.event_destination import EventDestination
from tests.control.api.harness import APIHarness, APITestCase

DATADOG = {"api_key": "k" * 32, "ddtags": "env:test", "service": "edge", "ddsite": "datadoghq.eu"}
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/events"
AZURE = {
    "tenant_id": "tenant",
    "client_id": "application",
    "client_secret": "hush",
    "logs_ingestion_uri": "https://events.eastus-1.ingest.monitor.azure.com",
    "data_collection_rule_id": "dcr-" + "0" * 32,
    "data_collection_stream_name": "Custom-Events",
}
KEY = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}


def amazon(**auth: Any) -> dict[str, Any]:
    """The body of a Kinesis destination."""
    return {"target": {"kinesis": {"auth": auth, "stream_arn": STREAM}}}


class EventDestinationTests(APITestCase):
    """Destinations have one target, whose secrets never come back."""

    def test_life(self) -> None:
        """A destination comes back without its secrets, whatever the case of its format."""
        made = self.ok("POST", "/event_destinations", {"format": "JSON", "target": {"datadog": DATADOG}})
        self.assertEqual(made["format"], "json")
        self.assertEqual(made["target"]["datadog"], {**DATADOG, "api_key": None})
        self.assertIsNone(made["target"]["kinesis"])
        self.assertEqual(self.ok("GET", f"/event_destinations/{made['id']}"), made)
        self.assertEqual(self.status("DELETE", f"/event_destinations/{made['id']}"), 204)

    def test_secrets_stay(self) -> None:
        """A change that repeats what an answer showed keeps the secret; one that brings another replaces it."""
        made = self.ok("POST", "/event_destinations", amazon(creds=KEY))
        path = f"/event_destinations/{made['id']}"
        self.assertIsNone(made["target"]["kinesis"]["auth"]["creds"]["aws_secret_access_key"])
        self.ok("PATCH", path, {"target": made["target"], "description": "d"})
        self.assertEqual(self.secret(made["id"]), "hush")
        other = {**KEY, "aws_secret_access_key": "other"}
        self.ok("PATCH", path, amazon(creds=other))
        self.assertEqual(self.secret(made["id"]), "other")

    def secret(self, id: str) -> Any:
        """The stored key of a Kinesis destination."""
        record: Any = self.api.control.records.tables["event_destinations"][id]
        return record.target.kinesis.auth.creds.aws_secret_access_key

    def test_refused(self) -> None:
        """What is no complete target of one kind is refused with ngrok's code."""
        role = {"role_arn": "arn:aws:iam::123456789012:role/events"}
        cases: list[tuple[dict[str, Any], int]] = [
            ({}, 5100),
            ({"target": {}}, 5100),
            ({"format": "xml", "target": {"datadog": DATADOG}}, 235),
            ({"target": {"datadog": DATADOG, **amazon(creds=KEY)["target"]}}, 5115),
            ({"target": {"pigeon": {}}}, 214),
            ({"target": {"datadog": {**DATADOG, "api_key": ""}}}, 5133),
            ({"target": {"datadog": {**DATADOG, "ddsite": "example.org"}}}, 5134),
            (amazon(), 5107),
            (amazon(creds=KEY, role=role), 5116),
            (amazon(role={"role_arn": STREAM}), 5104),
            (amazon(creds={"aws_access_key_id": "AKIA"}), 5106),
            ({"target": {"kinesis": {"auth": {"role": role}, "stream_arn": "x"}}}, 5120),
            ({"target": {"firehose": {"auth": {"role": role}, "delivery_stream_arn": STREAM}}}, 5129),
            (
                {"target": {"kinesis": {"auth": {"role": role}, "stream_arn": STREAM.replace("us-east-1", "a.b/")}}},
                5120,
            ),
            ({"target": {"kinesis": {"auth": {"role": role}, "stream_arn": STREAM + "\n"}}}, 5120),
            ({"target": {"azure_logs_ingestion": {**AZURE, "logs_ingestion_uri": "https://a.example.org"}}}, 5138),
            ({"target": {"azure_logs_ingestion": {**AZURE, "tenant_id": "a/b"}}}, 5139),
        ]
        for body, code in cases:
            self.assertEqual(self.refused("POST", "/event_destinations", body).code, code, body)

    def test_kind(self) -> None:
        """The kind of a target stays what it is."""
        made = self.ok("POST", "/event_destinations", amazon(creds=KEY))
        body = {"target": {"datadog": DATADOG}}
        self.assertEqual(self.refused("PATCH", f"/event_destinations/{made['id']}", body).code, 5108)

    def test_in_use(self) -> None:
        """A destination that a subscription sends to cannot be deleted."""
        made = self.ok("POST", "/event_destinations", {"target": {"datadog": DATADOG}})
        self.ok("POST", "/event_subscriptions", {"destination_ids": [made["id"]]})
        self.assertEqual(self.refused("DELETE", f"/event_destinations/{made['id']}").code, 5112)


class Publisher:
    """
    Sends test events nowhere.

    :ivar tested: the destinations that got one.
    :ivar outcome: what happens to the next one.
    :ivar refuses: why this server cannot send anywhere; empty if it can.
    """

    def __init__(self) -> None:
        self.tested: list[EventDestination] = []
        self.outcome: Exception | None = None
        self.refuses = ""

    async def test(self, destination: EventDestination) -> str:
        """As the real one's."""
        self.tested.append(destination)
        if self.outcome is not None:
            raise self.outcome
        return "ev_1"

    def refusal(self, destination: EventDestination) -> str:
        """As the real one's."""
        return self.refuses


class TestEventTests(APITestCase):
    """Whether a destination works is asked of the destination."""

    def setUp(self) -> None:
        self.publisher = Publisher()
        self.api = APIHarness(more={"events": self.publisher})
        self.body: dict[str, Any] = {"target": {"datadog": DATADOG}}
        self.path = f"/event_destinations/{self.ok('POST', '/event_destinations', self.body)['id']}"

    def count(self) -> int:
        """How many destinations there are."""
        return len(self.ok("GET", "/event_destinations")["event_destinations"])

    def test_sent(self) -> None:
        """A test event goes to the target with its secrets, and its id comes back."""
        self.assertEqual(self.ok("POST", self.path + "/send_test_event"), {"event_id": "ev_1"})
        (sent,) = self.publisher.tested
        assert sent.target.datadog is not None
        self.assertEqual(sent.target.datadog.api_key, DATADOG["api_key"])

    def test_not_sent(self) -> None:
        """What the target says against it is the answer; a target that is not there is a bad gateway."""
        self.publisher.outcome = DestinationRefused("it answered 403", 5132)
        error = self.refused("POST", self.path + "/send_test_event")
        self.assertEqual((error.status, error.code), (400, 5132))
        self.assertIn("it answered 403", error.message)
        self.publisher.outcome = DestinationBusy("it cannot be reached")
        error = self.refused("POST", self.path + "/send_test_event")
        self.assertEqual((error.status, error.code), (400, None))

    def test_nobody(self) -> None:
        """There is nothing to test where there is no destination."""
        error = self.refused("POST", "/event_destinations/ed_" + "0" * 27 + "/send_test_event")
        self.assertEqual((error.status, self.publisher.tested), (404, []))

    def test_verified(self) -> None:
        """On demand a destination is made or changed only if a test event gets through, with the secret it would have."""
        self.body["verify_with_test_event"] = True
        self.ok("POST", "/event_destinations", self.body)
        self.ok("PATCH", self.path, {"verify_with_test_event": True, "target": {"datadog": {"service": "other"}}})
        first, second = self.publisher.tested
        assert first.target.datadog is not None and second.target.datadog is not None
        self.assertEqual(first.target.datadog.api_key, DATADOG["api_key"])
        self.assertEqual((second.target.datadog.service, second.target.datadog.api_key), ("other", DATADOG["api_key"]))
        self.publisher.outcome = DestinationRefused("no", 5132)
        before = self.ok("GET", self.path)
        self.assertEqual(self.refused("POST", "/event_destinations", self.body).code, 5132)
        self.assertEqual(self.refused("PATCH", self.path, {**self.body, "description": "d"}).code, 5132)
        self.assertEqual((self.count(), self.ok("GET", self.path)), (2, before))

    def test_rules_come_first(self) -> None:
        """Nothing is sent to a target that breaks the rules."""
        body = {"target": {"datadog": {**DATADOG, "ddsite": "example.org"}}, "verify_with_test_event": True}
        self.assertEqual(self.refused("POST", "/event_destinations", body).code, 5134)
        self.assertEqual(self.refused("PATCH", self.path, body).code, 5134)
        self.assertEqual(self.publisher.tested, [])

    def test_impossible(self) -> None:
        """A destination to which this server cannot send is not made; another one does not become such a one."""
        self.publisher.refuses = "this server has no key"
        for verb, path in (("POST", "/event_destinations"), ("PATCH", self.path)):
            self.assertIn("this server has no key", self.refused(verb, path, self.body).message)
        self.ok("PATCH", self.path, {"description": "d"})
        self.assertEqual(self.count(), 1)
