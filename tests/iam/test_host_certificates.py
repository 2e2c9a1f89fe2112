"""
Tests of `ngrok_twisted.iam.host_certificates`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.host_certificates import HostCertificates
from ngrok_twisted.iam.ssh_certificates import line_of
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate
from tests.iam.certificates import Draft
from tests.iam.keys import blob_of, line

KEY = blob_of("ed25519")


def certificate(id: str, key: str = "ed25519", account_id: str = "ac_1", **more: Any) -> SSHHostCertificate:
    """A record; its serial is the number in its id."""
    given: dict[str, Any] = {"valid_after": 0, "valid_until": 2000, "public_key": line(blob_of(key)), **more}
    blob = Draft(key=blob_of(key), kind=2, serial=int(id[-1])).blob()
    return SSHHostCertificate(
        id=id,
        account_id=account_id,
        ssh_certificate_authority_id="sshca_1",
        key_type="x",
        certificate=line_of(blob),
        **given,
    )


class HostCertificatesTests(SynchronousTestCase):
    """What is presented."""

    def setUp(self) -> None:
        self.records = Snapshot()
        self.clock = Clock()
        self.clock.advance(1000)
        self.certificates = HostCertificates(lambda: self.records, self.clock, "ac_1")

    def put(self, *records: SSHHostCertificate) -> None:
        """Write records."""
        self.records = self.records.with_changes(map(Put, records))

    def serial(self) -> int | None:
        """The serial of what is presented for the key."""
        found = self.certificates([KEY]).get(KEY)
        if found is None:
            return None
        return next(n for n in range(10) if Draft(key=KEY, kind=2, serial=n).blob() == found)

    def test_none(self) -> None:
        """Without a certificate there is none."""
        self.assertEqual(self.certificates([KEY]), {})

    def test_own_keys(self) -> None:
        """Certificates of the keys that were asked for, and of no other."""
        self.put(certificate("c1"), certificate("c2", "rsa"))
        self.assertEqual(list(self.certificates([KEY, blob_of("nistp256")])), [KEY])

    def test_account(self) -> None:
        """Only the operator's account counts."""
        self.put(certificate("c1", account_id="ac_2"))
        self.assertIsNone(self.serial())

    def test_newest(self) -> None:
        """Of several the newest is presented; when it is deleted, the one before."""
        self.put(certificate("c2"), certificate("c1"))
        self.assertEqual(self.serial(), 2)
        self.records = self.records.with_changes([Delete(SSHHostCertificate, "c2")])
        self.assertEqual(self.serial(), 1)

    def test_window(self) -> None:
        """Only while it is valid: a newer one that is not valid yet does not hide the one that is."""
        self.put(certificate("c1", valid_until=1500), certificate("c2", valid_after=1200, valid_until=1800))
        self.assertEqual(self.serial(), 1)
        self.clock.advance(200)
        self.assertEqual(self.serial(), 2)
        self.clock.advance(600)
        self.assertIsNone(self.serial())

    def test_unreadable(self) -> None:
        """A record whose key cannot be read is left out."""
        self.put(certificate("c1"), certificate("c2", public_key="x"))
        self.assertEqual(self.serial(), 1)
