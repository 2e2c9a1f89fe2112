"""
Tests for `ngrok_twisted.observability.destinations.azure_logs_ingestion`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.observability.destinations.azure_logs_ingestion import AzureLogsIngestionDestination
from ngrok_twisted.observability.events import Event
from ngrok_twisted.records.event_destination import AzureLogsIngestion
from tests.observability.targets import FakePoster, context, event

CONFIG = AzureLogsIngestion(
    tenant_id="tenant",
    client_id="application",
    client_secret="hush",
    logs_ingestion_uri="https://events.eastus-1.ingest.monitor.azure.com/",
    data_collection_rule_id="dcr-" + "0" * 32,
    data_collection_stream_name="Custom-Events",
)
TOKEN = (200, {"access_token": "first", "expires_in": 3599})
OTHER = (200, {"access_token": "second", "expires_in": "3599"})
TAKEN = (204, b"")


class AzureTests(SynchronousTestCase):
    """Tokens and rows."""

    def setUp(self) -> None:
        self.clock = Clock()

    def use(self, *answers: Any, config: AzureLogsIngestion = CONFIG) -> None:
        """An Azure that gives these answers."""
        self.poster = FakePoster(*answers)
        self.destination = AzureLogsIngestionDestination(config, context(self.poster, self.clock))

    def send(self) -> Deferred[tuple[Event, ...]]:
        """Send two events."""
        return Deferred.fromCoroutine(self.destination.send((event(1), event(2))))

    def test_rows(self) -> None:
        """After a login the events go to the rule's stream, as an array."""
        self.use(TOKEN, TAKEN)
        self.assertEqual(self.successResultOf(self.send()), ())
        (login, _, form), (url, headers, body) = self.poster.posts
        self.assertEqual(login, "https://login.microsoftonline.com/tenant/oauth2/v2.0/token")
        self.assertEqual(
            parse_qs(form.decode()),
            {
                "grant_type": ["client_credentials"],
                "client_id": ["application"],
                "client_secret": ["hush"],
                "scope": ["https://monitor.azure.com/.default"],
            },
        )
        self.assertEqual(
            url,
            f"https://events.eastus-1.ingest.monitor.azure.com/dataCollectionRules/{CONFIG.data_collection_rule_id}"
            "/streams/Custom-Events?api-version=2023-01-01",
        )
        self.assertEqual(headers["authorization"], "Bearer first")
        self.assertEqual([row["event_id"] for row in json.loads(body)], ["ev_1", "ev_2"])

    def test_other_clouds(self) -> None:
        """Azure's other clouds have their own logins."""
        for end, login in (("us", "login.microsoftonline.us"), ("cn", "login.chinacloudapi.cn")):
            uri = f"https://events.x-1.ingest.monitor.azure.{end}"
            self.use(TOKEN, TAKEN, config=replace(CONFIG, logs_ingestion_uri=uri))
            self.successResultOf(self.send())
            (url, _, form), _ = self.poster.posts
            self.assertTrue(url.startswith(f"https://{login}/"))
            self.assertEqual(parse_qs(form.decode())["scope"], [f"https://monitor.azure.{end}/.default"])

    def test_token_is_kept(self) -> None:
        """A token serves until shortly before its end."""
        self.use(TOKEN, TAKEN, TAKEN, OTHER, TAKEN)
        for wait in (0, 3298, 10):
            self.clock.advance(wait)
            self.successResultOf(self.send())
        self.assertEqual([headers.get("authorization") for _, headers, _ in self.poster.posts][-1], "Bearer second")
        self.assertEqual(len(self.poster.posts), 5)

    def test_token_is_taken_back(self) -> None:
        """A token that is no longer good is replaced at once, but not for ever."""
        self.use(TOKEN, (401, {}), OTHER, TAKEN)
        self.successResultOf(self.send())
        self.use(TOKEN, (401, {}), OTHER, (401, {}))
        self.failureResultOf(self.send(), DestinationRefused)

    def test_login_refused(self) -> None:
        """Why there is no token is told, without the secret."""
        told = {"error": "invalid_client", "error_description": "AADSTS7000215: hush is wrong.\r\nTrace: 1"}
        self.use((401, told))
        sentence = self.failureResultOf(self.send(), DestinationRefused).value.sentence
        self.assertEqual(sentence, "it answered 401: no token: AADSTS7000215: … is wrong.")

    def test_login_without_token(self) -> None:
        """A login that gives no token is tried again."""
        for answer in ({}, {"access_token": "a"}, {"access_token": "a", "expires_in": "soon"}):
            self.use((200, answer))
            self.failureResultOf(self.send(), DestinationBusy)

    def test_refused(self) -> None:
        """What Azure says of a rule is told."""
        self.use(TOKEN, (403, {"error": {"code": "OperationFailed", "message": "no access to the rule"}}))
        sentence = self.failureResultOf(self.send(), DestinationRefused).value.sentence
        self.assertEqual(sentence, "it answered 403: OperationFailed: no access to the rule")
