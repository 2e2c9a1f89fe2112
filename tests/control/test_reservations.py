"""
Tests of `ngrok_twisted.control.reservations`.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Callable

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.claim import Claim, Former, Grant
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.reservations import PORT_ATTEMPTS, PUBLISH_TIMEOUT, Reservations
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IReservations
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.edge import module
from ngrok_twisted.records.endpoint import Endpoint, Upstream
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.control.agents import FakeEdge, FakeSession
from tests.control.test_ownership import Edge

SETTINGS = ReservationSettings(
    base_domain="base.example",
    tcp_host="tcp.base.example",
    tcp_ports=range(2000, 2004),
    public_ports={"https": 8443, "tls": 8443, "http": 80},
    open_account_ids=frozenset({"ac_1"}),
)

APP = Claim(proto="https", label="app", slot="0:http")
POOLED = replace(APP, pooling=True)


class Case(SynchronousTestCase):
    """Reservations in front of a `FakeEdge`."""

    settings = SETTINGS

    def setUp(self) -> None:
        """Two sessions of one credential, one of another, and one of another account."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.edge = FakeEdge()
        self.records = Snapshot()
        self.start(self.settings)
        self.a, self.b = FakeSession("ts_a"), FakeSession("ts_b")
        self.mate = FakeSession("ts_mate", credential="c2")
        self.stranger = FakeSession("ts_stranger", "ac_2", "c3")

    def start(self, settings: ReservationSettings = SETTINGS, seed: int = 7) -> None:
        """Begin, or begin again, with nothing remembered."""
        self.reservations = Reservations(
            settings, lambda: self.records, self.edge.publish, self.clock, Random(seed), Random(seed + 1).randbytes
        )

    def write(self, *records: Record) -> None:
        """Write records."""
        self.records = self.records.with_changes(map(Put, records))

    def claim(self, session: FakeSession, claim: Claim = APP, **changes: Any) -> Deferred[Grant]:
        """Claim something."""
        return self.reservations.claim(session, replace(claim, **changes))

    def granted(self, session: FakeSession, claim: Claim = APP, **changes: Any) -> Grant:
        """The claim is granted at once."""
        return self.successResultOf(self.claim(session, claim, **changes))

    def refused(self, code: int | None, session: FakeSession, claim: Claim = APP, **changes: Any) -> str:
        """The claim is refused at once; here is why."""
        refusal = self.failureResultOf(self.claim(session, claim, **changes), Refused).value
        self.assertEqual(refusal.code, code, refusal.message)
        return str(refusal.message)


class GrantTests(Case):
    """What is granted, and what is refused."""

    def test_interface(self) -> None:
        """They are the reservations that transports know."""
        verifyObject(IReservations, self.reservations)

    def test_grant(self) -> None:
        """A grant holds the endpoint that the edge serves, and the URL that visitors type."""
        upstream = Upstream(protocol="http2")
        grant = self.granted(self.a, name="n", description="d", metadata="m", upstream=upstream, force_https=True)
        self.assertEqual(list(self.edge.live.values()), [grant.endpoint])
        self.assertEqual(
            replace(grant.endpoint, id=""),  # type: ignore[type-var]
            Endpoint(
                id="",
                account_id="ac_1",
                created_at=1_700_000_000,
                description="d",
                metadata="m",
                proto="https",
                host="app.base.example",
                port=443,
                name="n",
                session_id="ts_a",
                credential_id="c1",
                upstream=upstream,
                force_https=True,
            ),
        )
        self.assertEqual((grant.url, grant.session_id), ("https://app.base.example:8443", "ts_a"))

    def test_modules(self) -> None:
        """An endpoint has the modules of its claim; what they name must be there, and stay there."""
        modules = {"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=("ca_1",)))}
        for proto in ("https", "tcp"):
            self.refused(7072, self.a, Claim(proto=proto), modules=modules)
        self.assertEqual(self.edge.live, {})
        self.write(CertificateAuthority(id="ca_1", account_id="ac_1", ca_pem=""))
        grant = self.granted(self.a, modules=modules)
        assert grant.endpoint is not None
        self.assertEqual(grant.endpoint.modules, modules)
        self.reservations.recheck(self.records)
        self.assertEqual(self.a.revoked, [])
        self.records = Snapshot()
        self.reservations.recheck(self.records)
        self.assertEqual(self.edge.live, {})
        ((revoked, reason),) = self.a.revoked
        self.assertIs(revoked, grant)
        self.assertIn("ca_1", reason)

    def test_slow_edge(self) -> None:
        """A grant waits until the edge serves it."""
        self.edge.slow = True
        claiming = self.claim(self.a)
        self.assertNoResult(claiming)
        self.edge.turn()
        self.successResultOf(claiming)

    def test_edge_refuses(self) -> None:
        """What the edge cannot serve is not granted, and the name stays free."""
        self.edge.refuses = lambda endpoint: True
        self.refused(None, self.a)
        self.edge.refuses = lambda endpoint: False
        self.granted(self.stranger)

    def test_edge_hangs(self) -> None:
        """An edge that does not answer is not waited for, and what it does later is undone."""
        self.edge.slow = True
        claiming = self.claim(self.a)
        self.clock.advance(PUBLISH_TIMEOUT)
        self.failureResultOf(claiming, Refused)
        self.edge.turn()
        self.assertEqual(self.edge.places(), [])

    def test_release(self) -> None:
        """What is given back is no longer served, and may be had by others; to give it back again is nothing."""
        grant = self.granted(self.a)
        self.successResultOf(self.reservations.release(grant))
        self.assertEqual(self.edge.places(), [])
        other = self.granted(self.stranger)
        self.successResultOf(self.reservations.release(grant))
        self.assertEqual(list(self.edge.live.values()), [other.endpoint])

    def test_again(self) -> None:
        """A session may have the same again after it gave it back."""
        self.reservations.release(self.granted(self.a))
        self.granted(self.a)

    def test_release_fails(self) -> None:
        """An edge that breaks when something is given back is logged, and the name is free."""
        grant = self.granted(self.a)
        self.patch(self.reservations, "_publish", lambda put, delete: 1 / 0)
        self.successResultOf(self.reservations.release(grant))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reservations.listing("ac_1"), ())

    def test_unexpected(self) -> None:
        """An edge that breaks when something is claimed leaves nothing behind."""
        publish = self.edge.publish

        def broken(put: Endpoint | None, delete: Endpoint | None) -> Deferred[None]:
            publish(put, delete)
            return 1 / 0 if put else Deferred()  # type: ignore[return-value]

        self.patch(self.reservations, "_publish", broken)
        self.failureResultOf(self.claim(self.a), ZeroDivisionError)
        self.assertEqual(self.edge.places(), [])

    def test_cancelled(self) -> None:
        """A claim that is cancelled while the edge works leaves nothing behind, and the name is free."""
        self.edge.slow = True
        claiming = self.claim(self.a)
        claiming.cancel()
        self.failureResultOf(claiming, CancelledError)
        other = self.claim(self.stranger)
        self.edge.turn()
        self.assertEqual(list(self.edge.live.values()), [self.successResultOf(other).endpoint])

    def test_cancelled_in_queue(self) -> None:
        """A claim that is cancelled while others are before it is never published."""
        self.edge.slow = True
        first, second = self.claim(self.a, POOLED), self.claim(self.b, POOLED)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.edge.turn()
        self.assertEqual(list(self.edge.live.values()), [self.successResultOf(first).endpoint])

    def test_permissions(self) -> None:
        """The credential's rules count."""
        narrow = FakeSession("ts_n", acl=("bind:app.base.example",))
        self.granted(narrow)
        self.refused(316, narrow, label="other")
        self.refused(316, narrow, label=None)
        self.refused(356, narrow, Claim(proto="tcp"))
        self.refused(399, narrow, Claim(proto="labels", labels={"a": "b"}))

    def test_ownership(self) -> None:
        """The records count, as they are now."""
        self.write(ReservedDomain(id="1", account_id="ac_1", domain="app.base.example"))
        self.refused(320, self.stranger)
        self.granted(self.a)
        self.refused(319, self.a, label=None, host="shop.example")
        self.write(ReservedDomain(id="2", account_id="ac_1", domain="shop.example"))
        self.granted(self.a, label=None, host="shop.example")

    def test_records_change_meanwhile(self) -> None:
        """A name that another account reserved while the claim waited is not given."""
        dead = FakeSession("ts_dead")
        self.granted(dead)
        dead.alive = None
        claiming = self.claim(self.b)
        self.write(ReservedDomain(id="1", account_id="ac_2", domain="app.base.example"))
        self.clock.advance(3)
        self.assertEqual(self.failureResultOf(claiming, Refused).value.code, 320)

    def test_edges(self) -> None:
        """What an edge has is refused."""
        self.write(Edge(id="1", hostports=("app.base.example:443", "tcp.base.example:2000")))
        self.refused(381, self.a)
        self.granted(self.a, proto="http")
        self.assertNotIn(2000, [self.granted(self.a, Claim(proto="tcp")).endpoint.port for _ in range(3)])  # type: ignore

    def test_cloud_endpoints(self) -> None:
        """What a cloud endpoint has is refused, unless both pool."""
        cloud = Endpoint(id="1", account_id="ac_1", proto="https", host="app.base.example", port=443, type="cloud")
        self.write(cloud)
        self.refused(334, self.a)
        self.refused(334, self.a, POOLED)
        self.write(replace(cloud, pooling_enabled=True))
        self.refused(334, self.a)
        self.granted(self.a, POOLED)

    def test_labels(self) -> None:
        """A labelled tunnel has no endpoint and no URL, and nobody is in its way."""
        claim = Claim(proto="labels", labels={"app": "web"})
        grants = [self.granted(session, claim) for session in (self.a, self.b)]
        self.assertEqual([(grant.endpoint, grant.url) for grant in grants], [(None, "")] * 2)
        self.assertEqual(self.reservations.listing("ac_1"), tuple(grants))
        self.assertIsNone(self.reservations.holder(""))
        self.successResultOf(self.reservations.release(grants[0]))
        self.assertEqual(self.reservations.listing("ac_1"), (grants[1],))

    def test_listing(self) -> None:
        """What is live is listed by account, and found by its URL."""
        first, second = self.granted(self.a), self.granted(self.mate, label="other")
        theirs = self.granted(self.stranger, label="theirs")
        self.assertEqual(self.reservations.listing("ac_1"), (first, second))
        self.assertEqual(self.reservations.listing("ac_2"), (theirs,))
        self.assertIs(self.reservations.holder("https://other.base.example:8443"), second)
        self.assertIsNone(self.reservations.holder("https://nobody.base.example:8443"))

    def test_revoke(self) -> None:
        """A grant that is taken away is told of, once, and is no longer served."""
        grant = self.granted(self.a)
        self.successResultOf(self.reservations.revoke(grant, "stopped"))
        self.successResultOf(self.reservations.revoke(grant, "stopped"))
        self.assertEqual(self.a.revoked, [(grant, "stopped")])
        self.assertEqual(self.edge.places(), [])


class RecheckTests(Case):
    """What becomes of live grants when the records change."""

    def recheck(self, *records: Record) -> None:
        """Write records, and tell the reservations."""
        self.write(*records)
        self.reservations.recheck(self.records)

    def test_nothing_changed(self) -> None:
        """What could be claimed again stays, labelled tunnels too."""
        for claim in (APP, Claim(proto="https"), Claim(proto="tcp"), Claim(proto="labels", labels={"app": "web"})):
            self.granted(self.a, claim)
        self.recheck(ReservedDomain(id="1", account_id="ac_2", domain="else.example"))
        self.assertEqual(self.a.revoked, [])
        self.assertEqual(len(self.reservations.listing("ac_1")), 4)

    def test_name_given_away(self) -> None:
        """A name that belongs to another account now is taken away, its user reads why, and the new owner gets it."""
        self.write(ReservedDomain(id="1", account_id="ac_1", domain="shop.example"))
        shop = Claim(proto="https", host="shop.example")
        old = self.granted(self.a, shop)
        self.recheck(ReservedDomain(id="1", account_id="ac_2", domain="shop.example"))
        [(grant, reason)] = self.a.revoked
        self.assertIs(grant, old)
        self.assertIn("https://shop.example:8443 was taken away", reason)
        self.assertIn("another account", reason)
        self.assertEqual(self.edge.places(), [])
        self.granted(self.stranger, shop)

    def test_reservation_deleted(self) -> None:
        """A name that nobody may have without a reservation is taken away with its reservation."""
        self.write(ReservedDomain(id="1", account_id="ac_1", domain="shop.example"))
        old = self.granted(self.a, Claim(proto="https", host="shop.example"))
        self.records = Snapshot()
        self.reservations.recheck(self.records)
        self.assertEqual([grant for grant, _ in self.a.revoked], [old])

    def test_pool(self) -> None:
        """Every member of a pool loses a name."""
        grants = [self.granted(session, POOLED) for session in (self.a, self.b)]
        self.recheck(ReservedDomain(id="1", account_id="ac_2", domain="app.base.example"))
        self.assertEqual([grant for grant, _ in self.a.revoked + self.b.revoked], grants)

    def test_edge(self) -> None:
        """What an edge was given is its alone."""
        old = self.granted(self.a)
        self.recheck(Edge(id="1", hostports=("app.base.example:443",)))
        self.assertEqual([grant for grant, _ in self.a.revoked], [old])

    def test_random_name(self) -> None:
        """A random name stays with who has it when they reserve it, and goes when someone else does."""
        for account, revoked in (("ac_1", 0), ("ac_2", 1)):
            grant = self.granted(self.a, Claim(proto="https"))
            assert grant.endpoint is not None
            self.recheck(ReservedDomain(id=account, account_id=account, domain=grant.endpoint.host))
            self.assertEqual(len(self.a.revoked), revoked)

    def test_address(self) -> None:
        """An address goes with its reservation too; a random port stays when its owner reserves it."""
        grant = self.granted(self.a, Claim(proto="tcp"))
        assert grant.endpoint is not None
        address = ReservedAddr(id="1", account_id="ac_1", host="tcp.base.example", port=grant.endpoint.port)
        self.recheck(address)
        self.assertEqual(self.a.revoked, [])
        self.recheck(replace(address, account_id="ac_2"))
        self.assertEqual([lost for lost, _ in self.a.revoked], [grant])

    def test_tcp_host_reserved(self) -> None:
        """Who reserves the host of TCP addresses as a name keeps random ports there."""
        self.granted(self.a, Claim(proto="tcp"))
        self.recheck(ReservedDomain(id="1", account_id="ac_1", domain="tcp.base.example"))
        self.assertEqual(self.a.revoked, [])

    def test_while_the_edge_is_slow(self) -> None:
        """A name that is given away while the edge is about to serve it is not granted, and not served."""
        self.edge.slow = True
        claiming = self.claim(self.a)
        self.recheck(ReservedDomain(id="1", account_id="ac_2", domain="app.base.example"))
        self.edge.turn()
        self.assertEqual(self.failureResultOf(claiming, Refused).value.code, 320)
        self.edge.turn()
        self.assertEqual(self.edge.places(), [])


class ConflictTests(Case):
    """Two want the same."""

    def test_schemes(self) -> None:
        """http and https are two URLs; https and tls are one place."""
        self.granted(self.a)
        self.granted(self.a, proto="http")
        self.refused(334, self.a, proto="tls")

    def test_other_account(self) -> None:
        """A name that is online is no other account's, on none of its ports."""
        self.granted(self.a)
        self.refused(334, self.stranger)
        self.refused(320, self.stranger, proto="http")
        self.granted(self.mate, proto="http")

    def test_other_accounts_edge(self) -> None:
        """Nor is a name that an edge has, and no edge keeps its own account off the other port."""
        self.write(Edge(id="e", account_id="ac_2", hostports=("app.base.example:443",)))
        self.refused(320, self.a, proto="http")
        self.granted(self.stranger, proto="http")

    def test_same_session(self) -> None:
        """A session cannot have the same twice, whatever it says."""
        self.granted(self.a)
        for takeover in ("auto", "always", "never"):
            self.refused(334, self.a, takeover=takeover)
        self.assertEqual(self.a.probes, [])

    def test_message(self) -> None:
        """The refusal names the URL and the remedy."""
        self.granted(self.a)
        message = self.refused(334, self.mate)
        self.assertIn("https://app.base.example:8443", message)
        self.assertIn("pooling", message)

    def test_internal(self) -> None:
        """Internal names are each account's own."""
        for session in (self.a, self.stranger):
            grant = self.granted(session, label=None, host="x.internal")
            self.assertEqual(grant.url, "https://x.internal")
            self.assertEqual(grant.endpoint and grant.endpoint.binding, "internal")
        self.refused(334, self.mate, label=None, host="x.internal")

    def test_pool(self) -> None:
        """Those of one account that all pool share a URL."""
        grants = [self.granted(session, POOLED) for session in (self.a, self.b, self.mate, self.a)]
        self.assertEqual(self.edge.places(), [("https", "app.base.example", 443)] * 4)
        self.assertIs(self.reservations.holder("https://app.base.example:8443"), grants[0])
        self.reservations.release(grants[0])
        self.assertEqual(len(self.edge.live), 3)
        self.refused(334, self.stranger, POOLED)
        self.refused(334, self.b, POOLED, proto="tls")
        self.refused(334, self.mate)

    def test_pool_needs_both(self) -> None:
        """Pooling of the new one alone is not enough."""
        self.granted(self.a)
        self.refused(334, self.mate, POOLED)


class TakeoverTests(Case):
    """A session comes back before its old one is known to be dead."""

    def test_alive(self) -> None:
        """An old session that answers keeps what it has."""
        grant = self.granted(self.a)
        self.refused(334, self.b)
        self.assertEqual(list(self.edge.live.values()), [grant.endpoint])
        self.assertEqual(self.a.revoked, [])

    def test_silent(self) -> None:
        """An old session that does not answer in three seconds loses."""
        old = self.granted(self.a)
        self.a.alive = None
        claiming = self.claim(self.b)
        self.clock.advance(2.9)
        self.assertNoResult(claiming)
        self.clock.advance(0.1)
        new = self.successResultOf(claiming)
        self.assertEqual(list(self.edge.live.values()), [new.endpoint])
        self.assertEqual([grant for grant, _ in self.a.revoked], [old])

    def test_answers_late(self) -> None:
        """An answer within the time is an answer."""
        self.granted(self.a)
        self.a.alive = None
        claiming = self.claim(self.b)
        self.clock.advance(2.9)
        self.a.probes[0].callback(None)
        self.assertEqual(self.failureResultOf(claiming, Refused).value.code, 334)

    def test_broken(self) -> None:
        """An old session whose connection turns out to be lost, or that breaks, loses at once."""
        for alive in (False, None):
            self.granted(self.a, label=str(alive))
            self.a.alive = alive
            if alive is None:
                self.patch(self.a, "probe", lambda: 1 / 0)
            self.granted(self.b, label=str(alive))

    def test_always(self) -> None:
        """By ``always`` an old session loses without being asked, and its user is told by whom."""
        old = self.granted(self.a)
        new = self.granted(self.b, takeover="always")
        self.assertEqual(self.a.probes, [])
        self.assertEqual(self.a.revoked[0][0], old)
        self.assertIn("taken over", self.a.revoked[0][1])
        self.assertEqual(list(self.edge.live.values()), [new.endpoint])

    def test_never(self) -> None:
        """By ``never`` even a dead session keeps what it has."""
        self.granted(self.a)
        self.a.alive = False
        self.refused(334, self.b, takeover="never")

    def test_other_credential(self) -> None:
        """Nothing is taken from another credential, even of the same account."""
        self.granted(self.a)
        self.a.alive = False
        for takeover in ("auto", "always"):
            self.refused(334, self.mate, takeover=takeover)
            self.refused(334, self.stranger, takeover=takeover)
        self.assertEqual(self.a.probes, [])

    def test_fence(self) -> None:
        """What was taken over cannot be given back, neither while it is taken nor later."""
        old = self.granted(self.a)
        self.a.on_revoke = self.reservations.release
        new = self.granted(self.b, takeover="always")
        self.reservations.release(old)
        self.assertEqual(list(self.edge.live.values()), [new.endpoint])
        self.assertEqual(self.reservations.listing("ac_1"), (new,))

    def test_revoke_breaks(self) -> None:
        """A session that breaks when it is told loses all the same."""
        self.granted(self.a)
        self.a.on_revoke = lambda grant: 1 / 0
        self.granted(self.b, takeover="always")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_left_meanwhile(self) -> None:
        """An old session that leaves while it is asked is not taken anything from."""
        old = self.granted(self.a)
        self.a.alive = None
        claiming = self.claim(self.b)
        self.reservations.release(old)
        self.clock.advance(3)
        self.successResultOf(claiming)
        self.assertEqual(self.a.revoked, [])

    def test_one_of_many(self) -> None:
        """Of many that want a dead session's name at once, exactly one gets it."""
        self.granted(self.a)
        self.a.alive = None
        claims = [self.claim(FakeSession(f"ts_{number}")) for number in range(5)]
        self.clock.pump([1] * 3)
        self.successResultOf(claims[0])
        for claim in claims[1:]:
            self.failureResultOf(claim, Refused)
        self.assertEqual(len(self.a.probes), 1)
        self.assertEqual(len(self.edge.live), 1)

    def test_cancelled(self) -> None:
        """A claim that is cancelled while the old session is asked takes nothing away."""
        grant = self.granted(self.a)
        self.a.alive = None
        claiming = self.claim(self.b)
        claiming.cancel()
        self.failureResultOf(claiming, CancelledError)
        self.clock.advance(3)
        self.assertEqual(list(self.edge.live.values()), [grant.endpoint])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RandomNameTests(Case):
    """Names that nobody asked for."""

    RANDOM = replace(APP, label=None)

    def host(self, grant: Grant) -> str:
        """The name in a grant."""
        assert grant.endpoint is not None
        return grant.endpoint.host

    def test_different(self) -> None:
        """Everyone gets another name, right under the base domain."""
        hosts = {self.host(self.granted(FakeSession(str(n), credential=str(n)), self.RANDOM)) for n in range(20)}
        self.assertEqual(len(hosts), 20)
        for host in hosts:
            self.assertEqual(host.partition(".")[2], "base.example")

    def test_again(self) -> None:
        """The same wish gets the same name for ten minutes after it was given back, and another later."""
        first = self.granted(self.a, self.RANDOM)
        self.clock.advance(5000)
        self.reservations.release(first)
        self.clock.advance(599)
        second = self.granted(self.b, self.RANDOM)
        self.assertEqual(self.host(second), self.host(first))
        self.reservations.release(second)
        self.clock.advance(600)
        self.assertNotEqual(self.host(self.granted(self.b, self.RANDOM)), self.host(first))

    def test_other_wishes(self) -> None:
        """Another slot, another credential or none of either gets another name."""
        first = self.granted(self.a, self.RANDOM)
        self.reservations.release(first)
        for session, slot in ((self.a, "1:http"), (self.mate, "0:http"), (self.a, None)):
            self.assertNotEqual(self.host(self.granted(session, self.RANDOM, slot=slot)), self.host(first))

    def test_two_at_once(self) -> None:
        """Two live sessions of a credential have different names."""
        first, second = self.granted(self.a, self.RANDOM), self.granted(self.b, self.RANDOM)
        self.assertNotEqual(self.host(first), self.host(second))

    def test_dead_session(self) -> None:
        """A reconnect gets the name of a session that is dead but not known to be."""
        first = self.granted(self.a, self.RANDOM)
        self.a.alive = None
        claiming = self.claim(self.b, self.RANDOM)
        self.clock.advance(3)
        self.assertEqual(self.host(self.successResultOf(claiming)), self.host(first))

    def test_both_schemes(self) -> None:
        """http and https of one wish get one name, also when they are asked for at once."""
        self.edge.slow = True
        claims = [self.claim(self.a, self.RANDOM, proto=proto) for proto in ("https", "http")]
        self.edge.turn()
        self.clock.advance(0)
        self.edge.turn()
        self.assertEqual(*[self.host(self.successResultOf(claim)) for claim in claims])

    def test_taken_by_name(self) -> None:
        """A remembered name that somebody else asked for by name meanwhile is theirs."""
        first = self.granted(self.a, self.RANDOM)
        self.reservations.release(first)
        label = self.host(first).partition(".")[0]
        self.granted(self.stranger, label=label, slot=None)
        self.assertNotEqual(self.host(self.granted(self.a, self.RANDOM, proto="http")), self.host(first))

    def test_not_ones_own_by_name(self) -> None:
        """Nor is it taken from a live endpoint that the same user asked for by name."""
        first = self.granted(self.a, self.RANDOM)
        self.reservations.release(first)
        self.granted(self.a, label=self.host(first).partition(".")[0])
        second = self.granted(self.b, self.RANDOM, takeover="always")
        self.assertNotEqual(self.host(second), self.host(first))
        self.assertEqual(self.a.revoked, [])

    def test_reserved_meanwhile(self) -> None:
        """A remembered name that was reserved meanwhile is not given again."""
        first = self.granted(self.a, self.RANDOM)
        self.reservations.release(first)
        self.write(ReservedDomain(id="1", account_id="ac_2", domain=self.host(first)))
        self.assertNotEqual(self.host(self.granted(self.a, self.RANDOM)), self.host(first))

    def test_wildcard_owner(self) -> None:
        """Random names are given to everyone, even where one account owns the wildcard above."""
        self.write(ReservedDomain(id="1", account_id="ac_1", domain="*.base.example"))
        self.granted(self.stranger, self.RANDOM)

    def test_edge_refuses(self) -> None:
        """A name the edge refuses is refused, once for a drawn one."""
        self.edge.refuses = lambda endpoint: True
        self.refused(None, self.a, self.RANDOM)

    def test_pool_of_a_wish(self) -> None:
        """Sessions of one wish that pool share the random name."""
        first, second = [self.granted(session, self.RANDOM, pooling=True) for session in (self.a, self.b)]
        self.assertEqual(self.host(first), self.host(second))


class FormerTests(Case):
    """What a token proves that a wish had before, to a server that remembers nothing."""

    RANDOM = Claim(proto="https")
    seed = 100

    def former(self, grant: Grant, random: bool = True, **changes: Any) -> Former:
        """What a token says of this grant."""
        assert grant.endpoint is not None
        endpoint = grant.endpoint
        former = Former(endpoint_id=endpoint.id, host=endpoint.host, port=endpoint.port, random=random)
        return replace(former, **changes)

    def restart(self) -> None:
        """Another process, which draws other names and ids."""
        self.edge.live.clear()
        self.seed += 2
        self.start(seed=self.seed)

    def place(self, grant: Grant) -> tuple[str, str, int]:
        """The id, host and port of a grant."""
        assert grant.endpoint is not None
        return grant.endpoint.id, grant.endpoint.host, grant.endpoint.port

    def test_restart(self) -> None:
        """A random name, a random port and a name that was asked for are had again, with their ids, after a restart."""
        for claim, random in ((self.RANDOM, True), (Claim(proto="tcp"), True), (APP, False)):
            before = self.granted(self.a, claim)
            self.restart()
            again = self.granted(self.b, claim, former=self.former(before, random))
            self.assertEqual(self.place(again), self.place(before))
            self.assertEqual((again.url, again.random), (before.url, random))
            self.assertEqual(before.random, random)
            self.restart()

    def test_named(self) -> None:
        """An agent that sends back the place it was given has it as a random one: a port need not be reserved for it."""
        name, port = self.granted(self.a, self.RANDOM), self.granted(self.a, Claim(proto="tcp"))
        self.restart()
        for before, proto in ((name, "https"), (port, "tcp")):
            id, host, number = self.place(before)
            claim = Claim(proto=proto, host=host, port=number, former=self.former(before))
            again = self.granted(self.b, claim)
            self.assertEqual(self.place(again), (id, host, number))
        self.assertEqual(len(self.edge.live), 2)

    def test_unproven(self) -> None:
        """Without proof a port is not given again, and a name only by the rules for names."""
        _, host, port = self.place(self.granted(self.a, Claim(proto="tcp")))
        self.restart()
        self.refused(1116, self.b, Claim(proto="tcp", host=host, port=port))

    def test_not_by_chance(self) -> None:
        """What was had by name is had again by the rules for names alone."""
        self.write(ReservedDomain(id="1", account_id="ac_1", domain="shop.example"))
        shop = Claim(proto="https", host="shop.example")
        before = self.granted(self.a, shop)
        self.records = Snapshot()
        self.restart()
        self.refused(319, self.a, shop, former=self.former(before, random=False))

    def test_something_else(self) -> None:
        """Proof of one place is none of another."""
        before = self.granted(self.a, Claim(proto="tcp"))
        _, host, port = self.place(before)
        self.restart()
        other = 2000 + (port + 1) % 4
        self.refused(1116, self.a, Claim(proto="tcp", host=host, port=other, former=self.former(before)))
        self.assertEqual(self.granted(self.a, APP, former=self.former(before)).url, "https://app.base.example:8443")

    def test_rights(self) -> None:
        """A credential that may have no random names any more has none by its past."""
        former = self.former(self.granted(self.a, self.RANDOM))
        self.restart()
        narrow = FakeSession("ts_n", acl=("bind:*.base.example",))
        self.refused(316, narrow, self.RANDOM, former=former)
        self.refused(316, narrow, self.RANDOM, host=former.host, former=former)

    def test_given_to_another(self) -> None:
        """Where somebody else has the place by now, another random one is given, and nothing is taken from anybody."""
        for proto in ("https", "tcp"):
            before = self.granted(self.a, Claim(proto=proto))
            self.restart()
            theirs = self.granted(self.stranger, Claim(proto=proto, former=self.former(before, endpoint_id="")))
            again = self.granted(self.a, Claim(proto=proto, former=self.former(before)), takeover="always")
            self.assertEqual(self.place(again)[0], self.place(before)[0])
            self.assertNotEqual(again.url, before.url)
            self.assertTrue(again.random)
            self.assertEqual(theirs.url, before.url)
            self.assertEqual(self.stranger.revoked, [])
            self.restart()

    def test_reserved_by_another(self) -> None:
        """So it is where another account has reserved it by now; what the own account has reserved is its own."""
        for account, same in (("ac_2", False), ("ac_1", True)):
            for proto in ("https", "tcp"):
                before = self.granted(self.a, Claim(proto=proto))
                _, host, port = self.place(before)
                self.restart()
                record: Record = ReservedAddr(id="1", account_id=account, host=host, port=port)
                if proto == "https":
                    record = ReservedDomain(id="1", account_id=account, domain=host)
                self.write(record)
                again = self.granted(self.a, Claim(proto=proto, former=self.former(before)))
                self.assertEqual(again.url == before.url, same, (account, proto))
                self.reservations.recheck(self.records)
                self.assertEqual(self.a.revoked, [])
                self.records = Snapshot()
                self.restart()

    def test_other_settings(self) -> None:
        """A place that this server would not draw any more, since it was set up anew, gives way to one that it does."""
        name, port = self.granted(self.a, self.RANDOM), self.granted(self.a, Claim(proto="tcp"))
        self.start(
            replace(SETTINGS, base_domain="new.example", tcp_host="tcp.new.example", tcp_ports=range(3000, 3001))
        )
        for before, proto, wanted in ((name, "https", ".new.example:8443"), (port, "tcp", "tcp.new.example:3000")):
            _, host, number = self.place(before)
            for claim in (Claim(proto=proto), Claim(proto=proto, host=host, port=number)):
                again = self.granted(self.a, claim, former=self.former(before))
                self.assertTrue(again.url.endswith(wanted), again.url)
                self.reservations.release(again)

    def test_dead_session(self) -> None:
        """The place is taken over from a dead session of the same credential; a live one keeps it."""
        before = self.granted(self.a, self.RANDOM)
        again = self.granted(self.b, self.RANDOM, former=self.former(before))
        self.assertNotEqual(again.url, before.url)
        self.reservations.release(again)
        self.a.alive = False
        again = self.granted(self.b, self.RANDOM, former=self.former(before))
        self.assertEqual(self.place(again), self.place(before))
        self.assertEqual([grant for grant, _ in self.a.revoked], [before])
        self.assertEqual(list(self.edge.live.values()), [again.endpoint])

    def test_id_in_use(self) -> None:
        """An id that is live, about to be, or stored is not given twice; once it is free it is."""
        former = self.former(self.granted(self.a, APP), random=False)
        ids = [self.place(self.granted(self.a, APP, label=label, former=former))[0] for label in ("b", "c")]
        self.assertEqual(len({former.endpoint_id, *ids}), 3)
        self.restart()
        self.edge.slow = True
        claims = [self.claim(self.a, APP, label=label, former=former) for label in ("b", "c")]
        self.edge.turn()
        first, second = map(self.successResultOf, claims)
        self.assertEqual(self.place(first)[0], former.endpoint_id)
        self.assertNotEqual(self.place(second)[0], former.endpoint_id)
        self.edge.slow = False
        self.reservations.release(first)
        again = self.granted(self.a, APP, label="d", former=former)
        self.assertEqual(self.place(again)[0], former.endpoint_id)
        self.restart()
        self.write(Endpoint(id=former.endpoint_id, proto="https", host="x.example", port=443, type="cloud"))
        self.assertNotEqual(self.place(self.granted(self.a, APP, former=former))[0], former.endpoint_id)

    def test_id_free_again(self) -> None:
        """An id counts as in use by nobody whose claim came to nothing."""
        former = self.former(self.granted(self.a, APP), random=False)
        self.restart()
        self.edge.refuses = lambda endpoint: True
        self.refused(None, self.a, APP, former=former)
        self.edge.refuses = lambda endpoint: False
        self.edge.slow = True
        claiming = self.claim(self.a, APP, former=former)
        claiming.cancel()
        self.failureResultOf(claiming, CancelledError)
        self.edge.slow = False
        self.assertEqual(self.place(self.granted(self.a, APP, former=former))[0], former.endpoint_id)

    def test_labels(self) -> None:
        """A labelled tunnel has no place to come back to."""
        claim = Claim(proto="labels", labels={"app": "web"})
        former = Former(endpoint_id="", host="", port=0, random=False)
        self.assertEqual(self.granted(self.a, claim, former=former).url, "")


class AmendTests(Case):
    """What is changed while it is online."""

    def amend(self, grant: Grant, **changes: Any) -> Deferred[Grant]:
        """Ask for a change."""
        return self.reservations.amend(grant, replace(grant.claim, **changes))

    def amended(self, grant: Grant, **changes: Any) -> Grant:
        """What stands in the place of the grant at once."""
        return self.successResultOf(self.amend(grant, **changes))

    def served(self) -> list[Endpoint]:
        """What the edge serves."""
        return list(self.edge.live.values())

    def test_changed(self) -> None:
        """The endpoint keeps its id, place and age; the new grant is the one that counts."""
        other = self.granted(self.a, label="other")
        old = self.granted(self.a, description="old")
        last = self.granted(self.a, label="last")
        self.clock.advance(60)
        changes: dict[str, Any] = {"description": "d", "metadata": "m", "name": "n", "traffic_policy": "{}"}
        new = self.amended(old, **changes, pooling=True)
        assert old.endpoint is not None
        wanted = replace(old.endpoint, **changes, pooling_enabled=True, updated_at=1_700_000_060)
        self.assertEqual(new.endpoint, wanted)
        self.assertEqual(self.edge.live[wanted.id], wanted)
        self.assertEqual((new.url, new.session_id), (old.url, old.session_id))
        self.assertEqual(new.claim, replace(old.claim, **changes, pooling=True))
        self.assertEqual(self.reservations.listing("ac_1"), (other, new, last))
        self.reservations.revoke(old, "late")
        self.assertEqual(self.a.revoked, [])
        self.reservations.revoke(new, "stopped")
        self.assertEqual(self.a.revoked, [(new, "stopped")])
        self.assertNotIn(wanted.id, self.edge.live)

    def test_nothing_else(self) -> None:
        """Whatever else a claim says, the place and what stands before the service stay."""
        old = self.granted(self.a)
        new = self.successResultOf(self.reservations.amend(old, Claim(proto="tls", host="else.example", metadata="m")))
        assert old.endpoint is not None
        self.assertEqual(new.endpoint, replace(old.endpoint, metadata="m", updated_at=1_700_000_000))
        self.assertEqual(new.claim, replace(old.claim, metadata="m"))

    def test_refused(self) -> None:
        """A change that the edge cannot serve is refused, and nothing of it is in force."""
        old = self.granted(self.a)
        self.edge.refuses = lambda endpoint: bool(endpoint.traffic_policy)
        refusal = self.failureResultOf(self.amend(old, traffic_policy="bad", metadata="m"), Refused)
        self.assertEqual(refusal.value.message, "the port is taken")
        self.assertEqual((self.served(), self.reservations.listing("ac_1")), ([old.endpoint], (old,)))
        self.amended(old, metadata="m")

    def test_slow(self) -> None:
        """A change that is not served in time, or that is given up, is undone."""
        old = self.granted(self.a)
        self.edge.slow = True
        for give_up in (lambda changing: self.clock.advance(PUBLISH_TIMEOUT), lambda changing: changing.cancel()):
            changing = self.amend(old, metadata="m")
            give_up(changing)
            self.failureResultOf(changing, Refused, CancelledError)
            self.edge.turn()
            self.assertEqual((self.served(), self.reservations.listing("ac_1")), ([old.endpoint], (old,)))

    def test_gone(self) -> None:
        """What is gone, or goes meanwhile, is not changed and does not come back."""
        old = self.granted(self.a)
        self.edge.slow = True
        changing = self.amend(old, metadata="m")
        self.reservations.release(old)
        self.edge.turn()
        self.assertEqual(self.failureResultOf(changing, Refused).value.code, 333)
        self.assertEqual(self.failureResultOf(self.amend(old, metadata="m"), Refused).value.code, 333)
        self.assertEqual(self.served(), [])

    def test_one_after_the_other(self) -> None:
        """Of two changes of one grant the second is refused: it was made of what is no longer so."""
        old = self.granted(self.a)
        self.edge.slow = True
        first, second = self.amend(old, metadata="1"), self.amend(old, metadata="2")
        self.edge.turn()
        new = self.successResultOf(first)
        self.clock.advance(0)
        self.assertEqual(self.failureResultOf(second, Refused).value.code, 333)
        self.assertEqual(self.served(), [new.endpoint])

    def test_pool(self) -> None:
        """Who leaves a pool in which others are is refused; alone one may, and then nobody else joins."""
        first, second = self.granted(self.a, POOLED), self.granted(self.b, POOLED)
        refusal = self.failureResultOf(self.amend(first, pooling=False), Refused).value
        self.assertEqual(refusal.code, 334)
        self.reservations.release(second)
        self.amended(first, pooling=False)
        self.refused(334, self.mate, POOLED)

    def test_joining(self) -> None:
        """Once pooling is on others may join."""
        self.amended(self.granted(self.a), pooling=True)
        self.granted(self.mate, POOLED)

    def test_labels(self) -> None:
        """Of a labelled tunnel what is said of it changes; the edge has nothing to do with it."""
        old = self.granted(self.a, Claim(proto="labels", labels={"app": "web"}))
        new = self.amended(old, metadata="m")
        self.assertEqual((new.claim.metadata, new.endpoint), ("m", None))
        self.assertEqual(self.reservations.listing("ac_1"), (new,))


class WeightTests(Case):
    """Wishes that are much to remember."""

    settings = replace(SETTINGS, account_options_bytes=100)
    HALF = "x" * 50

    def test_full(self) -> None:
        """An account's endpoints have so much room together; another account has its own."""
        first = self.granted(self.a, label="one", traffic_policy=self.HALF)
        self.granted(self.mate, label="two", traffic_policy=self.HALF)
        self.refused(350, self.b, label="three", traffic_policy="x")
        self.granted(self.b, label="three")
        self.granted(self.stranger, label="four", traffic_policy=self.HALF)
        self.reservations.release(first)
        self.granted(self.b, label="five", traffic_policy=self.HALF)

    def test_not_granted(self) -> None:
        """What is refused, or nobody waits for any more, takes no room."""
        self.granted(self.stranger)
        for _ in range(9):
            self.refused(334, self.a, traffic_policy=self.HALF)
        self.edge.slow = True
        for _ in range(9):
            claiming = self.claim(self.a, label="web", traffic_policy=self.HALF)
            claiming.cancel()
            self.failureResultOf(claiming)
        self.edge.slow = False
        self.edge.turn()
        self.granted(self.a, label="web", traffic_policy=2 * self.HALF)

    def test_amended(self) -> None:
        """What an endpoint becomes counts, and what it was does not any more."""
        grant = self.granted(self.a, traffic_policy="x" * 20)
        for size in (70, 10, 80, 0, 100):
            grant = self.successResultOf(
                self.reservations.amend(grant, replace(grant.claim, traffic_policy="y" * size))
            )
        self.refused(350, self.b, label="web", traffic_policy="x")
        self.reservations.revoke(grant, "enough")
        self.granted(self.b, label="web", traffic_policy="x" * 100)


class AddressTests(Case):
    """TCP addresses."""

    TCP = Claim(proto="tcp", slot="0:tcp")

    def port(self, session: FakeSession | None = None, **changes: Any) -> int:
        """The port of a granted claim."""
        grant = self.granted(session or self.a, self.TCP, **changes)
        assert grant.endpoint is not None
        self.assertEqual(grant.url, f"tcp://tcp.base.example:{grant.endpoint.port}")
        return grant.endpoint.port

    def test_range(self) -> None:
        """Every port of the range is given once; then the range is exhausted."""
        ports = sorted(self.port(slot=None) for _ in range(4))
        self.assertEqual(ports, [2000, 2001, 2002, 2003])
        self.assertIn("in use", self.refused(None, self.a, self.TCP))

    def test_exhausted_but_released(self) -> None:
        """A port that was given back is given again when there is no other, and not before."""
        first = self.granted(self.a, self.TCP, slot=None)
        self.reservations.release(first)
        assert first.endpoint is not None
        self.assertNotIn(first.endpoint.port, [self.port(slot=None) for _ in range(3)])
        self.assertEqual(self.port(slot=None), first.endpoint.port)

    def test_again(self) -> None:
        """The same wish gets the same port."""
        first = self.granted(self.a, self.TCP)
        self.reservations.release(first)
        for number in range(2):
            self.port(FakeSession(str(number), credential=str(number)))
        self.assertEqual(self.port(self.b), first.endpoint and first.endpoint.port)

    def test_reserved(self) -> None:
        """A reserved port is its account's only, and never given at random, not even to the owner."""
        self.write(ReservedAddr(id="1", account_id="ac_2", host="tcp.base.example", port=2001))
        self.assertNotIn(2001, [self.port(slot=None) for _ in range(3)])
        self.refused(None, self.a, self.TCP)
        self.refused(309, self.a, self.TCP, port=2001)
        self.assertEqual(self.port(self.stranger, port=2001), 2001)
        self.refused(1116, self.stranger, self.TCP, port=2000)

    def test_other_process(self) -> None:
        """Ports that cannot be opened are passed over, up to a number."""
        seen = []

        def refuses(endpoint: Endpoint) -> bool:
            seen.append(endpoint.port)
            return endpoint.port != 2003

        self.edge.refuses = refuses
        self.assertEqual(self.port(), 2003)
        self.edge.refuses = lambda endpoint: refuses(endpoint) or True
        seen.clear()
        self.refused(None, self.b, self.TCP, slot=None)
        self.assertEqual(len(seen), PORT_ATTEMPTS)
        self.assertEqual(len(self.edge.live), 1)

    def test_requested(self) -> None:
        """Where ports may be asked for, a free one is given, and another's is not."""
        self.start(replace(SETTINGS, allow_requested_ports=True))
        self.assertEqual(self.port(port=2002), 2002)
        self.refused(334, self.stranger, self.TCP, port=2002)
        self.refused(1116, self.a, self.TCP, port=1999)

    def test_at_once(self) -> None:
        """Claims at the same time get different ports."""
        self.edge.slow = True
        claims = [self.claim(self.a, self.TCP, slot=None) for _ in range(4)]
        self.edge.turn()
        ports = {grant.endpoint and grant.endpoint.port for grant in map(self.successResultOf, claims)}
        self.assertEqual(len(ports), 4)

    def test_tcp_host_reserved_as_domain(self) -> None:
        """Random ports are given even if the TCP host's name is among the reserved domains."""
        self.write(ReservedDomain(id="1", account_id="ac_2", domain="tcp.base.example"))
        self.port()


class ReservationsMachine(RuleBasedStateMachine):
    """
    Sessions that claim, change, leave, die and come back in any order, before an edge that is as slow as it likes.
    """

    SLOTS = st.integers(0, 4)
    CLAIMS = st.builds(
        Claim,
        proto=st.sampled_from(["https", "tls", "http"]),
        label=st.sampled_from(["app", "web", None]),
        pooling=st.booleans(),
        takeover=st.sampled_from(["auto", "always", "never"]),
        slot=st.just("0:http"),
        traffic_policy=st.sampled_from(["", "x" * 20, "y" * 45]),
    )

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.edge = FakeEdge()
        self.edge.slow = True
        settings = replace(SETTINGS, account_options_bytes=100)
        self.reservations = Reservations(settings, Snapshot, self.edge.publish, self.clock, Random(3))
        self.sessions = [self.fresh(number) for number in range(5)]
        self.pending: dict[FakeSession, list[Deferred[None]]] = {}
        self.held: dict[FakeSession, list[Grant]] = {}
        self.past: list[Grant] = []

    def fresh(self, number: int) -> FakeSession:
        """A new connection of one of three credentials in two accounts."""
        account, credential = [("ac_1", "c1"), ("ac_1", "c1"), ("ac_1", "c1"), ("ac_1", "c2"), ("ac_2", "c3")][number]
        session = FakeSession(f"ts_{number}_{id(object())}", account, credential)
        session.on_revoke = lambda grant: self.held[session].remove(grant)
        return session

    @rule(number=SLOTS, claim=CLAIMS)
    def claim(self, number: int, claim: Claim) -> None:
        """A session asks for something."""
        session = self.sessions[number]

        def granted(grant: Grant) -> None:
            self.held.setdefault(session, []).append(grant)
            self.past.append(grant)

        self.wait_for(session, self.reservations.claim(session, claim), granted)

    @rule(number=SLOTS, claim=CLAIMS, which=st.integers(0, 99))
    @precondition(lambda self: self.past)
    def come_back(self, number: int, claim: Claim, which: int) -> None:
        """A session asks for something, and proves what was granted once, which may well be somebody's now."""
        grant = self.past[which % len(self.past)]
        assert grant.endpoint is not None
        id, host, port = grant.endpoint.id, grant.endpoint.host, grant.endpoint.port
        former = Former(endpoint_id=id, host=host, port=port, random=grant.random)
        self.claim(number, replace(claim, proto=grant.claim.proto, former=former))

    @rule(
        number=SLOTS,
        which=st.integers(0, 9),
        pooling=st.booleans(),
        metadata=st.sampled_from("abc"),
        policy=st.sampled_from(["", "z" * 30]),
    )
    def amend(self, number: int, which: int, pooling: bool, metadata: str, policy: str) -> None:
        """A session changes something that it has."""
        session = self.sessions[number]
        grants = self.held.get(session)
        if not grants:
            return
        old = grants[which % len(grants)]
        assert old in grants

        def amended(new: Grant) -> None:
            held = self.held[session]
            held[held.index(old)] = new
            assert new.endpoint is not None and (new.endpoint.metadata, new.endpoint.pooling_enabled) == (
                metadata,
                pooling,
            )

        changed = replace(old.claim, pooling=pooling, metadata=metadata, traffic_policy=policy)
        self.wait_for(session, self.reservations.amend(old, changed), amended)

    def wait_for(self, session: FakeSession, working: Deferred[Grant], done: Callable[[Grant], None]) -> None:
        """Until it is done or refused; the session may end before."""
        pending = self.pending.setdefault(session, [])
        pending.append(working)  # type: ignore[arg-type]

        def granted(grant: Grant) -> None:
            pending.remove(working)  # type: ignore[arg-type]
            done(grant)

        def refused(failure: Any) -> None:
            failure.trap(Refused, CancelledError)
            pending.remove(working)  # type: ignore[arg-type]

        working.addCallbacks(granted, refused)
        working.addErrback(self.broken)

    def broken(self, failure: Any) -> None:
        """Nothing else may happen."""
        self.failure = failure

    failure: Any = None

    @rule(number=SLOTS)
    @precondition(lambda self: any(self.held.values()))
    def release(self, number: int) -> None:
        """A session gives something back."""
        grants = self.held.get(self.sessions[number])
        if grants:
            self.reservations.release(grants.pop())

    @rule(number=SLOTS, alive=st.sampled_from([True, False, None]))
    def fall_silent(self, number: int, alive: bool | None) -> None:
        """A session's connection breaks, or recovers, and nobody knows yet."""
        self.sessions[number].alive = alive

    @rule(number=SLOTS)
    def disconnect(self, number: int) -> None:
        """A session ends: its transport cancels what it waits for, and gives back what it has."""
        session = self.sessions[number]
        for claiming in list(self.pending.get(session, ())):
            claiming.cancel()
        for grant in self.held.pop(session, []):
            self.reservations.release(grant)
        self.sessions[number] = self.fresh(number)

    @rule()
    def turn(self) -> None:
        """The edge does its work."""
        self.edge.turn()

    @rule(seconds=st.sampled_from([0.5, 3.0, 31.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def nothing_broke(self) -> None:
        """Claims end in a grant or a refusal."""
        assert self.failure is None, self.failure

    @invariant()
    def one_holder(self) -> None:
        """Nobody shares a place, except those of one account that all pool; a name is one account's."""
        grants = [grant for held in self.held.values() for grant in held]
        endpoints = [grant.endpoint for grant in grants if grant.endpoint is not None]
        assert len({endpoint.id for endpoint in endpoints}) == len(endpoints)
        for one in endpoints:
            for other in endpoints:
                if one is other or one.host != other.host:
                    continue
                assert one.account_id == other.account_id
                if one.port == other.port:
                    assert one.pooling_enabled and other.pooling_enabled and one.proto == other.proto

    @invariant()
    def grants_are_listed(self) -> None:
        """What sessions have is what the reservations list."""
        listed = {grant for account in ("ac_1", "ac_2") for grant in self.reservations.listing(account)}
        assert listed == {grant for held in self.held.values() for grant in held}

    @invariant()
    def held_is_served(self) -> None:
        """What is granted is served by the edge."""
        held = {grant.endpoint.id for grants in self.held.values() for grant in grants if grant.endpoint}
        assert held <= set(self.edge.live)

    def teardown(self) -> None:
        """When all is quiet, exactly what is held is served, and nothing else is kept; then everyone leaves."""
        for _ in range(60):
            self.edge.turn()
            self.clock.advance(3)
        endpoints = [grant.endpoint for grants in self.held.values() for grant in grants if grant.endpoint]
        assert {endpoint.id: endpoint for endpoint in endpoints} == self.edge.live
        assert not any(self.pending.values())
        for number in range(5):
            self.disconnect(number)
        for grants in list(self.held.values()):
            for grant in grants:
                self.reservations.release(grant)
        self.edge.turn()
        assert not self.edge.live
        assert not self.reservations._live and not self.reservations._at and not self.reservations._turns._turns
        assert not self.reservations._ids and not self.reservations._weights._taken
        assert not self.clock.getDelayedCalls()


class ModelTests(SynchronousTestCase):
    """`ReservationsMachine`."""

    def test_any_order(self) -> None:
        """Whatever happens in whatever order, a place has one holder, and is served if and only if it is held."""
        run_state_machine_as_test(
            ReservationsMachine,
            settings=hypothesis_settings(max_examples=250, stateful_step_count=40, deadline=None, database=None),
        )
