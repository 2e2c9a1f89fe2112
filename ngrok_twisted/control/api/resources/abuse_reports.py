"""
``/abuse_reports``: complaints about URLs, kept for the operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator
from urllib.parse import urlsplit

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.abuse_report import AbuseReport
from ngrok_twisted.records.base import Problem

#: URLs of one report, and characters of one URL.
URLS_MAX, URL_MAX = 100, 2048

#: The status of every report and of every name in it: what is done about it is done by people, outside of this server.
PENDING = "PENDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReportCreate:
    """
    :ivar urls: what is reported: at least one URL with a host name.
    :ivar metadata: at most 4096 bytes, opaque; it comes back byte for byte.
    """

    urls: tuple[str, ...]
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReportHostname:
    """
    :ivar hostname: a name in the reported URLs.
    :ivar status: always ``PENDING``: this server bans nobody by itself.
    """

    hostname: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReportView:
    """
    :ivar id: the public id.
    :ivar uri: where it is.
    :ivar created_at: RFC 3339, UTC.
    :ivar urls: the reported URLs, as they were sent.
    :ivar metadata: opaque.
    :ivar status: always ``PENDING``: the report is a note for the operator, and nothing else follows from it.
    :ivar hostnames: the names in the URLs, each once.
    """

    id: str
    uri: str
    created_at: str
    urls: tuple[str, ...]
    metadata: str
    status: str
    hostnames: tuple[AbuseReportHostname, ...]


class AbuseReports(Collection[AbuseReport]):
    """Reports are made and read one by one; there is no list of them."""

    name = "abuse_reports"
    path = "/abuse_reports"
    list_key = ""
    noun = "abuse report"
    record = AbuseReport
    View = AbuseReportView
    Create = AbuseReportCreate

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        return (method for method in super().methods() if method.action in ("create", "get"))

    def make(self, making: Making, body: Any) -> AbuseReport:
        """Collection."""
        return AbuseReport(**self.common(making, body), urls=body.urls, hostnames=_hostnames(body.urls))

    def view(self, call: Call, record: AbuseReport) -> AbuseReportView:
        """Collection."""
        return AbuseReportView(
            id=record.id,
            uri=call.uri(self.path, record.id),
            created_at=timestamp(record.created_at),
            urls=record.urls,
            metadata=record.metadata,
            status=PENDING,
            hostnames=tuple(AbuseReportHostname(hostname=name, status=PENDING) for name in record.hostnames),
        )


def _hostnames(urls: tuple[str, ...]) -> tuple[str, ...]:
    """
    :raises InvalidConfig: there are too many URLs, or one is too long or has no host name.
    """
    if len(urls) > URLS_MAX:
        raise InvalidConfig([Problem("urls", f"names more than {URLS_MAX} URLs; make several reports")])
    found = [_hostname(url) for url in urls]
    if None in found:
        message = f"must be a URL with a host name, of at most {URL_MAX} characters"
        raise InvalidConfig(Problem(f"urls[{number}]", message) for number, name in enumerate(found) if name is None)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname if len(url) <= URL_MAX else None
    except ValueError:  # brackets that hold no IPv6 address
        return None


abuse_reports = AbuseReports()
