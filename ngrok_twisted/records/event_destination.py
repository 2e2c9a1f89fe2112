"""
Event destinations: where audit and traffic events are sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class AWSRole:
    """
    :ivar role_arn: the IAM role to assume.
    """

    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AWSCredentials:
    """
    :ivar aws_access_key_id: the key's id.
    :ivar aws_secret_access_key: the key; never shown again.
    """

    aws_access_key_id: str
    aws_secret_access_key: Annotated[str | None, EXTERNAL] = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AWSAuth:
    """
    Exactly one of the two.

    :ivar role: a role to assume.
    :ivar creds: a key of a user.
    """

    role: AWSRole | None = None
    creds: AWSCredentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firehose:
    """
    :ivar auth: who writes.
    :ivar delivery_stream_arn: the delivery stream.
    """

    auth: AWSAuth = AWSAuth()
    delivery_stream_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinesis:
    """
    :ivar auth: who writes.
    :ivar stream_arn: the data stream.
    """

    auth: AWSAuth = AWSAuth()
    stream_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudwatchLogs:
    """
    :ivar auth: who writes.
    :ivar log_group_arn: the log group.
    """

    auth: AWSAuth = AWSAuth()
    log_group_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datadog:
    """
    :ivar api_key: Datadog's key; never shown again.
    :ivar ddtags: tags, separated by commas.
    :ivar service: the service's name there.
    :ivar ddsite: which Datadog, such as ``datadoghq.com``.
    """

    api_key: Annotated[str | None, EXTERNAL] = field(default=None, repr=False)
    ddtags: str | None = None
    service: str | None = None
    ddsite: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureLogsIngestion:
    """
    :ivar tenant_id: the Azure tenant.
    :ivar client_id: the application.
    :ivar client_secret: its secret; never shown again.
    :ivar logs_ingestion_uri: where to post.
    :ivar data_collection_rule_id: the immutable id of the rule.
    :ivar data_collection_stream_name: the stream in that rule.
    """

    tenant_id: str
    client_id: str
    client_secret: Annotated[str, EXTERNAL] = field(default="", repr=False)
    logs_ingestion_uri: str
    data_collection_rule_id: str
    data_collection_stream_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTarget:
    """
    Exactly one of these.

    :ivar firehose: Amazon Data Firehose.
    :ivar kinesis: Amazon Kinesis Data Streams.
    :ivar cloudwatch_logs: Amazon CloudWatch Logs.
    :ivar datadog: Datadog Logs.
    :ivar azure_logs_ingestion: Azure Monitor.
    """

    firehose: Firehose | None = None
    kinesis: Kinesis | None = None
    cloudwatch_logs: CloudwatchLogs | None = None
    datadog: Datadog | None = None
    azure_logs_ingestion: AzureLogsIngestion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestination(Record):
    """
    :ivar format: ``json``, the only one there is.
    :ivar target: where to.
    """

    family: ClassVar[str] = "event_destinations"
    prefix: ClassVar[str] = "ed"

    format: str = "json"
    target: EventTarget = EventTarget()
