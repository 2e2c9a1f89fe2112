"""
Events on their way out: to Amazon's services as moto plays them, which checks every signature, and to a local server that
plays Datadog and Azure.
"""

from __future__ import annotations

import atexit
import json
import os
from base64 import b64decode
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.functional.amazon import ACCOUNT, Amazon
from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl
from tests.functional.edge import Edge
from tests.functional.receiver import Post, Receiver
from tests.functional.tools import ROOT

API_KEY = "the-key-of-whoever-audits-this-edge"

_STATUS = "\n%{http_code}"

RULE = "dcr-0123456789abcdef0123456789abcdef"
AZURE = {
    "tenant_id": "tenant",
    "client_id": "application",
    "client_secret": "azure-hush",
    "logs_ingestion_uri": "https://events-a1b2.eastus-1.ingest.monitor.azure.com",
    "data_collection_rule_id": RULE,
    "data_collection_stream_name": "Custom-Events",
}
DATADOG = {"api_key": "datadog-hush", "service": "edge", "ddtags": "env:test", "ddsite": "datadoghq.eu"}


def others(post: Post) -> tuple[int, Any]:
    """What Datadog and Azure answer."""
    if post.path.endswith("/oauth2/v2.0/token"):
        form = parse_qs(post.body.decode())
        known = form["client_secret"] == ["azure-hush"]
        return (200, {"access_token": "a-token", "expires_in": 3599}) if known else (401, {"error": "invalid_client"})
    if post.path.startswith("/dataCollectionRules/"):
        return (204, {}) if post.headers["authorization"] == "Bearer a-token" else (401, {})
    known = post.headers.get("dd-api-key") == "datadog-hush"
    return (202, {}) if known else (403, {"errors": ["Forbidden"]})


class _Outside:
    """What stands outside the edge, for all tests of this file."""

    def __init__(self) -> None:
        self.amazon = Amazon()
        atexit.register(self.amazon.close)
        self.amazon.ask("kinesis", "create_stream", StreamName="events", ShardCount=1)
        self.amazon.ask("logs", "create_log_group", logGroupName="/edge/events")
        self.amazon.ask("s3", "create_bucket", Bucket="events")
        self.role = self.amazon.role("events")
        bucket = {"RoleARN": self.role, "BucketARN": "arn:aws:s3:::events"}
        self.amazon.ask(
            "firehose", "create_delivery_stream", DeliveryStreamName="events", ExtendedS3DestinationConfiguration=bucket
        )
        self.amazon.lock()
        self.receiver = Receiver(others)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": self.amazon.url,
            "AWS_ACCESS_KEY_ID": self.amazon.key[0],
            "AWS_SECRET_ACCESS_KEY": self.amazon.key[1],
            "AZURE_AUTHORITY_HOST": self.receiver.url,
            "AZURE_LOGS_INGESTION_ENDPOINT_URL": self.receiver.url,
            "DATADOG_ENDPOINT_URL": self.receiver.url,
        }


class EventTests(EdgeTestCase):
    """Real requests to every target."""

    seconds = 150
    outside: ClassVar[_Outside | None] = None
    config = {
        "api_keys": [{"name": "auditor", "token": API_KEY}],
        "event_destinations": [{"name": "datadog", "target": {"datadog": DATADOG}}],
        "event_subscriptions": [
            {
                "name": "declared",
                "sources": [
                    {"type": type}
                    for type in (
                        "vault_created.v0",
                        "agent_session_start.v0",
                        "agent_session_stop.v0",
                        "http_request_complete.v0",
                    )
                ],
                "destination_ids": ["datadog"],
            }
        ],
    }

    def make_edge(self) -> Edge:
        """EdgeTestCase."""
        return Edge(self.config, environment=self.surroundings.environment)

    @property
    def surroundings(self) -> _Outside:
        """Started once, by the first test."""
        if EventTests.outside is None:
            EventTests.outside = _Outside()
        return EventTests.outside

    # -- what tests ask for --------------------------------------------------------------------------------------------

    def call(self, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer of the API."""
        words = ["--request", verb, "--header", "ngrok-version: 2", "--write-out", _STATUS]
        words += ["--header", f"authorization: Bearer {API_KEY}"]
        if body is not None:
            words += ["--header", "content-type: application/json", "--data", json.dumps(body)]
        text, _, status = curl(self.edge, *words, f"http://127.0.0.1:{self.edge.api}{path}").rpartition("\n")
        return int(status), json.loads(text) if text else None

    def done(self, verb: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer to a call that succeeds."""
        status, answer = self.call(verb, path, body)
        self.assertLess(status, 300, answer)
        return answer

    def auth(self) -> dict[str, Any]:
        """A key that moto knows."""
        id, secret = self.surroundings.amazon.key
        return {"creds": {"aws_access_key_id": id, "aws_secret_access_key": secret}}

    def destination(self, **target: Any) -> str:
        """A destination that is deleted after the test."""
        id: str = self.done("POST", "/event_destinations", {"target": target})["id"]
        self.addCleanup(self.done, "DELETE", f"/event_destinations/{id}")
        return id

    def subscribe(self, destination: str, *types: str) -> None:
        """Subscribe until the end of the test."""
        body = {"sources": [{"type": type} for type in types], "destination_ids": [destination]}
        id = self.done("POST", "/event_subscriptions", body)["id"]
        self.addCleanup(self.done, "DELETE", f"/event_subscriptions/{id}")

    def vault_comes_and_goes(self, name: str) -> str:
        """Make a vault and delete it."""
        id: str = self.done("POST", "/vaults", {"name": name})["id"]
        self.done("DELETE", f"/vaults/{id}")
        return id

    def logs(self, type: str) -> list[dict[str, Any]]:
        """The events of one type that Datadog has."""
        posts = [post for post in self.surroundings.receiver.posts if post.path == "/api/v2/logs"]
        return [log for post in posts for log in post.json() if log["event_type"] == type]

    # -- the tests -----------------------------------------------------------------------------------------------------

    def test_kinesis(self) -> None:
        """Kinesis has one record for each event, in order, with who did what; the target is checked with a test event."""
        stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/events"
        destination = self.destination(kinesis={"auth": self.auth(), "stream_arn": stream})
        sent = self.done("POST", f"/event_destinations/{destination}/send_test_event")
        self.subscribe(destination, "vault_created.v0", "vault_deleted.v0")
        vault = self.vault_comes_and_goes("kinesis")
        amazon = self.surroundings.amazon
        shard = amazon.ask("kinesis", "list_shards", StreamName="events")["Shards"][0]["ShardId"]

        def records() -> list[dict[str, Any]]:
            start = amazon.ask(
                "kinesis", "get_shard_iterator", StreamName="events", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            got = amazon.ask("kinesis", "get_records", ShardIterator=start)["Records"]
            return [json.loads(b64decode(record["Data"])) for record in got]

        self.eventually(lambda: len(records()) >= 3, "three records")
        test, created, deleted = records()
        self.assertEqual((test["event_id"], test["event_type"]), (sent["event_id"], "test"))
        self.assertEqual((created["event_type"], deleted["event_type"]), ("vault_created.v0", "vault_deleted.v0"))
        self.assertEqual((created["object"]["id"], deleted["object"]["name"]), (vault, "kinesis"))
        self.assertEqual(created["principal"]["source"], "API")
        self.assertTrue(created["principal"]["credential"]["id"].startswith("ak_"))

    def test_firehose_with_a_role(self) -> None:
        """Firehose gets lines, written with the key of a role that the server assumed."""
        amazon, role = self.surroundings.amazon, {"role": {"role_arn": self.surroundings.role}}
        stream = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/events"
        destination = self.destination(firehose={"auth": role, "delivery_stream_arn": stream})
        self.subscribe(destination, "vault_created.v0")
        vault = self.vault_comes_and_goes("firehose")
        found = self.eventually(
            lambda: amazon.ask("s3", "list_objects_v2", Bucket="events").get("Contents"), "an object of Firehose's"
        )
        text = amazon.ask("s3", "get_object", Bucket="events", Key=found[0]["Key"])["Body"]
        (line,) = text.splitlines()
        self.assertEqual(json.loads(line)["object"]["id"], vault)

    def test_cloudwatch(self) -> None:
        """CloudWatch Logs gets a stream for this machine, and each event in it."""
        amazon = self.surroundings.amazon
        group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/edge/events"
        destination = self.destination(cloudwatch_logs={"auth": self.auth(), "log_group_arn": group})
        self.subscribe(destination, "vault_created.v0", "vault_deleted.v0")
        vault = self.vault_comes_and_goes("cloudwatch")

        def messages() -> list[dict[str, Any]]:
            got = amazon.ask("logs", "filter_log_events", logGroupName="/edge/events")["events"]
            return [json.loads(event["message"]) for event in got]

        self.eventually(lambda: len(messages()) == 2, "two log events")
        self.assertEqual({event["object"]["id"] for event in messages()}, {vault})
        streams = amazon.ask("logs", "describe_log_streams", logGroupName="/edge/events")["logStreams"]
        self.assertTrue(streams[0]["logStreamName"].startswith("ngrok_twisted/"))

    def test_wrong_key(self) -> None:
        """A test event with a wrong key says so, without the key; so does a destination that is made on condition of one."""
        stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/events"
        creds = {"aws_access_key_id": self.surroundings.amazon.key[0], "aws_secret_access_key": "wrong-hush"}
        body = {"target": {"kinesis": {"auth": {"creds": creds}, "stream_arn": stream}}}
        status, error = self.call("POST", "/event_destinations", {**body, "verify_with_test_event": True})
        self.assertEqual(status, 400)
        self.assertIn("403", error["msg"])
        destination = self.destination(**body["target"])
        status, error = self.call("POST", f"/event_destinations/{destination}/send_test_event")
        self.assertEqual(status, 400)
        self.assertNotIn("wrong-hush", error["msg"] + self.edge.log())

    def test_datadog(self) -> None:
        """What is subscribed to in config.yaml reaches Datadog: changes, sessions and requests."""
        vault = self.vault_comes_and_goes("datadog")
        agent = self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web().port}", command="http")
        url = agent.url()
        self.assertEqual(self.get(f"{url}/?a=b").status, 200)
        agent.close()
        self.eventually(lambda: self.logs("agent_session_stop.v0"), "the end of the session")
        self.eventually(lambda: self.logs("vault_created.v0"), "the vault")
        (created,) = [log for log in self.logs("vault_created.v0") if log["object"]["id"] == vault]
        self.assertEqual((created["service"], created["ddtags"]), ("edge", "env:test"))
        stopped = self.logs("agent_session_stop.v0")[-1]["object"]
        self.assertEqual((stopped["transport"], stopped["agent_ip"]), ("ssh", "127.0.0.1"))

        def request() -> Any:
            logs = self.logs("http_request_complete.v0")
            return next((log for log in logs if log["object"]["http"]["request"]["url"]["query"] == "a=b"), None)

        event = self.eventually(request, "the request")
        self.assertEqual(event["object"]["http"]["response"]["status_code"], 200)
        self.assertTrue(url.endswith(f"{event['object']['conn']['server_name']}:{self.edge.https}"))

    def test_azure(self) -> None:
        """Azure's rule gets arrays of events, with a token that is asked for once."""
        destination = self.destination(azure_logs_ingestion=AZURE)
        self.subscribe(destination, "vault_created.v0")
        self.vault_comes_and_goes("azure.1")
        posts, path = self.surroundings.receiver.posts, f"/dataCollectionRules/{RULE}/streams/Custom-Events"
        rows = lambda: [row for post in posts if post.path.startswith(path) for row in post.json()]
        self.eventually(lambda: len(rows()) == 1, "the first row")
        self.vault_comes_and_goes("azure.2")
        self.eventually(lambda: len(rows()) == 2, "the second row")
        self.assertEqual([row["object"]["name"] for row in rows()], ["azure.1", "azure.2"])
        self.assertEqual(sum(post.path == "/tenant/oauth2/v2.0/token" for post in posts), 1)
        self.assertNotIn("azure-hush", self.edge.log())


class DownTests(EdgeTestCase):
    """A target that is down for a while, on an edge of its own."""

    def setUp(self) -> None:
        """Without the shared edge, and without Amazon."""
        self.watch(self.seconds)
        self.down = True
        self.receiver = Receiver(lambda post: (503, {}) if self.down else (202, {}))
        self.addCleanup(self.receiver.close)
        where = {**os.environ, "PYTHONPATH": str(ROOT), "DATADOG_ENDPOINT_URL": self.receiver.url}
        self.edge = Edge(EventTests.config, environment=where).start()
        self.addCleanup(self.edge.remove)

    call, done, vault_comes_and_goes = EventTests.call, EventTests.done, EventTests.vault_comes_and_goes

    def test_down(self) -> None:
        """Nothing is lost, and the order stays; whoever changes something does not notice."""
        for number in range(5):
            self.vault_comes_and_goes(f"down.{number}")
        self.eventually(lambda: self.receiver.posts, "a try")
        self.down = False
        self.vault_comes_and_goes("up")
        taken: dict[str, str] = {}

        def names() -> list[str]:
            for post in tuple(self.receiver.posts):
                taken.update({log["event_id"]: log["object"]["name"] for log in post.json()})
            return list(taken.values())

        self.eventually(lambda: "up" in names(), "the last event")
        self.assertEqual(names(), [*(f"down.{number}" for number in range(5)), "up"])

    def test_end(self) -> None:
        """What waits when the server stops is sent before it ends."""
        self.down = False
        self.vault_comes_and_goes("last")
        self.assertEqual(self.edge.stop(), 0)
        self.assertEqual([log["object"]["name"] for post in self.receiver.posts for log in post.json()], ["last"])
