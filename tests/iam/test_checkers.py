"""
Tests of `ngrok_twisted.iam.checkers`.
"""

from __future__ import annotations

from typing import Any

from twisted.conch.error import ValidPublicKey
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.authtoken_login import Authtoken, IAuthtoken, LoginRefused
from ngrok_twisted.iam import checkers
from ngrok_twisted.iam.checkers import (
    REFRESH_INTERVAL,
    REFRESH_TIMEOUT,
    AuthtokenChecker,
    SSHKeyChecker,
)
from ngrok_twisted.iam.realm import Realm
from ngrok_twisted.iam.tokens import new_token, token_hash
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.iam.keys import DATA, blob_of, line, proof, query, touched


class SSHKeyCheckerTests(SynchronousTestCase):
    """`SSHKeyChecker`."""

    def setUp(self) -> None:
        """One credential is known."""
        self.records = Snapshot()
        self.put("c1", "ed25519")
        self.clock = Clock()
        self.refreshes = 0
        self.refreshing: Any = None
        self.checker = SSHKeyChecker(lambda: self.records, self.clock, self.refresh)

    def put(self, id: str, kind: str) -> None:
        """Write a credential."""
        self.records = self.records.with_changes([Put(SSHCredential(id=id, public_key=line(blob_of(kind))))])

    def refresh(self) -> Any:
        """Count, and return what the test wants."""
        self.refreshes += 1
        return self.refreshing() if callable(self.refreshing) else self.refreshing

    def refused(self, credentials: Any, error: type[Exception] = UnauthorizedLogin) -> None:
        """The login fails at once with this error."""
        self.failureResultOf(self.checker.requestAvatarId(credentials), error)

    def accepted(self, credentials: Any) -> str:
        """The login succeeds at once with this id."""
        return self.successResultOf(self.checker.requestAvatarId(credentials))

    def test_query(self) -> None:
        """A known key that has not signed yet is worth a signature, and no more."""
        self.refused(query(blob_of("ed25519")), ValidPublicKey)
        self.assertEqual(self.refreshes, 0)

    def test_signed(self) -> None:
        """Whoever signs with a known key is its credential."""
        self.assertEqual(self.accepted(proof("ed25519")), "c1")

    def test_security_key(self) -> None:
        """Security keys log in as others do."""
        self.records = self.records.with_changes(
            [Put(SSHCredential(id="sk", public_key=line(touched("nistp256").blob)))]
        )
        self.assertEqual(self.accepted(touched("nistp256")), "sk")

    def test_unknown(self) -> None:
        """An unknown key is refused in both steps."""
        self.refused(query(blob_of("nistp256")))
        self.refused(proof("nistp256"))

    def test_wrong_signature(self) -> None:
        """A known key with a signature of something else is refused."""
        self.refused(proof("ed25519", data=DATA + b"!"))

    def test_only_the_signing_key(self) -> None:
        """Having offered a known key first helps nobody who then signs with another."""
        self.refused(query(blob_of("ed25519")), ValidPublicKey)
        forged = proof("other ed25519")
        self.refused(forged)
        forged.blob = blob_of("ed25519")
        self.refused(forged)

    def test_each_its_own(self) -> None:
        """With two keys known, one gets the credential of the key that signed."""
        self.put("c2", "other ed25519")
        self.assertEqual(self.accepted(proof("other ed25519")), "c2")
        self.assertEqual(self.accepted(proof("ed25519")), "c1")

    def test_deleted(self) -> None:
        """A deleted credential lets nobody in."""
        self.records = self.records.with_changes([Delete(SSHCredential, "c1")])
        self.refused(proof("ed25519"))

    def test_first_of_two(self) -> None:
        """A key that stands twice belongs to the older credential."""
        self.put("c2", "ed25519")
        self.assertEqual(self.accepted(proof("ed25519")), "c1")

    def test_bad_record(self) -> None:
        """A record that holds no key does not keep the others out."""
        self.records = Snapshot().with_changes([Put(SSHCredential(id="bad", public_key="nonsense"))])
        self.put("c1", "ed25519")
        self.assertEqual(self.accepted(proof("ed25519")), "c1")

    def test_rsa_sha1(self) -> None:
        """A known RSA key that signs with SHA-1 is refused; with SHA-2 it is accepted."""
        self.put("c3", "rsa")
        self.refused(proof("rsa", b"ssh-rsa"))
        self.assertEqual(self.accepted(proof("rsa", b"rsa-sha2-512")), "c3")

    def test_garbage(self) -> None:
        """What is not even a key is refused, and makes nobody look for new keys."""
        self.refused(query(b"\x00\x00\x00\x04junk", b"junk"))
        self.refused(query(b"", b"junk"))
        self.assertEqual(self.refreshes, 0)

    def test_freshly_added(self) -> None:
        """A key that the operator added since counts at once."""
        self.refreshing = lambda: self.put("c2", "nistp256")
        self.assertEqual(self.accepted(proof("nistp256")), "c2")
        self.assertEqual(self.refreshes, 1)

    def test_limited(self) -> None:
        """Unknown keys lead to one look a second, however many are offered."""
        for _ in range(5):
            self.refused(query(blob_of("nistp256")))
        self.assertEqual(self.refreshes, 1)
        self.clock.advance(REFRESH_INTERVAL)
        self.refused(query(blob_of("nistp256")))
        self.assertEqual(self.refreshes, 2)

    def test_waiting_together(self) -> None:
        """Logins during a look wait for it, and all see what it found."""
        looked: Deferred[None] = Deferred()
        self.refreshing = looked
        logins = [self.checker.requestAvatarId(proof("nistp256")) for _ in range(3)]
        logins[1].cancel()
        self.failureResultOf(logins[1])
        self.assertNoResult(logins[0])
        self.put("c2", "nistp256")
        looked.callback(None)
        self.assertEqual([self.successResultOf(logins[0]), self.successResultOf(logins[2])], ["c2", "c2"])
        self.assertEqual(self.refreshes, 1)

    def test_look_fails(self) -> None:
        """A look that fails is logged; the key stays unknown, and later looks are made."""
        self.refreshing = lambda: 1 / 0
        self.refused(proof("nistp256"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.refreshing = lambda: self.put("c2", "nistp256")
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(self.accepted(proof("nistp256")), "c2")

    def test_look_hangs(self) -> None:
        """A look that does not end holds a login up for a few seconds only."""
        self.refreshing = Deferred()
        login = self.checker.requestAvatarId(proof("nistp256"))
        self.clock.advance(REFRESH_TIMEOUT)
        self.failureResultOf(login, UnauthorizedLogin)
        self.flushLoggedErrors()

    def test_parsed_once(self) -> None:
        """A change of one credential does not read the keys of all others again."""
        self.accepted(proof("ed25519"))
        read: list[str] = []
        self.patch(checkers, "read_public_key", lambda line: read.append(line) or b"")
        self.records = self.records.with_changes([Put(SSHCredential(id="c9", public_key="new"))])
        self.accepted(proof("ed25519"))
        self.assertEqual(read, ["new"])


class AuthtokenCheckerTests(SynchronousTestCase):
    """`AuthtokenChecker`, behind a portal."""

    def setUp(self) -> None:
        """An account with an authtoken and an API key."""
        self.token, hash = new_token("cr_" + "0" * 27, lambda count: bytes(range(count)))
        self.key, key_hash = new_token("ak_" + "0" * 27, lambda count: bytes(count))
        self.records = Snapshot().with_changes(
            [
                Put(Account(id="ac_1", name="Ann")),
                Put(Credential(id="cr_1", account_id="ac_1", token_hash=hash, acl=("bind:a.b",))),
                Put(
                    Credential(id="cr_2", account_id="ac_1", token_hash=token_hash("a-token-of-my-own"), declared=True)
                ),
                Put(APIKey(id="ak_1", account_id="ac_1", token_hash=key_hash)),
            ]
        )
        self.portal = Portal(Realm(lambda: self.records), [AuthtokenChecker(lambda: self.records)])

    def login(self, token: str) -> Any:
        """Log in with a token."""
        return self.portal.login(Authtoken(token), None, IAuthtoken)

    def test_known(self) -> None:
        """A token is its credential's principal, with what it may bind; space around it does not count."""
        for token, id, acl in ((self.token, "cr_1", ("bind:a.b",)), (" a-token-of-my-own\n", "cr_2", ())):
            principal = self.successResultOf(self.login(token))[1]
            self.assertEqual((principal.account_id, principal.credential_id, principal.acl), ("ac_1", id, acl))

    def test_refused(self) -> None:
        """Each way to be wrong has ngrok's code, and the token is in no message."""
        unknown = new_token("cr_" + "1" * 27, lambda count: b"\1" * count)[0]
        for token, code in (("", 4018), ("abc", 105), ("x" * 1000, 105), (unknown, 107), (self.key, 107)):
            error = self.failureResultOf(self.login(token), LoginRefused).value
            self.assertEqual(error.refused.code, code)
            if token:
                self.assertNotIn(token, f"{error} {error.refused} {Authtoken(token)!r}")

    def test_suspended(self) -> None:
        """The reasons of the realm are told as well."""
        self.records = self.records.with_changes([Put(Account(id="ac_1", suspended=True))])
        self.assertEqual(self.failureResultOf(self.login(self.token), LoginRefused).value.refused.code, 205)
