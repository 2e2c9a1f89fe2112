"""
What SSH host certificates and user certificates have in common: the body that asks for one, and its way to the authority.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.moments import moment
from ngrok_twisted.control.api.shapes import Seen, Texts, timestamp
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.ssh_authority_keys import NotCertifiable, certifiable
from ngrok_twisted.iam.ssh_certificates import PRINCIPALS_MAX, Grant, sign
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority

#: ngrok's codes: the key cannot be read, is of a type that gets no certificate.
UNREADABLE, NOT_CERTIFIABLE = 1934, 1950

#: Bytes of one principal; a host name has 253 at most.
PRINCIPAL_MAX = 255

_SERIAL_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCreate(Texts):
    """
    :ivar ssh_certificate_authority_id: who shall sign it.
    :ivar public_key: the key to certify, as a line of ``authorized_keys``: RSA, ECDSA or Ed25519.
    :ivar principals: whom it is for: host names and addresses, or login names; empty for any.
    :ivar valid_after: its first second, in RFC 3339; now if it is left out.
    :ivar valid_until: when it ends, in RFC 3339.
    """

    ssh_certificate_authority_id: str
    public_key: str
    principals: tuple[str, ...] = ()
    valid_after: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView(Seen):
    """
    :ivar public_key: the certified key.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    :ivar ssh_certificate_authority_id: who signed it.
    :ivar principals: whom it is for; empty for any.
    :ivar valid_after: its first second.
    :ivar valid_until: when it ends.
    :ivar certificate: the signed certificate: the line of a ``-cert.pub`` file.
    """

    public_key: str
    key_type: str
    ssh_certificate_authority_id: str
    principals: tuple[str, ...]
    valid_after: str
    valid_until: str
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    What differs between the two kinds of certificates.

    :ivar kind: `ngrok_twisted.iam.ssh_certificates.USER` or ``HOST``.
    :ivar lifetime: seconds from now that it is valid for where nothing else was asked for.
    :ivar no_authority: ngrok's code for an authority that is not there.
    :ivar no_duration: ngrok's code for a certificate that ends before it begins.
    """

    kind: int
    lifetime: int
    no_authority: int
    no_duration: int


def body_problems(body: CertificateCreate) -> Iterator[Problem]:
    """What is wrong with a body, whatever records there are."""
    try:
        certifiable(body.public_key)
    except NotCertifiable as error:
        yield Problem("public_key", str(error), code=NOT_CERTIFIABLE)
    except ValueError as error:
        yield Problem("public_key", str(error), code=UNREADABLE)
    if len(body.principals) > PRINCIPALS_MAX:
        yield Problem("principals", f"has more than {PRINCIPALS_MAX} entries, which OpenSSH does not read")
    for number, name in enumerate(body.principals):
        if not name or not name.isprintable() or "," in name or len(name.encode("utf-8")) > PRINCIPAL_MAX:
            yield Problem(f"principals[{number}]", f"must be 1 to {PRINCIPAL_MAX} printable bytes without a comma")
    for field in ("valid_after", "valid_until"):
        try:
            moment(getattr(body, field))
        except ValueError as error:
            yield Problem(field, str(error))


def certified(
    terms: Terms,
    making: Making,
    body: CertificateCreate,
    critical_options: Mapping[str, str],
    extensions: Mapping[str, str],
) -> dict[str, Any]:
    """
    Have a certificate signed.

    :return: the fields that records of both kinds have.
    :raises InvalidConfig: the account has no such authority; the certificate would end before it begins.
    """
    authority = making.records.get(SSHCertificateAuthority, body.ssh_certificate_authority_id)
    if authority is None or authority.account_id != making.account_id:
        message = f"there is no SSH certificate authority {body.ssh_certificate_authority_id[:60]}"
        raise InvalidConfig([Problem("ssh_certificate_authority_id", message, code=terms.no_authority)])
    after, until = _validity(terms, making, body)
    grant = Grant(
        public_key=body.public_key,
        serial=int.from_bytes(making.random_bytes(_SERIAL_BYTES), "big"),
        kind=terms.kind,
        key_id=making.id,
        principals=body.principals,
        valid_after=after,
        valid_before=until,
        critical_options=critical_options,
        extensions=extensions,
    )
    return {
        "ssh_certificate_authority_id": authority.id,
        "public_key": body.public_key,
        "key_type": certifiable(body.public_key),
        "principals": body.principals,
        "valid_after": after,
        "valid_until": until,
        "certificate": sign(grant, authority.private_key),
    }


def _validity(terms: Terms, making: Making, body: CertificateCreate) -> tuple[int, int]:
    now = int(making.created_at)
    after, until = moment(body.valid_after), moment(body.valid_until)
    after = now if after is None else after
    until = now + terms.lifetime if until is None else until
    if until <= after:
        message = f"must be later than valid_after, which is {timestamp(after)}"
        if not body.valid_until:
            message += f"; without it the certificate ends {terms.lifetime // 3600} hours from now"
        raise InvalidConfig([Problem("valid_until", message, code=terms.no_duration)])
    return after, until


def certificate_fields(record: Any) -> dict[str, Any]:
    """What both views show of a record, beside the fields of `Seen`."""
    return {
        "public_key": record.public_key,
        "key_type": record.key_type,
        "ssh_certificate_authority_id": record.ssh_certificate_authority_id,
        "principals": record.principals,
        "valid_after": timestamp(record.valid_after),
        "valid_until": timestamp(record.valid_until),
        "certificate": record.certificate,
    }
