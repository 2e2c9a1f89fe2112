"""
SSH certificates as values: parsing and judging what a client shows, and signing what an authority grants.

Certificates are signed with the ``cryptography`` package. They are parsed here, since it takes no certificates of security
keys, and since what a stranger sends deserves a parser that refuses whatever has no business being there.

Source: OpenSSH's PROTOCOL.certkeys.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Iterator, Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType
from twisted.conch.ssh.common import NS

from ngrok_twisted.iam.ssh_authority_keys import load_private_key
from ngrok_twisted.iam.ssh_keys import check_blob, verifies
from ngrok_twisted.ssh_login import KEY_TYPES

#: Bytes of the largest certificate that is looked at; 20 principals and a few options take 2 KiB.
CERTIFICATE_MAX = 16 * 1024

#: OpenSSH takes no more principals than this (``SSHKEY_CERT_MAX_PRINCIPALS``).
PRINCIPALS_MAX = 256

#: What says for whom a certificate is.
USER, HOST = 1, 2

#: The last moment there is: OpenSSH's ``forever``.
FOREVER = 2**64 - 1

FORCE_COMMAND = "force-command"
SOURCE_ADDRESS = "source-address"

#: The critical options that a login here can enforce.
ENFORCED = frozenset({FORCE_COMMAND, SOURCE_ADDRESS})

#: The strings of a public key's blob behind its type (RFC 4253, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f).
_KEY_STRINGS: Mapping[bytes, int] = {
    b"ssh-rsa": 2,
    b"ssh-ed25519": 1,
    b"ecdsa-sha2-nistp256": 2,
    b"ecdsa-sha2-nistp384": 2,
    b"ecdsa-sha2-nistp521": 2,
    b"sk-ssh-ed25519@openssh.com": 2,
    b"sk-ecdsa-sha2-nistp256@openssh.com": 3,
}


class BadCertificate(ValueError):
    """A certificate that cannot be used; the message says why and holds nothing that a stranger could choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """
    A certificate, taken apart. Nothing about it is proved yet.

    :ivar public_key: the blob of the certified key.
    :ivar serial: chosen by the authority.
    :ivar kind: `USER` or `HOST`.
    :ivar key_id: the authority's name for it.
    :ivar principals: login names or host names; empty for any.
    :ivar valid_after: its first second, since the epoch.
    :ivar valid_before: the first second at which it is not valid any more, since the epoch.
    :ivar critical_options: what a server must enforce, or else refuse.
    :ivar extensions: what the user may do.
    :ivar authority: the blob of the authority's key.
    :ivar signed: the bytes that the authority's signature covers.
    :ivar signature: the authority's.
    """

    public_key: bytes
    serial: int
    kind: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical_options: Mapping[str, str]
    extensions: Mapping[str, str]
    authority: bytes
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


# -- parsing -----------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes the fields of RFC 4251 section 5 off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise BadCertificate("it is cut short")
        self.at += size
        return taken

    def string(self) -> bytes:
        return self.take(self.number(4))

    def text(self) -> str:
        try:
            return self.string().decode("utf-8")
        except UnicodeDecodeError:
            raise BadCertificate("a text in it is not UTF-8") from None

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    @property
    def more(self) -> bool:
        return self.at < len(self._data)

    def end(self) -> None:
        if self.more:
            raise BadCertificate("something stands behind its end")


def parse_certificate(blob: bytes) -> Certificate:
    """
    :param blob: a certificate as it is sent.
    :raises BadCertificate: it is malformed, or of a kind that is not known.
    """
    if len(blob) > CERTIFICATE_MAX:
        raise BadCertificate(f"it has more than {CERTIFICATE_MAX} bytes")
    reader = _Reader(blob)
    key_type = KEY_TYPES.get(reader.string())
    if key_type is None:
        raise BadCertificate("it is of a type that is not accepted")
    reader.string()  # the nonce
    public_key = NS(key_type) + b"".join(NS(reader.string()) for _ in range(_KEY_STRINGS[key_type]))
    values: dict[str, Any] = {
        "public_key": public_key,
        "serial": reader.number(8),
        "kind": reader.number(4),
        "key_id": reader.text(),
        "principals": _principals(reader.string()),
        "valid_after": reader.number(8),
        "valid_before": reader.number(8),
        "critical_options": _options(reader.string()),
        "extensions": _options(reader.string()),
    }
    reader.string()  # reserved
    authority = reader.string()
    signed = blob[: reader.at]
    signature = reader.string()
    reader.end()
    return Certificate(**values, authority=authority, signed=signed, signature=signature)


def _principals(data: bytes) -> tuple[str, ...]:
    reader = _Reader(data)
    names: list[str] = []
    while reader.more:
        names.append(reader.text())
        if not names[-1] or len(names) > PRINCIPALS_MAX:
            raise BadCertificate(f"it has an empty principal, or more than {PRINCIPALS_MAX}")
    return tuple(names)


def _options(data: bytes) -> dict[str, str]:
    """Options and extensions: names in order, each once; a value is a string within a string."""
    reader = _Reader(data)
    found: dict[str, str] = {}
    last = b""
    while reader.more:
        name, value = reader.string(), _Reader(reader.string())
        if name <= last:
            raise BadCertificate("its options are not in order, or one stands twice")
        last = name
        found[_decoded(name)] = value.text() if value.more else ""
        value.end()
    return found


def _decoded(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        raise BadCertificate("the name of an option is not ASCII") from None


# -- judging -----------------------------------------------------------------------------------------------------------


def check_signature(certificate: Certificate) -> None:
    """
    That the key in the certificate is one we accept, and that the authority named in it has signed it: with SHA-2 where it
    is RSA, and not by a certificate itself.

    :raises BadCertificate: it is not so.
    """
    for what, blob in (("certified key", certificate.public_key), ("authority's key", certificate.authority)):
        try:
            check_blob(blob)
        except ValueError:
            raise BadCertificate(f"the {what} is not accepted") from None
    algorithm = _Reader(certificate.signature).string()
    if not verifies(algorithm, certificate.authority, certificate.signature, certificate.signed):
        raise BadCertificate("the authority's signature is wrong")


def check_login(certificate: Certificate, now: float, peer_host: str) -> None:
    """
    That the certificate lets a user in here and now. Its principals are not looked at.

    :param now: seconds since the epoch.
    :param peer_host: the client's IP address.
    :raises BadCertificate: it does not.
    """
    if certificate.kind != USER:
        raise BadCertificate("it is not a user's certificate")
    if now < certificate.valid_after:
        raise BadCertificate("it is not valid yet")
    if now >= certificate.valid_before:
        raise BadCertificate("it has expired")
    unknown = sorted(set(certificate.critical_options) - ENFORCED)
    if unknown:
        raise BadCertificate("it has a critical option that is not known here")
    if "permit-port-forwarding" not in certificate.extensions:
        raise BadCertificate("it lacks the extension permit-port-forwarding")
    sources = certificate.critical_options.get(SOURCE_ADDRESS)
    if sources is not None and not _comes_from(peer_host, sources):
        raise BadCertificate("its source-address does not permit the client's address")


def _comes_from(peer_host: str, sources: str) -> bool:
    try:
        address = ip_address(peer_host)
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in networks(sources))
    except ValueError:
        return False


def networks(sources: str) -> list[Any]:
    """
    The value of ``source-address``.

    :param sources: addresses and networks with commas between them, such as ``192.0.2.0/24,2001:db8::1``.
    :raises ValueError: one of them is neither.
    """
    return [ip_network(source) for source in sources.split(",")]


# -- signing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """
    What an authority signs; the fields are those of `Certificate`.
    """

    public_key: str
    serial: int
    kind: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical_options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)


def sign(grant: Grant, private_key: str) -> str:
    """
    :param grant: its ``public_key`` is a line, and was checked.
    :param private_key: the authority's. RSA keys sign with ``rsa-sha2-512``.
    :return: the certificate, ``<type> <base64>``.
    """
    # Without the comment, which need not be ASCII.
    key: Any = serialization.load_ssh_public_key(" ".join(grant.public_key.split()[:2]).encode("ascii"))
    builder = (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(grant.serial)
        .type(SSHCertificateType.USER if grant.kind == USER else SSHCertificateType.HOST)
        .key_id(grant.key_id.encode())
        .valid_after(grant.valid_after)
        .valid_before(grant.valid_before)
    )
    names = [name.encode() for name in grant.principals]
    builder = builder.valid_principals(names) if names else builder.valid_for_all_principals()
    for name, value in _pairs(grant.critical_options):
        builder = builder.add_critical_option(name, value)
    for name, value in _pairs(grant.extensions):
        builder = builder.add_extension(name, value)
    return builder.sign(load_private_key(private_key)).public_bytes().decode("ascii")


def _pairs(options: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    return ((name.encode(), value.encode()) for name, value in options.items())


def line_of(blob: bytes) -> str:
    """
    :param blob: a public key or a certificate, well-formed.
    :return: ``<type> <base64>``.
    """
    return f"{_Reader(blob).string().decode('ascii')} {b64encode(blob).decode('ascii')}"
