"""
`SSHCertificateChecker`: lets users in whose certificate one of the SSH certificate authorities has signed.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Callable

from twisted.conch.error import ValidPublicKey
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.iam.certified import CertifiedId, acl_of, owner_named
from ngrok_twisted.iam.ssh_certificates import (
    FORCE_COMMAND,
    BadCertificate,
    Certificate,
    check_login,
    check_signature,
    parse_certificate,
)
from ngrok_twisted.iam.ssh_keys import read_public_key, verifies
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate
from ngrok_twisted.ssh_login import SIGNATURES, ISSHCertificateLogin

#: Characters of a key id that the log repeats: whoever made the certificate chose it.
SHOWN = 60

#: What the key ids of certificates are that the API has issued.
_ISSUED = re.compile(rf"{SSHUserCertificate.prefix}_[0-9A-Za-z]{{27}}\Z")


@implementer(ICredentialsChecker)
class SSHCertificateChecker:
    """
    Knows authorities by their public keys. Whose certificate it is, the authority's account says, never the client.
    """

    _log = Logger()
    credentialInterfaces = (ISSHCertificateLogin,)

    def __init__(self, records: Callable[[], Snapshot], clock: Any) -> None:
        """
        :param records: gives the current records.
        :param clock: an ``IReactorTime`` that counts from the epoch.
        """
        self._records = records
        self._clock = clock
        self._table: Any = None
        self._authorities: dict[bytes, SSHCertificateAuthority] = {}

    def requestAvatarId(self, credentials: Any) -> CertifiedId:  # type: ignore[override]
        """
        ICredentialsChecker.

        :raises ValidPublicKey: the certificate is good, and nothing was signed yet.
        :raises UnauthorizedLogin: the certificate is not good, or the signature is wrong.
        """
        found: Certificate | None = None
        try:
            found = parse_certificate(credentials.blob)
            id = self._judged(found, credentials)
            if credentials.signature is None:
                raise ValidPublicKey()
            algorithm = SIGNATURES.get(credentials.algorithm, b"")
            if not verifies(algorithm, found.public_key, credentials.signature, credentials.signed):
                raise BadCertificate("the client has not signed with the certified key")
            return id
        except BadCertificate as error:
            self._say(error, found, credentials)
            raise UnauthorizedLogin("the certificate is not accepted") from None

    def _say(self, error: BadCertificate, found: Certificate | None, login: Any) -> None:
        key_id = "" if found is None else found.key_id[:SHOWN]
        serial = 0 if found is None else found.serial
        self._log.warn(
            "ssh certificate refused: {reason} (key id {key_id!r}, serial {serial}, from {peer})",
            reason=str(error),
            key_id=key_id,
            serial=serial,
            peer=login.peer_host,
        )

    def _judged(self, certificate: Certificate, login: Any) -> CertifiedId:
        authority = self._authority(certificate.authority)
        if authority is None:
            raise BadCertificate("it is not signed by an SSH certificate authority of this server")
        check_signature(certificate)
        check_login(certificate, self._clock.seconds(), login.peer_host)
        snapshot = self._records()
        account = snapshot.get(Account, authority.account_id)
        if account is None:
            raise BadCertificate("the account of its authority is gone")
        return CertifiedId(
            _credential_id(snapshot, authority, certificate, login.blob),
            acl_of(certificate.extensions),
            owner_named(snapshot, account, certificate.principals),
            certificate.critical_options.get(FORCE_COMMAND),
        )

    def _authority(self, blob: bytes) -> SSHCertificateAuthority | None:
        records = self._records()
        table = records.tables.get(SSHCertificateAuthority.family)
        if table is not self._table:
            self._table = table
            self._authorities = {
                read_public_key(authority.public_key): authority for authority in records.all(SSHCertificateAuthority)
            }
        return self._authorities.get(blob)


def _credential_id(
    snapshot: Snapshot, authority: SSHCertificateAuthority, certificate: Certificate, blob: bytes
) -> str:
    """
    The record by which the session is known.

    :raises BadCertificate: the API has issued the certificate, and its record was deleted since.
    """
    if not _ISSUED.match(certificate.key_id):
        return authority.id
    record = snapshot.get(SSHUserCertificate, certificate.key_id)
    if record is None or b64decode(record.certificate.split()[1]) != blob:
        raise BadCertificate("its record was deleted")
    return record.id
