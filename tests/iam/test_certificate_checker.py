"""
Tests of `ngrok_twisted.iam.certificate_checker`, with the real realm behind it: from a certificate to a principal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import NS, getNS
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.certificate_checker import SSHCertificateChecker
from ngrok_twisted.iam.certified import ACL
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.realm import Realm, find_principal
from ngrok_twisted.iam.ssh_certificates import line_of
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate
from ngrok_twisted.records.user import User, default_user
from ngrok_twisted.ssh_login import CertificateLogin, certified_name
from tests.iam.certificates import FORWARDING, Draft, authority
from tests.iam.keys import DATA, blob_of, make_key, security_key, touched

ACCOUNT = Account(id="ac_1", name="team")
RECORD_ID = "sucrt_" + "0" * 27


def login(draft: Draft | bytes, signed: bool = True, peer_host: str = "192.0.2.7") -> CertificateLogin:
    """What a client shows that has the key ``ed25519``."""
    name = b"ssh-ed25519-cert-v01@openssh.com"
    blob = draft if isinstance(draft, bytes) else draft.blob()
    proof = {"signature": make_key("ed25519").sign(DATA), "signed": DATA} if signed else {}
    return CertificateLogin(username=b"v2", algorithm=name, blob=blob, peer_host=peer_host, **proof)


class CheckerCase(SynchronousTestCase):
    """One account with a user, two service users and an authority."""

    def setUp(self) -> None:
        self.records = Snapshot()
        self.user = default_user(ACCOUNT, "ann@example.com")
        self.put(
            ACCOUNT,
            self.user,
            ServiceUser(id="service_1", account_id="ac_1", name="ci"),
            ServiceUser(id="service_2", account_id="ac_1", name="retired", active=False),
            authority("other ed25519"),
        )
        self.clock = Clock()
        self.clock.advance(1000)
        realm = Realm(lambda: self.records)
        self.portal = Portal(realm, [SSHCertificateChecker(lambda: self.records, self.clock)])

    def put(self, *records: Record) -> None:
        """Write records."""
        self.records = self.records.with_changes(map(Put, records))

    def accepted(self, credentials: Any) -> Principal:
        """Who is let in."""
        _, principal, _ = self.successResultOf(self.portal.login(credentials, None, Principal))  # type: ignore[arg-type]
        assert isinstance(principal, Principal)
        return principal

    def refused(self, credentials: Any) -> str:
        """Why nobody is let in: the line in the log."""
        with capturedLogs() as events:
            d = self.portal.login(credentials, None, Principal)  # type: ignore[arg-type]
            self.failureResultOf(d, UnauthorizedLogin)
        (event,) = [event for event in events if "certificate refused" in (event["log_format"] or "")]
        self.assertEqual(event["log_level"].name, "warn")
        return str(event["log_format"].format_map(event))


class LoginTests(CheckerCase):
    """Who gets in."""

    def test_known(self) -> None:
        """Whoever has a certificate of an authority and signs with its key acts for the authority's account."""
        self.assertEqual(
            self.accepted(login(Draft())),
            Principal(account_id="ac_1", account_name="team", credential_id="sshca_1", owner_id=self.user.id),
        )

    def test_query(self) -> None:
        """A good certificate without a signature is worth one, and no more."""
        d = self.portal.login(login(Draft(), signed=False), None, Principal)  # type: ignore[arg-type]
        self.failureResultOf(d, ValidPublicKey)

    def test_signature(self) -> None:
        """The certificate alone, with another's signature, does not let in; nor does another name for the signature."""
        other = make_key("other ed25519").sign(DATA)
        self.assertIn("signed with the certified key", self.refused(replace(login(Draft()), signature=other)))
        self.refused(replace(login(Draft()), signed=b"other data"))
        self.refused(replace(login(Draft()), algorithm=b"ssh-ed25519"))

    def test_rsa(self) -> None:
        """RSA keys sign with SHA-2, and not with SHA-1."""
        for name, good in ((b"rsa-sha2-256", True), (b"rsa-sha2-512", True), (b"ssh-rsa", False)):
            shown = replace(
                login(Draft(key=blob_of("rsa"))),
                algorithm=certified_name(name),
                signature=make_key("rsa").sign(DATA, signatureType=name),
            )
            (self.accepted if good else self.refused)(shown)

    def test_security_keys(self) -> None:
        """Certified security keys log in, if somebody touches them."""
        for kind in ("ed25519", "nistp256"):
            for flags, good in ((1, True), (5, True), (0, False), (4, False)):
                proof = touched(kind, flags)
                shown = replace(
                    login(Draft(key=security_key(kind))),
                    algorithm=certified_name(getNS(proof.blob)[0]),
                    signature=proof.signature,
                    signed=proof.sigData,
                )
                (self.accepted if good else self.refused)(shown)

    def test_refused(self) -> None:
        """What is wrong with a certificate stands in the log, with the authority's name for it and the client's address."""
        for draft, reason in (
            (Draft(authority="nistp256"), "not signed by"),
            (Draft(signature=NS(b"ssh-ed25519") + NS(b"x" * 64)), "signature is wrong"),
            (Draft(authority="nistp256", shown_authority=blob_of("other ed25519")), "signature is wrong"),
            (Draft(kind=2), "not a user's"),
            (Draft(valid_before=1000), "expired"),
            (Draft(valid_after=1001), "not valid yet"),
            (Draft(critical=(("x", ""),)), "critical option"),
            (Draft(extensions=()), "permit-port-forwarding"),
            (Draft(critical=(("source-address", "198.51.100.0/24"),)), "source-address"),
            (Draft(key=blob_of("short rsa")), "certified key"),
            (Draft(principals=("root",)), "principals"),
            (Draft(extensions=((ACL, "bind"), *FORWARDING)), "rule"),
        ):
            said = self.refused(login(draft))
            self.assertIn(reason, said)
            self.assertIn("(key id 'laptop', serial 7, from 192.0.2.7)", said)

    def test_log_is_clean(self) -> None:
        """What a stranger wrote into a certificate reaches the log escaped and cut."""
        said = self.refused(login(Draft(kind=2, key_id="\n\x1b" + "x" * 1000)))
        self.assertTrue(said.isprintable())
        self.assertLess(len(said), 250)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are refused."""
        self.refused(login(data))
        self.refused(login(NS(b"ssh-ed25519-cert-v01@openssh.com") + data))

    def test_authority_deleted(self) -> None:
        """Without its authority a certificate counts no more, and its sessions have no principal left."""
        self.records = self.records.with_changes([Delete(SSHCertificateAuthority, "sshca_1")])
        self.refused(login(Draft()))
        self.assertIsNone(find_principal(self.records, "sshca_1"))

    def test_account_deleted(self) -> None:
        """Nor does it without the account."""
        self.records = self.records.with_changes([Delete(Account, "ac_1")])
        self.assertIn("account", self.refused(login(Draft())))

    def test_other_account(self) -> None:
        """The authority's account is the user's, and its principals are looked for there only."""
        self.put(Account(id="ac_2", name="rival"), authority("nistp256", "sshca_2", "ac_2"))
        rival = Draft(authority="nistp256")
        self.assertEqual(self.accepted(login(rival)).account_id, "ac_2")
        for name in ("ann@example.com", "ci", "team", "ac_1"):
            self.refused(login(replace(rival, principals=(name,))))


class MeaningTests(CheckerCase):
    """What a certificate lets its user do."""

    def owner(self, *principals: str) -> str:
        """Whom the certificate of these principals is for."""
        return self.accepted(login(Draft(principals=principals))).owner_id

    def test_principals(self) -> None:
        """Principals name the account, a user, or an active service user."""
        for names in (("ac_1",), ("team",), ("ann@example.com",), (self.user.id,), ("root", "team")):
            self.assertEqual(self.owner(*names), self.user.id)
        for names in (("ci",), ("service_1",), ("bot_1",), ("root", "ci")):
            self.assertEqual(self.owner(*names), "service_1")
        for name in ("retired", "service_2", "CI", "ci ", "*"):
            self.assertIn("principals", self.refused(login(Draft(principals=(name,)))))

    def test_nameless_users(self) -> None:
        """A user without an address is not everybody's."""
        self.put(User(id="usr_2", account_id="ac_1"))
        self.assertIn("principals", self.refused(login(Draft(principals=("x",)))))

    def test_acl(self) -> None:
        """An extension may say what the user may bind; without it that is anything."""
        self.assertEqual(self.accepted(login(Draft())).acl, ())
        extensions = ((ACL, "bind:*.example.com, bind:a=b"), *FORWARDING)
        self.assertEqual(self.accepted(login(Draft(extensions=extensions))).acl, ("bind:*.example.com", "bind:a=b"))

    def test_command(self) -> None:
        """A command that is forced reaches the principal."""
        self.assertIsNone(self.accepted(login(Draft())).command)
        forced = Draft(critical=(("force-command", "http --quiet"),))
        self.assertEqual(self.accepted(login(forced)).command, "http --quiet")


class IssuedTests(CheckerCase):
    """Certificates that the API has issued: their key id is that of a record."""

    def issue(self, **changes: Any) -> Draft:
        """A certificate, and its record."""
        draft = Draft(key_id=RECORD_ID, **changes)
        record = SSHUserCertificate(
            id=RECORD_ID,
            account_id="ac_1",
            ssh_certificate_authority_id="sshca_1",
            public_key="",
            key_type="ed25519",
            principals=draft.principals,
            extensions=dict(draft.extensions),
            valid_after=0,
            valid_until=1,
            certificate=line_of(draft.blob()),
        )
        self.put(record)
        return draft

    def test_credential(self) -> None:
        """The record is the credential."""
        extensions = ((ACL, "bind:a.example.com"), *FORWARDING)
        principal = self.accepted(login(self.issue(principals=("ci",), extensions=extensions)))
        self.assertEqual(principal.credential_id, RECORD_ID)
        self.assertEqual(find_principal(self.records, RECORD_ID), principal)

    def test_deleted(self) -> None:
        """Without its record the certificate counts no more."""
        draft = self.issue()
        self.records = self.records.with_changes([Delete(SSHUserCertificate, RECORD_ID)])
        self.assertIn("deleted", self.refused(login(draft)))
        self.assertIsNone(find_principal(self.records, RECORD_ID))

    def test_another_under_its_name(self) -> None:
        """Nobody else's certificate passes for a record's."""
        self.issue()
        self.assertIn("deleted", self.refused(login(Draft(key_id=RECORD_ID, serial=8))))

    def test_authority_gone(self) -> None:
        """A record whose authority is gone lets nobody in."""
        self.issue()
        self.records = self.records.with_changes([Delete(SSHCertificateAuthority, "sshca_1")])
        self.assertIsNone(find_principal(self.records, RECORD_ID))

    def test_service_user_disabled(self) -> None:
        """A certificate counts no more when everybody whom it names is disabled."""
        draft = self.issue(principals=("ci",))
        self.put(ServiceUser(id="service_1", account_id="ac_1", name="ci", active=False))
        self.assertIn("principals", self.refused(login(draft)))
        self.assertIsNone(find_principal(self.records, RECORD_ID))
