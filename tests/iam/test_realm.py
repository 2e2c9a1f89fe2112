"""
Tests of `ngrok_twisted.iam.realm`.
"""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface

from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.realm import Realm
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.ssh_credential import SSHCredential


class RealmTests(SynchronousTestCase):
    """`Realm`."""

    def setUp(self) -> None:
        """An account with a credential."""
        account = Account(id="ac_1", name="Ann")
        credential = SSHCredential(id="sshcr_1", account_id="ac_1", public_key="", acl=("bind:a.example.com",))
        self.records = Snapshot().with_changes([Put(account), Put(credential)])
        self.realm = Realm(lambda: self.records)

    def test_principal(self) -> None:
        """The avatar is the principal of the credential's account, whatever interface is asked for."""
        interface, principal, logout = self.realm.requestAvatar("sshcr_1", None, Interface)
        self.assertIs(interface, Interface)
        self.assertEqual(
            principal,
            Principal(account_id="ac_1", account_name="Ann", credential_id="sshcr_1", acl=("bind:a.example.com",)),
        )
        self.assertIsNone(logout())

    def test_gone(self) -> None:
        """A credential or account that was deleted meanwhile lets nobody in."""
        for change in (Delete(SSHCredential, "sshcr_1"), Delete(Account, "ac_1")):
            before = self.records
            self.records = before.with_changes([change])
            self.assertRaises(UnauthorizedLogin, self.realm.requestAvatar, "sshcr_1", None, Interface)
            self.records = before

    def test_misuse(self) -> None:
        """Nobody is let in anonymously or without an interface."""
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, (), None, Interface)
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, "sshcr_1", None)

    def test_disabled(self) -> None:
        """Nobody comes in with the credential of a service user that is disabled or gone."""
        credential = Credential(id="cr_1", account_id="ac_1", token_hash="", owner_id="service_1")
        bot = ServiceUser(id="service_1", account_id="ac_1", name="ci")
        self.records = self.records.with_changes([Put(credential), Put(bot)])
        self.assertEqual(self.realm.requestAvatar("cr_1", None, Interface)[1].owner_id, "service_1")
        for change in (
            Put(ServiceUser(id="service_1", account_id="ac_1", name="ci", active=False)),
            Delete(ServiceUser, "service_1"),
        ):
            self.records = self.records.with_changes([change])
            self.assertRaises(UnauthorizedLogin, self.realm.requestAvatar, "cr_1", None, Interface)

    def test_used(self) -> None:
        """Whoever is let in has used the credential, now; whoever is not has not."""
        uses: list[tuple[str, float]] = []
        clock = Clock()
        clock.advance(5)
        realm = Realm(lambda: self.records, clock, lambda id, seconds: uses.append((id, seconds)))
        realm.requestAvatar("sshcr_1", None, Interface)
        self.assertRaises(UnauthorizedLogin, realm.requestAvatar, "sshcr_2", None, Interface)
        self.assertEqual(uses, [("sshcr_1", 5.0)])
