"""
Abuse reports: what somebody complained about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReport(Record):
    """
    A note for the operator: this server does nothing about it by itself.

    :ivar urls: the reported URLs, as they were sent.
    :ivar hostnames: the names in them, each once, in the order of the URLs.
    """

    family: ClassVar[str] = "abuse_reports"
    prefix: ClassVar[str] = "abrp"

    urls: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
