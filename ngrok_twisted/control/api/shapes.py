"""
The pieces that answers and bodies of many resources share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from ngrok_twisted.marks import Mark

#: On a field of a PATCH body: an empty value leaves the field as it is, since some client sends one on every update.
EMPTY_KEEPS = Mark("EMPTY_KEEPS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """
    :ivar id: the id of the thing meant.
    :ivar uri: its URL; empty for users.
    """

    id: str
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque; it comes back byte for byte.
    """

    description: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsUpdate:
    """
    :ivar description: at most 255 bytes, for people; empty clears it.
    :ivar metadata: at most 4096 bytes, opaque; empty clears it.
    """

    description: str | None = None
    metadata: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    :ivar id: the public id.
    :ivar uri: where it is.
    :ivar created_at: RFC 3339, UTC.
    :ivar description: for people.
    :ivar metadata: opaque.
    """

    id: str
    uri: str
    created_at: str
    description: str
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateJob:
    """
    :ivar error_code: why it fails, or ``None``.
    :ivar msg: how it stands, for people.
    :ivar started_at: when it began.
    :ivar retries_at: when it goes on, or ``None``.
    """

    error_code: str | None
    msg: str
    started_at: str
    retries_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """
    :ivar renews_at: when the certificate is replaced, or ``None``.
    :ivar provisioning_job: what is being done for a certificate, or ``None``.
    """

    renews_at: str | None
    provisioning_job: CertificateJob | None


def timestamp(seconds: float) -> str:
    """
    RFC 3339 in whole seconds and UTC, as ngrok's API writes times.

    :param seconds: since the epoch.
    """
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
