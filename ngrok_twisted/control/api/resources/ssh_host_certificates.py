"""
``/ssh_host_certificates``: an authority signs the keys of hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.certifying import (
    CertificateCreate,
    CertificateView,
    Terms,
    body_problems,
    certificate_fields,
    certified,
)
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.shapes import TextsUpdate
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.ssh_certificates import HOST
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate

SECONDS = 1
DAYS = 24 * 60 * 60 * SECONDS

TERMS = Terms(kind=HOST, lifetime=365 * DAYS, no_authority=1949, no_duration=1963)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificateCreate(CertificateCreate):
    """
    :ivar principals: names and addresses under which the host is reached; empty for any, which lets this host pass for every
        other.
    :ivar valid_until: when it ends, in RFC 3339; a year from now if it is left out.
    """

    def __post_init__(self) -> None:
        problems = list(body_problems(self))
        if problems:
            raise InvalidConfig(problems)


class SSHHostCertificates(Collection[SSHHostCertificate]):
    """The collection of host certificates. Only their description and metadata can be changed."""

    name = "ssh_host_certificates"
    path = "/ssh_host_certificates"
    list_key = "ssh_host_certificates"
    noun = "SSH host certificate"
    record = SSHHostCertificate
    View = CertificateView
    Create = HostCertificateCreate
    Update = TextsUpdate
    codes = {"description": 1945, "metadata": 1946, "ssh_certificate_authority_id": 1949, "public_key": 1952}

    def make(self, making: Making, body: Any) -> SSHHostCertificate:
        """Collection."""
        return SSHHostCertificate(**self.common(making, body), **certified(TERMS, making, body, {}, {}))

    def view(self, call: Call, record: SSHHostCertificate) -> CertificateView:
        """Collection."""
        return CertificateView(**self.seen(call, record), **certificate_fields(record))


ssh_host_certificates = SSHHostCertificates()
