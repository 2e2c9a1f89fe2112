"""
Tests of `ngrok_twisted.transports.agent.clients`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction
from ngrok_twisted.transports.agent.clients import REPLACED
from tests.transports.agent.world import OTHER_TOKEN, STRANGERS_TOKEN, World, again


class ClientsTests(SynchronousTestCase):
    """`Clients`, through logins."""

    def setUp(self) -> None:
        """A server."""
        self.world = World(max_sessions_per_credential=2)

    def refused(self, code: int, **login: Any) -> None:
        """Nobody is let in that way."""
        self.assertEqual(self.assertRaises(Refused, self.world.agent, **login).code, code)

    def test_tracked(self) -> None:
        """A session is told of when it begins and when it ends, whatever its connections do."""
        events: list[tuple[str, bool]] = []
        self.world.sessions.subscribe(lambda session, ended, reason: events.append((session.id, ended)))
        agent = self.world.agent()
        other = agent.back(leg=1)
        id = agent.welcome["ClientId"]
        self.assertEqual((other.welcome["ClientId"], len(self.world.clients)), (id, 1))
        agent.lose()
        other.lose()
        self.assertEqual(events, [(id, False), (id, True)])

    def test_back(self) -> None:
        """An agent that lost its connection is the same session again."""
        agent = self.world.agent()
        agent.lose()
        self.assertEqual(agent.back().welcome["ClientId"], agent.welcome["ClientId"])

    def test_back_after_restart(self) -> None:
        """So it is when the server has forgotten all but its key."""
        agent = self.world.agent()
        self.world.restart()
        self.assertEqual(agent.back().welcome["ClientId"], agent.welcome["ClientId"])

    def test_old_connection(self) -> None:
        """An older connection of the same agent goes, and what it had is free before the login is answered."""
        agent = self.world.agent()
        answer = agent.bind(opts={"Hostname": "app.base.example"})
        newer = agent.back()
        self.assertEqual((agent.connection.closed, newer.connection.closed), (REPLACED, None))
        self.assertEqual((len(self.world.clients), self.world.edge.live), (1, {}))
        self.assertEqual(newer.bind(**again(answer))["URL"], answer["URL"])
        agent.lose()
        self.assertEqual([tunnel.session_id for tunnel in self.world.tunnels], [newer.session.id])

    def test_work_of_old_connection(self) -> None:
        """What was still being done for the older connection is not done."""
        self.world.edge.slow = True
        agent = self.world.agent()
        answer = agent.ask(1, {"Proto": "https", "Opts": {"Hostname": "app.base.example"}})
        newer = agent.back()
        self.failureResultOf(answer, Refused)
        self.world.edge.slow = False
        self.world.edge.turn()
        self.assertEqual(newer.bind(opts={"Hostname": "app.base.example"})["URL"], "https://app.base.example")
        self.assertEqual(len(self.world.edge.live), 1)

    def test_unproven(self) -> None:
        """Who cannot prove an id gets another one, and nobody suffers."""
        agent = self.world.agent()
        id, cookie = agent.welcome["ClientId"], agent.welcome["Extra"]["Cookie"]
        for login in (
            {"client_id": id},
            {"client_id": id, "cookie": cookie[:-8] + "AAAAAAA="},
            {"client_id": "ts_other", "cookie": cookie},
            {"client_id": id, "cookie": cookie, "token": STRANGERS_TOKEN},
        ):
            self.world.config = replace(self.world.config, max_sessions_per_credential=9)
            other = self.world.agent(**login)
            self.assertNotIn(other.welcome["ClientId"], (id, "ts_other"))
            other.lose()
        self.assertIsNone(agent.connection.closed)

    def test_another_credential(self) -> None:
        """An agent that comes back with another authtoken of the account begins anew under its old id."""
        agent = self.world.agent()
        agent.bind()
        newer = agent.back(token=OTHER_TOKEN)
        self.assertEqual(newer.welcome["ClientId"], agent.welcome["ClientId"])
        self.assertEqual((agent.connection.closed, list(self.world.tunnels)), (REPLACED, []))
        self.assertEqual(newer.session.principal.credential_id, "cr_2")
        self.assertEqual(self.world.sessions.count("cr_1"), 0)

    def test_limit(self) -> None:
        """A credential has so many sessions at a time; further connections of one, and its return, are none."""
        first, _ = self.world.agent(), self.world.agent()
        self.refused(108)
        first.back(leg=1)
        back = first.back()
        self.world.agent(token=OTHER_TOKEN)
        back.session.close("")
        self.world.agent()

    def test_turned_away(self) -> None:
        """Where an account's restriction turns an address away, it is refused, and gets no session."""
        rule = IPPolicyRule(id="ipr_1", cidr="203.0.113.0/24", action="allow")
        self.world.change(
            IPPolicy(id="ipp_1", account_id="ac_1", rules=(rule,)),
            IPRestriction(id="ipx_1", account_id="ac_1", type="agent", enforced=True, ip_policy_ids=("ipp_1",)),
        )
        self.refused(115)
        self.world.agent(token=STRANGERS_TOKEN)
        self.assertEqual(len(self.world.clients), 1)

    def test_revoked(self) -> None:
        """When a credential is deleted or may do less, its sessions end at once."""
        agent, other = self.world.agent(), self.world.agent(token=OTHER_TOKEN)
        agent.bind()
        credential = self.world.records.get(Credential, "cr_1")
        assert credential is not None
        self.world.change(replace(credential, acl=("bind:other.example",)))
        self.assertIn("permissions", agent.connection.closed or "")
        self.assertEqual((list(self.world.tunnels), other.connection.closed), ([], None))
