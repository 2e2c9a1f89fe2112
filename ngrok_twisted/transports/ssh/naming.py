"""
Names as users write them: in the bind address of ``-R``, in flags, in URLs.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise
from ngrok_twisted.transports.ssh.command import shown
from ngrok_twisted.transports.ssh.settings import GatewaySettings

#: What clients send when their user gave no name (measured: OpenSSH, Dropbear and plink send ``localhost``; OpenSSH
#: sends nothing for ``*:port``; paramiko users pass an empty string).
NO_NAME = frozenset((b"", b"localhost", b"*", b"0.0.0.0", b"::", b"127.0.0.1", b"::1"))


@dataclass(frozen=True, slots=True)
class Name:
    """A wanted name: ``label`` for a single label under the base domain, ``port`` where a URL has one of its own."""

    host: str
    label: str | None = None
    port: int | None = None


def key_of(address: bytes) -> bytes:
    """Addresses with the same key cannot be told apart by every client."""
    return b"" if address.lower() in NO_NAME else address


def credentials(address: bytes) -> tuple[str, bytes]:
    """Take ``user:password@`` off an address; sish writes it so."""
    before, at, after = address.rpartition(b"@")
    if not at:
        return "", address
    try:
        return before.decode("utf-8"), after
    except UnicodeDecodeError:
        raise Refused(326, "The bind address of -R is not UTF-8.") from None


def address_name(address: bytes, settings: GatewaySettings) -> Name | None:
    if address.lower() in NO_NAME:
        return None
    try:
        return name_of(address.decode("utf-8"), settings)
    except UnicodeDecodeError:
        raise Refused(326, "The bind address of -R is not UTF-8.") from None


def name_of(text: str, settings: GatewaySettings) -> Name:
    host = normalise(text)
    return Name(host) if "." in host else Name(f"{host}.{settings.base_domain}", host)


def is_internal(host: str) -> bool:
    return host.endswith(".internal")


def split_url(text: str) -> tuple[str, str, int | None]:
    """
    Take ``--url`` apart: scheme or empty, host or empty, port or ``None``.

    :raises Refused: ngrok's codes for URLs of endpoints.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError as error:
        code = 9033 if "cast" in str(error) else 9030 if "range" in str(error) else 9034
        raise Refused(code, f"'{shown(text)}' is not a URL.") from None
    if parts.path == "/" and not (parts.query or parts.fragment or parts.username is not None):
        raise Refused(9038, f"'{shown(text)}' ends with a slash. Leave it out.")
    if parts.path or parts.query or parts.fragment or "?" in text or "#" in text or "@" in text:
        raise Refused(9037, f"'{shown(text)}' holds more than scheme, host and port.")
    if parts.scheme and parts.scheme not in ("https", "http", "tls", "tcp"):
        raise Refused(9036, f"The scheme {shown(parts.scheme)} is unknown. Use https, http, tls or tcp.")
    if port == 0:
        raise Refused(9030, f"The port of '{shown(text)}' is out of range.")
    return parts.scheme, parts.hostname or "", port
