"""
``/ssh_certificate_authorities``: keys that sign SSH certificates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Iterator

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.iam.ssh_authority_keys import (
    CURVES,
    ECDSA,
    ED25519,
    KEY_TYPES,
    RSA,
    RSA_SIZES,
    make_key,
    read_private_key,
)
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Problem, Snapshot
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate

#: ngrok's codes: a bad type, size or curve of the key; a size or curve where there is none; certificates are left.
BAD_TYPE, BAD_SIZE, NO_SIZE, BAD_CURVE, NO_CURVE, IN_USE = 1936, 1939, 1940, 1941, 1942, 1964


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityCreate(Texts):
    """
    :ivar private_key_type: ``ed25519``, ``ecdsa`` or ``rsa``.
    :ivar elliptic_curve: of an ``ecdsa`` key: ``nistp256``, ``nistp384`` or ``nistp521``; the first one if it is left out.
    :ivar key_size: bits of an ``rsa`` key: 2048 or 4096; the first one if it is left out.
    """

    private_key_type: str = ED25519
    elliptic_curve: str = ""
    key_size: int = 0

    def __post_init__(self) -> None:
        problems = list(_key_problems(self))
        if problems:
            raise InvalidConfig(problems)


def _key_problems(body: AuthorityCreate) -> Iterator[Problem]:
    if body.private_key_type not in KEY_TYPES:
        yield Problem("private_key_type", f"must be one of {', '.join(KEY_TYPES)}", code=BAD_TYPE)
    if body.elliptic_curve and body.private_key_type != ECDSA:
        yield Problem("elliptic_curve", f"only {ECDSA} keys have a curve; leave it out", code=NO_CURVE)
    elif body.elliptic_curve and body.elliptic_curve not in CURVES:
        yield Problem("elliptic_curve", f"must be one of {', '.join(CURVES)}", code=BAD_CURVE)
    if body.key_size and body.private_key_type != RSA:
        yield Problem("key_size", f"only {RSA} keys come in several sizes; leave it out", code=NO_SIZE)
    elif body.key_size and body.key_size not in RSA_SIZES:
        yield Problem("key_size", f"must be one of {', '.join(map(str, RSA_SIZES))}", code=BAD_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityDeclared(Texts):
    """
    :ivar private_key: the key that signs, in OpenSSH's or PEM form and without a passphrase. It may stand elsewhere.
    """

    private_key: Annotated[str, EXTERNAL] = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.private_key:
            # A key made at random would be another one at every start, and end every certificate.
            message = "is required here: make one with 'ssh-keygen -t ed25519 -f ca', and say 'private_key: file:ca'"
            raise InvalidConfig([Problem("private_key", message)])
        try:
            read_private_key(self.private_key)
        except ValueError as error:
            raise InvalidConfig([Problem("private_key", str(error))]) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityView(Seen):
    """
    :ivar public_key: the key that certificates are checked with, as a line of ``authorized_keys``.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    """

    public_key: str
    key_type: str


class SSHCertificateAuthorities(Collection[SSHCertificateAuthority]):
    """The collection of authorities. Their private keys never leave the server."""

    name = "ssh_certificate_authorities"
    path = "/ssh_certificate_authorities"
    list_key = "ssh_certificate_authorities"
    noun = "SSH certificate authority"
    record = SSHCertificateAuthority
    View = AuthorityView
    Create = AuthorityCreate
    Update = TextsUpdate
    Declared = AuthorityDeclared
    declared_at = "ssh_certificate_authorities"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {
        "description": 1937,
        "metadata": 1938,
        "private_key_type": BAD_TYPE,
        "key_size": BAD_SIZE,
        "elliptic_curve": BAD_CURVE,
    }

    async def prepared(self, call: Call, body: Any) -> AuthorityDeclared:
        """Collection. The key is made in a thread, where there is one: a large RSA key takes seconds."""
        wanted = (body.private_key_type, body.elliptic_curve, body.key_size)
        in_thread = call.parts.more.get("in_thread")
        private_key = make_key(*wanted) if in_thread is None else await in_thread(make_key, *wanted)
        return AuthorityDeclared(description=body.description, metadata=body.metadata, private_key=private_key)

    def make(self, making: Making, body: Any) -> SSHCertificateAuthority:
        """Collection."""
        key = read_private_key(body.private_key)
        return SSHCertificateAuthority(
            **self.common(making, body),
            private_key=body.private_key,
            public_key=key.public_key,
            key_type=key.key_type,
        )

    def removed(self, call: Call, record: SSHCertificateAuthority, records: Snapshot) -> Changes:
        """Collection."""
        certificates: tuple[SSHHostCertificate | SSHUserCertificate, ...]
        certificates = (*records.all(SSHHostCertificate), *records.all(SSHUserCertificate))
        left = sum(certificate.ssh_certificate_authority_id == record.id for certificate in certificates)
        if left:
            raise Refused(IN_USE, f"It has signed {left} certificates that are still here: delete these first.")
        return super().removed(call, record, records)

    def view(self, call: Call, record: SSHCertificateAuthority) -> AuthorityView:
        """Collection."""
        return AuthorityView(**self.seen(call, record), public_key=record.public_key, key_type=record.key_type)


ssh_certificate_authorities = SSHCertificateAuthorities()
