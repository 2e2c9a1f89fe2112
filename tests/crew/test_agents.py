"""
Tests of `ngrok_twisted.crew.agents`.
"""

from __future__ import annotations

from twisted.internet.defer import fail
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.certified import CertifiedId
from ngrok_twisted.interfaces import IAgentSession
from tests.crew.agents import AgentsCase


class RemoteAgentsTests(AgentsCase):
    """The agents of a worker, as the main process has them."""

    def test_listed(self) -> None:
        """A session of a worker is one of the server's, with all that is known of it, until it ends."""
        session, forget = self.come()
        (found,) = self.seen()
        verifyObject(IAgentSession, found)
        for name in ("id", "principal", "peer_host", "transport", "agent_version", "os", "metadata", "started_at"):
            self.assertEqual(getattr(found, name), getattr(session, name))
        self.assertTrue(self.agents.is_here(found))
        forget()
        forget()
        self.turns()
        self.assertEqual((self.seen(), len(self.agents), len(self.sessions)), ([], 0, 0))
        self.assertFalse(self.agents.is_here(found))

    def test_certified(self) -> None:
        """Whoever was let in by a certificate is known, too."""
        self.come("ts_a", "ac_1", CertifiedId("sshca_1", ("bind:a",), "usr_1", "http"))
        (found,) = self.seen()
        self.assertEqual(found.principal.credential_id, "sshca_1")

    def test_closed(self) -> None:
        """A session that the main process closes ends in the worker; what it had is free at once."""
        session, forget = self.come()
        self.granted(session)
        self.all.revoke(["c1"], "because")
        self.assertEqual((self.edge.live, self.seen()), ({}, []))
        self.turns()
        self.assertEqual(session.closed, ["because"])
        forget()
        self.turns()
        (found,) = (self.come("ts_b"), self.seen())[1]
        self.assertEqual(found.id, "ts_b")

    def test_orders(self) -> None:
        """Orders reach the agent, and so does its refusal the caller; one that is gone cannot be told."""
        session, forget = self.come()
        (found,) = self.seen()
        done = found.order("update", "3.1")
        self.turns()
        self.assertEqual((self.successResultOf(done), session.orders), (None, [("update", "3.1")]))
        session.obeys = lambda _: fail(Refused(806, "It takes no updates."))
        done = found.order("update", "")
        self.turns()
        self.assertEqual(self.failureResultOf(done, Refused).value.code, 806)
        done = found.order("stop", "")
        self.to_worker.close()
        self.assertEqual(self.failureResultOf(done, Refused).value.code, 810)

    def test_lost(self) -> None:
        """When a worker dies, its sessions are over, and all that they had is given back at once."""
        session, _ = self.come()
        self.granted(session)
        self.come("ts_b")
        self.to_main.close()
        self.turns()
        self.assertEqual((self.seen(), self.edge.live, len(self.agents)), ([], {}, 0))
