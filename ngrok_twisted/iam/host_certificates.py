"""
`HostCertificates`: what authorities have said about this server's own host keys.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Callable, Iterable, Mapping

from twisted.logger import Logger

from ngrok_twisted.iam.ssh_keys import read_public_key
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate


class HostCertificates:
    """
    Finds the certificates to present among the records of one account: the operator's. Host keys are public, so that any
    account could have them certified, by an authority that no user of this server trusts.
    """

    _log = Logger()

    def __init__(self, records: Callable[[], Snapshot], clock: Any, account_id: str) -> None:
        """
        :param records: gives the current records.
        :param clock: an ``IReactorTime`` that counts from the epoch.
        :param account_id: whose certificates count.
        """
        self._records = records
        self._clock = clock
        self._account_id = account_id
        self._table: Any = None
        self._by_key: dict[bytes, list[SSHHostCertificate]] = {}

    def __call__(self, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """
        :param keys: the blobs of public host keys.
        :return: for each key that has certificates which are valid now, the one made last.
        """
        records = self._records()
        table = records.tables.get(SSHHostCertificate.family)
        if table is not self._table:
            self._table = table
            self._by_key = self._index(records)
        if not self._by_key:
            return {}
        now = self._clock.seconds()
        found: dict[bytes, bytes] = {}
        for key in keys:
            for certificate in self._by_key.get(key, ()):
                if certificate.valid_after <= now < certificate.valid_until:
                    found[key] = b64decode(certificate.certificate.split()[1])
        return found

    def _index(self, records: Snapshot) -> dict[bytes, list[SSHHostCertificate]]:
        """By the certified key, the oldest first."""
        found: dict[bytes, list[SSHHostCertificate]] = {}
        mine = [record for record in records.all(SSHHostCertificate) if record.account_id == self._account_id]
        for record in sorted(mine, key=lambda record: record.id):
            try:
                found.setdefault(read_public_key(record.public_key), []).append(record)
            except ValueError as error:
                self._log.warn("certificate {id} is not used: {error}", id=record.id, error=str(error))
        return found
