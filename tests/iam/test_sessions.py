"""
Tests of `ngrok_twisted.iam.sessions`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.realm import DELETED
from ngrok_twisted.iam.sessions import CAME_BACK, MOVED, NARROWED, REPLACED, Sessions
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction
from ngrok_twisted.records.ssh_credential import SSHCredential


class FakeSession:
    """An agent session that notes why it was closed."""

    def __init__(self, id: str, credential_id: str, acl: tuple[str, ...] = ()) -> None:
        self.id = id
        self.principal = Principal(account_id="ac_1", account_name="", credential_id=credential_id, acl=acl)
        self.peer_host = "192.0.2.1"
        self.reasons: list[str] = []
        self.fails = False

    def close(self, reason: str) -> None:
        """IAgentSession."""
        self.reasons.append(reason)
        if self.fails:
            raise ValueError("broken")


class SessionsTests(SynchronousTestCase):
    """`Sessions`."""

    def setUp(self) -> None:
        """Two credentials; the first has two sessions."""
        self.records = Snapshot().with_changes([Put(Account(id="ac_1")), self.put("c1"), self.put("c2")])
        self.sessions = Sessions()
        self.a, self.b, self.c = FakeSession("a", "c1"), FakeSession("b", "c1"), FakeSession("c", "c2")
        self.forget_a, _, _ = [self.sessions.track(session) for session in (self.a, self.b, self.c)]

    def put(self, id: str, *acl: str) -> Put:
        """Write a credential."""
        return Put(SSHCredential(id=id, account_id="ac_1", public_key="", acl=acl))

    def reasons(self) -> list[list[str]]:
        """Why each session was closed."""
        return [self.a.reasons, self.b.reasons, self.c.reasons]

    def test_listeners(self) -> None:
        """Listeners are told who comes and goes, and why where the server said so; one that fails does not matter."""
        told: list[tuple[str, bool, str]] = []
        self.sessions.subscribe(lambda *_: 1 / 0)
        self.sessions.subscribe(lambda session, ended, reason: told.append((session.id, ended, reason)))
        forget = self.sessions.track(FakeSession("d", "c2"))
        self.sessions.revoke(["c2"], "because")
        forget()
        forget()
        self.forget_a()
        self.assertEqual(told, [("d", False, ""), ("d", True, "because"), ("a", True, "")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_comes_back(self) -> None:
        """A session that begins under the id of another one, of whatever credential, ends that first."""
        again = FakeSession("a", "c2")
        forget = self.sessions.track(again)
        self.assertEqual((self.a.reasons, again.reasons), ([CAME_BACK], []))
        self.forget_a()
        self.assertEqual([session for session in self.sessions.of("ac_1")], [self.b, self.c, again])
        forget()
        self.sessions.track(FakeSession("a", "c2"))
        self.assertEqual(again.reasons, [])
        self.assertEqual(sorted(self.sessions.credential_ids()), ["c1", "c2"])

    def test_restricted(self) -> None:
        """A restriction of agents refuses addresses that its policies do not admit, and closes sessions from there."""
        self.assertIsNone(self.sessions.refusal("ac_1", "192.0.2.1"))
        self.b.peer_host = "198.51.100.1"
        rule = IPPolicyRule(id="ipr_1", cidr="192.0.2.0/24", action="allow")
        policy = IPPolicy(id="ipp_1", account_id="ac_1", rules=(rule,))
        restriction = IPRestriction(
            id="ipx_1", account_id="ac_1", type="agent", ip_policy_ids=("ipp_1",), enforced=True
        )
        restricted = self.records.with_changes([Put(policy), Put(restriction)])
        self.sessions.update(restricted)
        refused = self.sessions.refusal("ac_1", "198.51.100.1")
        assert refused is not None
        self.assertEqual(refused.code, 115)
        self.assertEqual(self.reasons(), [[], [refused.message], []])
        self.assertIsNone(self.sessions.refusal("ac_1", "192.0.2.1"))
        self.assertIsNone(self.sessions.refusal("ac_2", "198.51.100.1"))
        self.sessions.update(restricted.with_changes([Delete(IPPolicy, "ipp_1")]))
        self.assertEqual([len(reasons) for reasons in self.reasons()], [1, 2, 1])

    def test_of(self) -> None:
        """The sessions of an account are found until they end."""
        self.assertEqual(list(self.sessions.of("ac_1")), [self.a, self.b, self.c])
        self.assertEqual(list(self.sessions.of("ac_2")), [])
        self.forget_a()
        self.assertEqual(list(self.sessions.of("ac_1")), [self.b, self.c])

    def test_unchanged(self) -> None:
        """Sessions stay while their credential does."""
        self.sessions.update(self.records)
        self.assertEqual(self.reasons(), [[], [], []])

    def test_deleted(self) -> None:
        """All sessions of a deleted credential are closed, and no others."""
        self.sessions.update(self.records.with_changes([Delete(SSHCredential, "c1")]))
        self.assertEqual(self.reasons(), [[DELETED], [DELETED], []])

    def test_narrowed(self) -> None:
        """Sessions are closed when their credential may bind less; those let in under the new rules stay."""
        late = FakeSession("d", "c1", ("bind:a.b",))
        self.sessions.track(late)
        self.sessions.update(self.records.with_changes([self.put("c1", "bind:a.b")]))
        self.assertEqual(self.reasons(), [[NARROWED], [NARROWED], []])
        self.assertEqual(late.reasons, [])

    def test_moved(self) -> None:
        """Sessions are closed when their credential was given to another account, for what they hold is not its."""
        moved = SSHCredential(id="c1", account_id="ac_2", public_key="")
        self.sessions.update(self.records.with_changes([Put(Account(id="ac_2")), Put(moved)]))
        self.assertEqual(self.reasons(), [[MOVED], [MOVED], []])

    def test_replaced(self) -> None:
        """Sessions end when their credential has another token by now; those let in with it stay."""
        credential = Credential(id="c3", account_id="ac_1", token_hash="old")
        old, new = FakeSession("d", "c3"), FakeSession("e", "c3")
        for session, proof in ((old, "old"), (new, "new")):
            session.principal = replace(session.principal, proof=proof)
            self.sessions.track(session)
        self.sessions.update(self.records.with_changes([Put(replace(credential, token_hash="new"))]))
        self.assertEqual((old.reasons, new.reasons), ([REPLACED], []))

    def test_revoke(self) -> None:
        """Sessions are closed for the reason given, also when one of them breaks."""
        self.a.fails = True
        self.sessions.revoke(["c1", "unknown"], "stopped")
        self.assertEqual(self.reasons(), [["stopped"], ["stopped"], []])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_forgotten(self) -> None:
        """A session that has ended is not closed; to forget it twice is nothing."""
        self.assertEqual(self.sessions.count("c1"), 2)
        self.forget_a()
        self.forget_a()
        self.sessions.revoke(["c1"], "stopped")
        self.assertEqual(self.reasons(), [[], ["stopped"], []])
        self.assertEqual((self.sessions.count("c1"), len(self.sessions)), (1, 2))

    def test_all_forgotten(self) -> None:
        """Nothing is kept of credentials without sessions."""
        sessions = Sessions()
        sessions.track(self.a)()
        self.assertEqual((sessions.count("c1"), len(sessions)), (0, 0))
