"""
What must hold for event destinations.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Callable, Iterator, Mapping

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.event_destination import AWSAuth, AzureLogsIngestion, Datadog, EventDestination

#: Datadog's sites (its documentation, "Getting started with Datadog sites").
DATADOG_SITES = frozenset(
    {
        "ap1.datadoghq.com",
        "ap2.datadoghq.com",
        "datadoghq.com",
        "datadoghq.eu",
        "ddog-gov.com",
        "us3.datadoghq.com",
        "us5.datadoghq.com",
    }
)

_PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov"})

#: The field of each Amazon target that names the resource, its service, and the start of the resource.
_ARNS: Mapping[str, tuple[str, str, str]] = {
    "firehose": ("delivery_stream_arn", "firehose", "deliverystream/"),
    "kinesis": ("stream_arn", "kinesis", "stream/"),
    "cloudwatch_logs": ("log_group_arn", "logs", "log-group:"),
}

#: The part of an ARN that becomes a part of the name that requests go to.
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{1,12}){1,3}-\d{1,2}\Z")
_RESOURCE = re.compile(r"[A-Za-z0-9_.:/*#-]{1,600}\Z")

#: Likewise, of Azure.
_TENANT = re.compile(r"[A-Za-z0-9.-]{1,253}\Z")

_RULE_ID = re.compile(r"dcr-[0-9a-f]{32}\Z")
_STREAM = re.compile(r"(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}\Z")
_URI = re.compile(r"https://[A-Za-z0-9.-]+\.ingest\.monitor\.azure\.(com|us|cn)/?\Z")

Problems = Iterator[Problem]


@implementer(IRecordRules)
class EventDestinationRules:
    """One target, complete, of the kind it says."""

    name = EventDestination.family

    def problems(self, record: EventDestination, around: Around) -> Problems:
        """IRecordRules."""
        if record.format != "json":
            yield Problem("format", "must be json", code=235)
        kinds = [item.name for item in fields(record.target) if getattr(record.target, item.name) is not None]
        if not kinds:
            yield Problem("target", "names no target: give one of " + ", ".join(_CHECKS), code=5100)
        elif len(kinds) > 1:
            yield Problem("target", f"names {len(kinds)} targets, and a destination has one", code=5115)
        else:
            yield from _CHECKS[kinds[0]](getattr(record.target, kinds[0]), f"target.{kinds[0]}", kinds[0])


def _amazon(target: Any, path: str, kind: str) -> Problems:
    field, service, resource = _ARNS[kind]
    yield from _auth(target.auth, f"{path}.auth")
    yield from _arn(getattr(target, field), f"{path}.{field}", service, resource)


def _auth(auth: AWSAuth, path: str) -> Problems:
    if auth.role is None and auth.creds is None:
        yield Problem(path, "needs a role or creds", code=5107)
    elif auth.role is not None and auth.creds is not None:
        yield Problem(path, "has a role and creds; give one of them", code=5116)
    elif auth.role is not None and any(_arn(auth.role.role_arn, "", "iam", "role/")):
        yield Problem(f"{path}.role.role_arn", "must be the ARN of an IAM role", code=5104)
    elif auth.creds is not None and not auth.creds.aws_secret_access_key:
        yield Problem(f"{path}.creds.aws_secret_access_key", "is required", code=5106)


def _arn(text: str, path: str, service: str, resource: str) -> Problems:
    """``arn:partition:service:region:account:resource`` (AWS General Reference, "Amazon Resource Names")."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        yield Problem(
            path, f"must be an ARN such as arn:aws:{service}:us-east-1:123456789012:{resource}name", code=5120
        )
    elif parts[1] not in _PARTITIONS:
        yield Problem(path, f"its partition must be one of {', '.join(sorted(_PARTITIONS))}", code=5118)
    elif parts[2] != service:
        yield Problem(path, f"must be of the service {service}", code=5129)
    elif service != "iam" and not _REGION.match(parts[3]):
        yield Problem(path, "names no region, such as us-east-1", code=5120)
    elif not _RESOURCE.match(parts[5]):
        yield Problem(path, "has characters that no resource has", code=5120)
    elif not parts[5].startswith(resource):
        yield Problem(path, f"must be a resource that starts with {resource}", code=5130)


def _datadog(target: Datadog, path: str, kind: str) -> Problems:
    if not target.api_key:
        yield Problem(f"{path}.api_key", "is required", code=5133)
    if target.ddsite and target.ddsite not in DATADOG_SITES:
        yield Problem(f"{path}.ddsite", f"must be one of {', '.join(sorted(DATADOG_SITES))}", code=5134)


_AZURE_URI = "must be the URL of Azure's endpoint, such as https://name-a1b2.eastus-1.ingest.monitor.azure.com"


def _azure(target: AzureLogsIngestion, path: str, kind: str) -> Problems:
    if not _RULE_ID.match(target.data_collection_rule_id):
        yield Problem(f"{path}.data_collection_rule_id", "must be dcr- and 32 hexadecimal digits", code=5136)
    if not _STREAM.match(target.data_collection_stream_name):
        yield Problem(f"{path}.data_collection_stream_name", "must start with Custom- or Microsoft-", code=5137)
    if not _URI.match(target.logs_ingestion_uri):
        yield Problem(f"{path}.logs_ingestion_uri", _AZURE_URI, code=5138)
    if target.tenant_id and not _TENANT.match(target.tenant_id):
        yield Problem(f"{path}.tenant_id", "must be the id or the domain of a tenant", code=5139)
    for name in ("tenant_id", "client_id", "client_secret"):
        if not getattr(target, name):
            yield Problem(f"{path}.{name}", "is required", code=5139)


_CHECKS: Mapping[str, Callable[[Any, str, str], Problems]] = {
    "firehose": _amazon,
    "kinesis": _amazon,
    "cloudwatch_logs": _amazon,
    "datadog": _datadog,
    "azure_logs_ingestion": _azure,
}

rules = EventDestinationRules()
