"""
Tests of `ngrok_twisted.crew.sessions`.
"""

from __future__ import annotations


from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.iam.sessions import CAME_BACK
from tests.control.test_reservations import APP
from tests.crew.agents import AgentsCase, Session


class ToldSessionsTests(AgentsCase):
    """Sessions that are told."""

    def test_comes_back(self) -> None:
        """An agent that comes back to another process, before it is known to be gone, may have what it had."""
        old, forget_old = self.come()
        self.granted(old)
        new = Session("ts_a")
        self.all.track(new)
        asked = self.reservations.claim(new, APP)
        self.successResultOf(asked)
        self.turns()
        self.assertEqual(old.closed, [CAME_BACK])
        forget_old()
        self.turns()
        self.assertEqual((len(self.edge.live), self.seen()), (1, [new]))

    def test_unknown(self) -> None:
        """What is asked of a session that has just ended finds nobody."""
        _, forget = self.come()
        (found,) = self.seen()
        forget()
        asked = [found.probe(), found.order("stop", "")]
        found.close("because")
        self.turns()
        for one in asked:
            self.failureResultOf(one, TunnelLost)

    def test_counted(self) -> None:
        """A worker knows how many sessions a credential has in other processes."""
        self.come()
        for number in range(3):
            self.all.track(Session(f"ts_{number}"))
        self.all.track(Session("ts_x", "ac_1", "c2"))
        self.agents.count_others(self.all.credential_ids())
        self.turns()
        self.assertEqual([self.sessions.count(id) for id in ("c1", "c2", "c3")], [4, 1, 0])
        self.all.revoke(["c2"], "")
        self.agents.count_others([])
        self.turns()
        self.assertEqual(dict(self.sessions._elsewhere), {"c1": 3, "c2": 1})

    def test_counted_no_more(self) -> None:
        """Nothing is remembered of a credential that has no sessions elsewhere any more."""
        forget = self.all.track(Session("ts_0"))
        self.agents.count_others(["c1"])
        self.turns()
        self.assertEqual(self.sessions.count("c1"), 1)
        forget()
        self.agents.count_others(["c1"])
        self.turns()
        self.assertEqual((self.sessions.count("c1"), dict(self.sessions._elsewhere)), (0, {}))
