"""
Names as users write them: in the bind address of ``-R``, in flags, in URLs.
"""

from __future__ import annotations

from dataclasses import dataclass

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise
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
