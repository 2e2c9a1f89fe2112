"""
Tests for `ngrok_twisted.iam.api_keys`.
"""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.api_keys import HEADER_MAX, APIKeys
from ngrok_twisted.iam.tokens import new_token, token_hash
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.user import default_user

KSUID = "0123456789ABCDEFGHIJKLMNOPQ"
TOKEN, HASH = new_token("ak_" + KSUID, lambda count: bytes(range(count)))
AUTHTOKEN = new_token("cr_" + KSUID, lambda count: b"\1" * count)[0]
UNKNOWN = new_token("ak_" + KSUID, lambda count: b"\2" * count)[0]
DECLARED = "my-own-token-of-old"


def basic(user: str, password: str = "") -> str:
    """A header of HTTP's Basic authentication."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class APIKeysTests(SynchronousTestCase):
    """`APIKeys`."""

    def setUp(self) -> None:
        """An account with a user, a service user, API keys and an authtoken."""
        account = Account(id="ac_1", name="Ann")
        self.user = default_user(account, "Ann@Example.com")
        self.bot = ServiceUser(id="service_" + KSUID, account_id="ac_1", name="ci")
        self.key = APIKey(id="ak_" + KSUID, account_id="ac_1", token_hash=HASH)
        self.records = Snapshot().with_changes(
            [
                Put(account),
                Put(self.user),
                Put(self.bot),
                Put(self.key),
                Put(APIKey(id="ak_2", account_id="ac_1", token_hash=token_hash(DECLARED), declared=True)),
                Put(Credential(id="cr_" + KSUID, account_id="ac_1", token_hash=token_hash(AUTHTOKEN))),
            ]
        )
        self.uses: list[tuple[str, float]] = []
        self.clock = Clock()
        self.keys = APIKeys(lambda: self.records, self.clock, lambda id, seconds: self.uses.append((id, seconds)))

    def refused(self, header: str | None) -> int:
        """The code that a header is refused with."""
        code = self.assertRaises(Refused, self.keys.principal_for, header).code
        assert code is not None
        return code

    def test_bearer(self) -> None:
        """A key stands for its account and its owner, whatever case the scheme is written in."""
        for scheme in ("Bearer", "bearer", "BEARER"):
            principal = self.keys.principal_for(f"{scheme}  {TOKEN} ")
            self.assertEqual(
                (
                    principal.account_id,
                    principal.account_name,
                    principal.credential_id,
                    principal.owner_id,
                    principal.acl,
                ),
                ("ac_1", "Ann", self.key.id, self.user.id, ()),
            )

    def test_basic(self) -> None:
        """A key may be the user or the password."""
        for header in (basic(TOKEN), basic("", TOKEN), basic("api", TOKEN), basic(TOKEN, "x")):
            self.assertEqual(self.keys.principal_for(header).credential_id, self.key.id)

    def test_declared(self) -> None:
        """A declared token of any form lets in."""
        self.assertEqual(self.keys.principal_for(f"Bearer {DECLARED}").credential_id, "ak_2")

    def test_same_token_for_both(self) -> None:
        """One token may be an API key and an authtoken."""
        both = Credential(id="cr_2", account_id="ac_1", token_hash=HASH)
        self.records = self.records.with_changes([Put(both)])
        self.assertEqual(self.keys.principal_for(f"Bearer {TOKEN}").credential_id, self.key.id)

    def test_codes(self) -> None:
        """Each way to be wrong has ngrok's code."""
        for header, code in (
            (None, 200),
            ("", 200),
            ("  ", 200),
            ("Bearer", 201),
            ("Bearer ", 201),
            (TOKEN, 201),
            ("Digest x", 201),
            ("Basic", 201),
            ("Basic ===", 201),
            ("Basic \u00e9", 201),
            (basic("", ""), 201),
            ("Basic " + b64encode(b"\xff:\xff").decode(), 201),
            ("Bearer " + "x" * HEADER_MAX, 201),
            ("Bearer key", 202),
            (basic("user", "password"), 202),
            (f"Bearer {UNKNOWN}", 203),
            (basic(UNKNOWN), 203),
            (basic("api", UNKNOWN), 203),
            (f"Bearer {AUTHTOKEN}", 206),
            (basic("api", AUTHTOKEN), 206),
            (f"Bearer {self.key.id}", 208),
            ("Bearer ak_" + "0" * 27, 208),
        ):
            self.assertEqual(self.refused(header), code, header)
        self.assertEqual(self.uses, [])

    def test_revoked(self) -> None:
        """A key that was deleted, or whose account was, is as unknown as one that never was."""
        before = self.records
        self.records = before.with_changes([Delete(APIKey, self.key.id)])
        revoked = self.assertRaises(Refused, self.keys.principal_for, f"Bearer {TOKEN}")
        self.records = before.with_changes([Delete(Account, "ac_1")])
        gone = self.assertRaises(Refused, self.keys.principal_for, f"Bearer {TOKEN}")
        unknown = self.assertRaises(Refused, self.keys.principal_for, f"Bearer {UNKNOWN}")
        self.assertEqual({(error.code, error.message) for error in (revoked, gone, unknown)}, {(203, unknown.message)})

    def test_suspended(self) -> None:
        """A suspended account is told so."""
        self.records = self.records.with_changes([Put(Account(id="ac_1", name="Ann", suspended=True))])
        self.assertEqual(self.refused(f"Bearer {TOKEN}"), 205)

    def test_owner(self) -> None:
        """A key acts for its service user, under either prefix, while that one is active."""
        for owner_id in (self.bot.id, "bot_" + KSUID):
            key = APIKey(id=self.key.id, account_id="ac_1", token_hash=HASH, owner_id=owner_id)
            self.records = self.records.with_changes([Put(key), Put(self.bot)])
            self.assertEqual(self.keys.principal_for(f"Bearer {TOKEN}").owner_id, self.bot.id)
            disabled = ServiceUser(id=self.bot.id, account_id="ac_1", name="ci", active=False)
            for change in (Put(disabled), Delete(ServiceUser, self.bot.id)):
                self.records = self.records.with_changes([change])
                self.assertEqual(self.refused(f"Bearer {TOKEN}"), 636)

    def test_other_accounts_owner(self) -> None:
        """An owner of another account is no owner."""
        stranger = ServiceUser(id=self.bot.id, account_id="ac_2", name="ci")
        key = APIKey(id=self.key.id, account_id="ac_1", token_hash=HASH, owner_id=self.bot.id)
        self.records = self.records.with_changes([Put(stranger), Put(key)])
        self.assertEqual(self.refused(f"Bearer {TOKEN}"), 636)

    def test_used(self) -> None:
        """Whoever is let in has used the key, now."""
        self.clock.advance(7)
        self.keys.principal_for(f"Bearer {TOKEN}")
        self.assertEqual(self.uses, [(self.key.id, 7.0)])

    def test_secret(self) -> None:
        """What was sent is in no refusal and in no principal."""
        secret = UNKNOWN.rpartition("_")[2]
        for header in (f"Bearer {UNKNOWN}", basic("api", UNKNOWN), secret):
            error = self.assertRaises(Refused, self.keys.principal_for, header)
            self.assertNotIn(secret, repr(error) + str(error))
        self.assertNotIn(HASH, repr(self.keys.principal_for(f"Bearer {TOKEN}")))

    @given(
        st.text(max_size=60)
        | st.builds("Basic {}".format, st.text(max_size=40))
        | st.builds("Bearer {}".format, st.text())
    )
    def test_anything(self, header: str) -> None:
        """Whatever is sent is refused with one of the codes."""
        self.assertIn(self.refused(header), (200, 201, 202, 203, 206, 208))
