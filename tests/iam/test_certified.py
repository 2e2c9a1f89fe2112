"""
Tests of `ngrok_twisted.iam.certified`.
"""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.certified import ACL, Certifier, CertifiedId, acl_of, find_certifier, owner_named
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.ssh_certificates import BadCertificate
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate
from ngrok_twisted.records.user import User
from tests.iam.certificates import authority

ACCOUNT = Account(id="ac_1", name="team")
RECORDS = Snapshot().with_changes(
    map(
        Put,
        (
            ACCOUNT,
            User(id="usr_1", account_id="ac_1", email="ann@example.com", name="Ann"),
            User(id="usr_2", account_id="ac_2", email="eve@example.com"),
            ServiceUser(id="service_1", account_id="ac_1", name="ci"),
            authority("ed25519"),
        ),
    )
)


def issued(**changes: object) -> Snapshot:
    """The records with a user certificate ``sucrt_1``."""
    given: dict[str, object] = {"ssh_certificate_authority_id": "sshca_1", **changes}
    record = SSHUserCertificate(
        id="sucrt_1",
        account_id="ac_1",
        public_key="",
        key_type="rsa",
        valid_after=0,
        valid_until=1,
        certificate="",
        **given,  # type: ignore[arg-type]
    )
    return RECORDS.with_changes([Put(record)])


class OwnerTests(SynchronousTestCase):
    """Whom principals name."""

    def test_named(self) -> None:
        """The account, its users and its service users; nobody in particular is the default user."""
        for names, owner in (
            ((), ""),
            (("team",), ""),
            (("ann@example.com",), "usr_1"),
            (("Ann",), "usr_1"),
            (("ci",), "service_1"),
            (("x", "ac_1"), ""),
        ):
            self.assertEqual(owner_named(RECORDS, ACCOUNT, names), owner)

    def test_nobody(self) -> None:
        """Others, and users of other accounts, are nobody here."""
        for name in ("root", "eve@example.com", "usr_2", ""):
            self.assertRaises(BadCertificate, owner_named, RECORDS, ACCOUNT, (name,))


class ACLTests(SynchronousTestCase):
    """What an extension says about names."""

    def test_rules(self) -> None:
        """Rules with commas between them; no extension permits everything."""
        self.assertEqual(acl_of({}), ())
        self.assertEqual(acl_of({ACL: "bind:a.example.com, bind:b=c"}), ("bind:a.example.com", "bind:b=c"))

    def test_refused(self) -> None:
        """A rule that cannot be read permits nothing, and none at all is no list."""
        for text in ("", ",", "bind:a.example.com,", "x"):
            self.assertRaises(BadCertificate, acl_of, {ACL: text})


class CertifierTests(SynchronousTestCase):
    """The credential behind a session."""

    def test_authority(self) -> None:
        """An authority is one, for anything its account may."""
        self.assertEqual(find_certifier(RECORDS, "sshca_1"), Certifier(id="sshca_1", account_id="ac_1"))

    def test_certificate(self) -> None:
        """A certificate's record is one, for whom and what it says."""
        records = issued(principals=("ci",), extensions={ACL: "bind:a=b"})
        found = find_certifier(records, "sucrt_1")
        self.assertEqual(found, Certifier(id="sucrt_1", account_id="ac_1", owner_id="service_1", acl=("bind:a=b",)))

    def test_gone(self) -> None:
        """Others are not, nor is a record whose authority or users are gone."""
        self.assertIsNone(find_certifier(RECORDS, "sucrt_1"))
        self.assertIsNone(find_certifier(RECORDS, "usr_1"))
        self.assertIsNone(find_certifier(issued(principals=("x",)), "sucrt_1"))
        self.assertIsNone(find_certifier(issued(ssh_certificate_authority_id="sshca_2"), "sucrt_1"))


class CertifiedIdTests(SynchronousTestCase):
    """An id that says more."""

    def test_applied(self) -> None:
        """It is the credential's id, and makes of its principal the certificate's."""
        principal = Principal(account_id="ac_1", account_name="team", credential_id="sshca_1", owner_id="usr_1")
        id = CertifiedId("sshca_1", ("bind:a=b",), "service_1", "http")
        self.assertEqual(id, "sshca_1")
        found = id.applied(principal)
        self.assertEqual((found.acl, found.owner_id, found.command), (("bind:a=b",), "service_1", "http"))
        self.assertEqual(CertifiedId("sshca_1", (), "", None).applied(principal), principal)

    def test_copied(self) -> None:
        """It comes whole to another process."""
        id = CertifiedId("sshca_1", ("bind:a.example",), "usr_1", "http")
        found = pickle.loads(pickle.dumps(id))
        self.assertEqual((found, type(found), vars(found)), (id, CertifiedId, vars(id)))
