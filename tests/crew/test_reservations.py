"""
Tests of `ngrok_twisted.crew.reservations`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IReservations
from tests.control.test_reservations import APP, POOLED
from tests.crew.agents import AgentsCase


class RemoteReservationsTests(AgentsCase):
    """Grants in two processes."""

    def test_interface(self) -> None:
        """They are the reservations that transports know."""
        verifyObject(IReservations, self.remote)

    def test_granted(self) -> None:
        """A claim is granted as in one process; when it is given back, the edge no longer serves it."""
        session, _ = self.come()
        session.metadata = "said since"
        grant = self.granted(session)
        self.assertEqual((grant.url, grant.session_id), ("https://app.base.example:8443", "ts_a"))
        self.assertEqual([*self.edge.live.values()], [grant.endpoint])
        self.assertEqual([found.metadata for found in self.seen()], ["said since"])
        done = self.remote.release(grant)
        self.turns()
        self.assertEqual((self.successResultOf(done), self.edge.live), (None, {}))
        self.assertIsNone(self.successResultOf(self.remote.release(grant)))

    def test_released_at_the_end(self) -> None:
        """What a worker gives back as its last is given back, though it does not wait for the answer."""
        session, _ = self.come()
        grant = self.granted(session)
        self.edge.slow = True
        self.remote.release(grant)
        self.turns()
        self.to_worker.close()
        self.turns()
        self.edge.turn()
        self.assertEqual(self.edge.live, {})
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_refused(self) -> None:
        """A refusal arrives with its code."""
        first, second = self.come()[0], self.come("ts_b", "ac_1", "c2")[0]
        self.granted(first)
        asked = self.remote.claim(second, APP)
        self.turns()
        self.assertEqual(self.failureResultOf(asked, Refused).value.code, 334)

    def test_take_over(self) -> None:
        """A dead session of a worker gives way to a newer one of the same credential, and is told; a live one stays."""
        old, new = self.come()[0], self.come("ts_b")[0]
        grant = self.granted(old)
        asked = self.remote.claim(new, APP)
        self.turns()
        self.failureResultOf(asked, Refused)
        old.alive = False
        asked = self.remote.claim(new, APP)
        self.turns(12)
        self.assertEqual(self.successResultOf(asked).session_id, "ts_b")
        self.assertEqual([found for found, _ in old.revoked], [grant])
        self.assertIsNone(self.successResultOf(self.remote.release(grant)))
        self.turns()
        self.assertEqual(len(self.edge.live), 1)

    def test_cancelled(self) -> None:
        """Who no longer wants what it asked for leaves nothing behind, whether it was granted meanwhile or not."""
        session, _ = self.come()
        self.edge.slow = True
        asked = self.remote.claim(session, APP)
        self.turns()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.turns()
        self.edge.turn()
        self.turns()
        self.assertEqual(self.edge.live, {})
        self.edge.slow = False
        late = self.remote.claim(session, APP)
        self.reactor.advance(0)
        self.to_worker.doRead()
        self.assertEqual(len(self.edge.live), 1)
        late.cancel()
        self.failureResultOf(late, CancelledError)
        self.turns()
        self.assertEqual((self.edge.live, self.agents._owners), ({}, {}))

    def test_over_meanwhile(self) -> None:
        """What a session that has ended had asked for is not given."""
        session, forget = self.come()
        self.edge.slow = True
        asked = self.remote.claim(session, APP)
        self.turns()
        forget()
        self.turns()
        self.edge.turn()
        self.turns()
        self.failureResultOf(asked)
        self.assertEqual(self.edge.live, {})

    def test_amended(self) -> None:
        """What stands behind a grant is changed; the new grant is what is given back, or taken away, later."""
        session, _ = self.come()
        grant = self.granted(session, POOLED)
        asked = self.remote.amend(grant, Claim(proto="https", description="new", pooling=True))
        self.turns()
        after = self.successResultOf(asked)
        self.assertEqual((after.claim.description, after.url), ("new", grant.url))
        self.failureResultOf(self.remote.amend(grant, POOLED), Refused)
        held = self.reservations.holder(grant.url)
        assert held is not None
        self.reservations.revoke(held, "because")
        self.turns()
        self.assertEqual(session.revoked, [(after, "because")])
        self.assertEqual(self.edge.live, {})
        gone = self.remote.amend(after, POOLED)
        self.turns()
        self.assertEqual(self.failureResultOf(gone, Refused).value.code, 333)

    def test_no_main_process(self) -> None:
        """Whoever asks when the main process is gone is told to try again; giving back never fails."""
        session, _ = self.come()
        grant = self.granted(session)
        self.to_worker.close()
        self.turns()
        self.failureResultOf(self.remote.claim(session, APP), Refused)
        self.failureResultOf(self.remote.amend(grant, APP), Refused)
        self.assertIsNone(self.successResultOf(self.remote.release(grant)))
