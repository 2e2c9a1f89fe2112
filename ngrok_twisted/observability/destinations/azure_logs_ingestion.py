"""
Azure Monitor, by its Logs Ingestion API: one row an event, in the columns that the customer's data collection rule makes.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from zope.interface import implementer, provider

from ngrok_twisted.observability.destination import DestinationBusy, DestinationContext, clean, judge
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind
from ngrok_twisted.observability.posting import Posted
from ngrok_twisted.records.event_destination import AzureLogsIngestion

SECONDS = 1
MINUTE = 60 * SECONDS

# A request that takes its time must still arrive while the token is good.
EXPIRY_MARGIN = 5 * MINUTE

API_VERSION = "2023-01-01"

#: Bytes of one request (Azure Monitor service limits: 1 MB, before and after compression).
_BATCH_BYTES = 1_000_000

#: Where tokens come from, by the end of the ingestion endpoint's name: each of Azure's clouds has its own.
_LOGINS = {
    "com": "https://login.microsoftonline.com",
    "us": "https://login.microsoftonline.us",
    "cn": "https://login.chinacloudapi.cn",
}


@implementer(IEventDestination)
@provider(IEventDestinationKind)
class AzureLogsIngestionDestination:
    """
    Client credentials (Microsoft identity platform, "OAuth 2.0 client credentials flow"), then an array of events to the
    stream of the rule (Azure Monitor, "Logs Ingestion API").
    """

    name = "azure_logs_ingestion"
    Config = AzureLogsIngestion
    limits = BatchLimits(bytes=_BATCH_BYTES, event_bytes=_BATCH_BYTES)

    def __init__(self, config: AzureLogsIngestion, context: DestinationContext) -> None:
        self._config = config
        self._context = context
        cloud = (urlsplit(config.logs_ingestion_uri).hostname or "").rpartition(".")[2]
        login = context.base_url(_LOGINS.get(cloud, _LOGINS["com"]), "AZURE_AUTHORITY_HOST")
        self._token_url = f"{login}/{config.tenant_id}/oauth2/v2.0/token"
        self._scope = f"https://monitor.azure.{cloud if cloud in _LOGINS else 'com'}/.default"
        base = context.base_url(config.logs_ingestion_uri, "AZURE_LOGS_INGESTION_ENDPOINT_URL")
        self._url = (
            f"{base}/dataCollectionRules/{config.data_collection_rule_id}"
            f"/streams/{config.data_collection_stream_name}?api-version={API_VERSION}"
        )
        self._token = ""
        self._token_ends = 0.0

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        body = b"[" + b",".join(event.body for event in events) + b"]"
        answer = await self._post(body)
        if answer.status == 401:  # a token may be taken back before its end
            self._token = ""
            answer = await self._post(body)
        judge(answer.status, _message(answer), self._config)
        return ()

    async def _post(self, body: bytes) -> Posted:
        if not self._token or self._context.now() > self._token_ends - EXPIRY_MARGIN:
            await self._log_in()
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._token}"}
        answer: Posted = await self._context.poster.post(self._url, headers, body)
        return answer

    async def _log_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret,
            "scope": self._scope,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await self._context.poster.post(self._token_url, headers, urlencode(form).encode("ascii"))
        judge(answer.status, f"no token: {_message(answer)}", self._config)
        told = _object(answer)
        try:
            token, lasts = str(told["access_token"]), float(told["expires_in"])
        except (KeyError, TypeError, ValueError):
            raise DestinationBusy("it answered 200 to the login, without a token") from None
        self._token, self._token_ends = token, self._context.now() + lasts


def _message(answer: Posted) -> str:
    """What an answer says of an error: the two APIs say it differently."""
    told = _object(answer)
    error = told.get("error")
    if isinstance(error, dict):
        return f"{error.get('code', '')}: {error.get('message', '')}"
    return str(told.get("error_description") or error or clean(answer.text))


def _object(answer: Posted) -> dict[str, Any]:
    """The object in an answer; an empty one where there is none."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
