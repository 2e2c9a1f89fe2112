"""
SSH certificates of any shape, wrong ones included; written from OpenSSH's PROTOCOL.certkeys.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from twisted.conch.ssh.common import NS, getNS

from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.ssh_login import certified_name
from tests.iam.keys import blob_of, line, make_key

#: The extension without which nobody logs in.
FORWARDING = (("permit-port-forwarding", ""),)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """
    :ivar key: the blob of the key to certify.
    :ivar authority: the name of the authority's key, for `make_key`.
    :ivar shown_authority: the blob that stands in the certificate as the authority's key, if it is another.
    :ivar algorithm: what the authority signs with, if it is not the type of its key.
    :ivar signature: instead of a true one.
    :ivar tail: what stands behind the signature.
    """

    key: bytes = b""
    serial: int = 7
    kind: int = 1
    key_id: str = "laptop"
    principals: tuple[str, ...] = ()
    valid_after: int = 0
    valid_before: int = 2**64 - 1
    critical: tuple[tuple[str, str], ...] = ()
    extensions: tuple[tuple[str, str], ...] = FORWARDING
    authority: str = "other ed25519"
    shown_authority: bytes = b""
    algorithm: bytes = b""
    signature: bytes = b""
    tail: bytes = b""

    def blob(self) -> bytes:
        """The certificate."""
        key = self.key or blob_of("ed25519")
        key_type, rest = getNS(key)
        body = (
            NS(certified_name(key_type))
            + NS(b"n" * 32)
            + rest
            + struct.pack(">QI", self.serial, self.kind)
            + NS(self.key_id.encode())
            + NS(b"".join(NS(name.encode()) for name in self.principals))
            + struct.pack(">QQ", self.valid_after, self.valid_before)
            + NS(options(self.critical))
            + NS(options(self.extensions))
            + NS(b"")
            + NS(self.shown_authority or blob_of(self.authority))
        )
        return body + NS(self.signature or self._signed(body)) + self.tail

    def _signed(self, body: bytes) -> bytes:
        signer: Any = make_key(self.authority)
        signature: bytes = signer.sign(body, signatureType=self.algorithm or signer.sshType())
        return signature


def options(pairs: tuple[tuple[str, str], ...]) -> bytes:
    """Options as they stand in a certificate, in the given order."""
    return b"".join(NS(name.encode()) + NS(NS(value.encode()) if value else b"") for name, value in pairs)


def authority(kind: str, id: str = "sshca_1", account_id: str = "ac_1") -> SSHCertificateAuthority:
    """The record of an authority with the key of this name."""
    return SSHCertificateAuthority(
        id=id, account_id=account_id, private_key="", public_key=line(blob_of(kind)), key_type="x"
    )
