"""
``/ssh_user_certificates``: an authority signs the keys of users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

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
from ngrok_twisted.document import join
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.certified import ACL, acl_of
from ngrok_twisted.iam.ssh_certificates import ENFORCED, SOURCE_ADDRESS, USER, BadCertificate, networks
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate

SECONDS = 1
HOURS = 60 * 60 * SECONDS

TERMS = Terms(kind=USER, lifetime=24 * HOURS, no_authority=1951, no_duration=1962)

#: What a user may do whose certificate says nothing about it, as ngrok has it.
EXTENSIONS: Mapping[str, str] = {"permit-pty": "", "permit-user-rc": ""}

#: Options and extensions of one certificate, and bytes of one value.
OPTIONS_MAX, VALUE_MAX = 32, 4096

#: ngrok's code for a rule of an access control list that cannot be read.
BAD_RULE = 600

#: OpenSSH's PROTOCOL.certkeys: names of others end in ``@`` and their domain.
_NAME = re.compile(r"[!-~]{1,64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCertificateCreate(CertificateCreate):
    """
    :ivar principals: login names; empty for any.
    :ivar valid_until: when it ends, in RFC 3339; 24 hours from now if it is left out.
    :ivar critical_options: what a server must enforce, or else refuse the login: ``force-command`` and ``source-address``.
    :ivar extensions: what the user may do, such as ``permit-pty`` or ``permit-port-forwarding``, each with an empty value;
        ``permit-pty`` and ``permit-user-rc`` if there are none. ``acl@ngrok_twisted`` limits what a user of this server may
        bind: rules as in a credential's ``acl``, with commas between them.
    """

    critical_options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [*body_problems(self), *_critical_problems(self.critical_options)]
        for name in ("critical_options", "extensions"):
            problems.extend(_option_problems(name, getattr(self, name)))
        try:
            acl_of(self.extensions)
        except BadCertificate:
            message = "must be rules as in a credential's acl, such as bind:*.example.com, with commas between them"
            problems.append(Problem(join("extensions", ACL), message, code=BAD_RULE))
        if problems:
            raise InvalidConfig(problems)


def _critical_problems(options: Mapping[str, str]) -> Iterator[Problem]:
    for name, value in options.items():
        path = join("critical_options", name[:64])
        if name not in ENFORCED:
            yield Problem(path, f"no server would let such a user in; known are {', '.join(sorted(ENFORCED))}")
        elif not value:
            yield Problem(path, "needs a value")
    try:
        networks(options.get(SOURCE_ADDRESS) or "127.0.0.1")
    except ValueError:
        message = "must be addresses and networks with commas between them, such as 192.0.2.0/24,2001:db8::1"
        yield Problem(join("critical_options", SOURCE_ADDRESS), message)


def _option_problems(field_name: str, options: Mapping[str, str]) -> Iterator[Problem]:
    if len(options) > OPTIONS_MAX:
        yield Problem(field_name, f"has more than {OPTIONS_MAX} entries")
    for name, value in options.items():
        if not _NAME.match(name):
            yield Problem(field_name, "has a name that is not 1 to 64 printable ASCII characters without blanks")
        elif len(value.encode("utf-8")) > VALUE_MAX:
            yield Problem(join(field_name, name), f"is longer than {VALUE_MAX} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCertificateView(CertificateView):
    """
    :ivar critical_options: what a server must enforce.
    :ivar extensions: what the user may do.
    """

    critical_options: Mapping[str, str]
    extensions: Mapping[str, str]


class SSHUserCertificates(Collection[SSHUserCertificate]):
    """The collection of user certificates. Only their description and metadata can be changed."""

    name = "ssh_user_certificates"
    path = "/ssh_user_certificates"
    list_key = "ssh_user_certificates"
    noun = "SSH user certificate"
    record = SSHUserCertificate
    View = UserCertificateView
    Create = UserCertificateCreate
    Update = TextsUpdate
    codes = {"description": 1947, "metadata": 1948, "ssh_certificate_authority_id": 1951, "public_key": 1952}

    def make(self, making: Making, body: Any) -> SSHUserCertificate:
        """Collection."""
        extensions = body.extensions or EXTENSIONS
        return SSHUserCertificate(
            **self.common(making, body),
            **certified(TERMS, making, body, body.critical_options, extensions),
            critical_options=body.critical_options,
            extensions=extensions,
        )

    def view(self, call: Call, record: SSHUserCertificate) -> UserCertificateView:
        """Collection."""
        return UserCertificateView(
            **self.seen(call, record),
            **certificate_fields(record),
            critical_options=record.critical_options,
            extensions=record.extensions,
        )


ssh_user_certificates = SSHUserCertificates()
