"""
Tests for `ngrok_twisted.iam.owners`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.owners import is_administrator, owner_of, principal_of
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.user import User, default_user


class OwnerTests(SynchronousTestCase):
    """Owners of credentials."""

    def setUp(self) -> None:
        """An account with a user and a service user, and another account."""
        self.account, other = Account(id="ac_1", name="Ann"), Account(id="ac_2", name="Bob")
        self.user, self.bot = default_user(self.account), ServiceUser(id="service_1", account_id="ac_1", name="ci")
        changes = [Put(record) for record in (self.account, other, self.user, self.bot, default_user(other))]
        self.records = Snapshot().with_changes(changes)

    def credential(self, **fields: Any) -> Credential:
        """A credential of the account."""
        return Credential(id="cr_1", account_id="ac_1", token_hash="hash", acl=("bind:a.b",), **fields)

    def test_found(self) -> None:
        """An owner is found by either of a service user's ids; without an id it is the account's user."""
        found = [owner_of(self.records, self.account, id) for id in ("", self.user.id, "service_1", "bot_1")]
        self.assertEqual(found, [self.user, self.user, self.bot, self.bot])

    def test_strangers(self) -> None:
        """Whoever is of another account, or not there, owns nothing here."""
        other = next(user for user in self.records.all(User) if user.account_id == "ac_2")
        for id in (other.id, "usr_1", "service_2", "bot_2", "ci"):
            self.assertIsNone(owner_of(self.records, self.account, id))

    def test_administrators(self) -> None:
        """Users may act for others, service users may not."""
        self.assertEqual(
            [is_administrator(id) for id in (self.user.id, "", "service_1", "bot_1")], [True, True, False, False]
        )

    def test_principal(self) -> None:
        """A credential stands for its account, for its owner and for what it may bind."""
        principal = principal_of(self.records, self.credential(owner_id="bot_1"))
        self.assertEqual(
            (principal.account_id, principal.account_name, principal.owner_id, principal.acl, principal.proof),
            ("ac_1", "Ann", "service_1", ("bind:a.b",), "hash"),
        )
        self.assertEqual(principal_of(self.records, self.credential()).owner_id, self.user.id)

    def test_without_users(self) -> None:
        """Where nobody was named and nobody is known, a credential is its account's all the same."""
        records = self.records.with_changes([Delete(User, self.user.id)])
        self.assertEqual(principal_of(records, self.credential()).owner_id, "")

    def test_refused(self) -> None:
        """A suspended account, a disabled owner and one that is gone keep a credential from being used."""
        mine, theirs = self.credential(), self.credential(owner_id="service_1")
        disabled = ServiceUser(id="service_1", account_id="ac_1", name="ci", active=False)
        for change, credential, code in (
            (Put(Account(id="ac_1", name="Ann", suspended=True)), mine, 205),
            (Put(disabled), theirs, 636),
            (Delete(ServiceUser, "service_1"), theirs, 636),
        ):
            records = self.records.with_changes([change])
            self.assertEqual(self.assertRaises(Refused, principal_of, records, credential).code, code)
        gone = self.records.with_changes([Delete(Account, "ac_1")])
        self.assertRaises(LookupError, principal_of, gone, mine)
