"""
Tests for `ngrok_twisted.control.api.resources.event_destinations`.
"""

from typing import Any

from tests.control.api.harness import APITestCase

DATADOG = {"api_key": "k" * 32, "ddtags": "env:test", "service": "edge", "ddsite": "datadoghq.eu"}
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/events"
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
