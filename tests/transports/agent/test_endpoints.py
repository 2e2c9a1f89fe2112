"""
Tests of `ngrok_twisted.transports.agent.endpoints`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused, TunnelLost
from ngrok_twisted.transports.agent.messages import ID_MAX
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.typed import StreamType
from tests.transports.agent.world import OTHER_TOKEN, Agent, World, again, bind, visit

APP = {"Hostname": "app.base.example"}

#: What agents of `Life` want, and which of several.
WISHES: list[dict[str, Any]] = [
    {},
    {"proto": "tcp"},
    {"proto": "http", "opts": APP},
    {"opts": APP},
    {"opts": APP, "PoolingEnabled": True},
    {"proto": "gopher"},
]
PICK = st.integers(0, 99)


class Case(SynchronousTestCase):
    """An agent of a server."""

    def setUp(self) -> None:
        """They have nothing but each other."""
        self.world = World(max_endpoints_per_session=4)
        self.agent = self.world.agent()

    def let_go(self) -> None:
        """The edge serves what waits, and whoever waits for that has its turn."""
        self.world.edge.slow = False
        self.world.edge.turn()
        for _ in range(3):
            self.world.clock.advance(0)

    def urls(self) -> list[str]:
        """What is online."""
        return [tunnel.url for tunnel in self.world.tunnels]

    def refused(self, kind: StreamType, message: Any, agent: Any = None) -> Refused:
        """Why a request is refused."""
        answer = (agent or self.agent).ask(kind, message)
        refused: Refused = self.failureResultOf(answer, Refused).value
        return refused


class BindTests(Case):
    """First binds."""

    def test_reply(self) -> None:
        """The reply has all that agents need, with the name that was given."""
        answer = self.agent.bind(opts={"Subdomain": "App", "Domain": ""})
        self.assertEqual((answer["URL"], answer["Proto"], answer["Error"]), ("https://app.base.example", "https", ""))
        self.assertEqual((answer["Opts"]["Hostname"], answer["Opts"]["Domain"]), ("app.base.example", ""))
        self.assertEqual(answer["Extra"]["TunnelID"], answer["Id"])
        self.assertTrue(answer["Extra"]["Token"])

    def test_online_when_read(self) -> None:
        """Nobody is sent to an agent that has not read the reply yet: those who come too early wait that long."""
        reply = self.agent.now(self.agent.ask(StreamType.BIND, bind()))
        (tunnel,) = self.world.tunnels
        early = tunnel.connect(visit())
        self.assertNoResult(early)
        assert reply.when_read is not None
        reply.when_read()
        self.successResultOf(early)
        self.successResultOf(tunnel.connect(visit()))

    def test_never_read(self) -> None:
        """Those who wait for an agent that leaves meanwhile are told so."""
        self.agent.now(self.agent.ask(StreamType.BIND, bind()))
        (tunnel,) = self.world.tunnels
        early = tunnel.connect(visit())
        self.agent.lose()
        self.failureResultOf(early, TunnelLost)

    def test_read_too_late(self) -> None:
        """What ended before the reply was read does not come online behind its end."""
        for end in (lambda id: self.agent.unbind(id), lambda id: self.agent.lose()):
            reply = self.agent.now(self.agent.ask(StreamType.BIND, bind()))
            end(reply.message["Id"])
            assert reply.when_read is not None
            reply.when_read()
            self.assertEqual((self.urls(), self.world.edge.live), ([], {}))

    def test_same_name(self) -> None:
        """https and http of one name come to the same agent, as the agents of old ask for them."""
        first = self.agent.bind()
        host = first["Opts"]["Hostname"]
        second = self.agent.bind(proto="http", opts={"Hostname": host})
        self.assertEqual(self.urls(), [f"https://{host}", f"http://{host}"])
        self.assertNotEqual(first["Id"], second["Id"])

    def test_at_the_same_time(self) -> None:
        """Binds that come together are served together, and one that is refused does not hold up the other."""
        self.world.edge.slow = True
        wishes = [bind(opts=APP), bind(proto="http", opts=APP), bind(proto="tcp"), bind(opts=APP)]
        answers: list[Any] = [self.agent.ask(StreamType.BIND, wish) for wish in wishes]
        self.let_go()
        for answer in answers[:3]:
            self.agent.told(answer, True)
        self.assertEqual(self.failureResultOf(answers[3], Refused).value.code, 334)
        self.assertEqual(len(self.urls()), 3)

    def test_refused(self) -> None:
        """A bind that cannot be had is refused with its number, and leaves nothing behind."""
        for wish, code in (
            (bind(proto="gopher"), 332),
            (bind(proto=""), 394),
            (bind(opts={"Hostname": "other.example"}), 319),
            (bind(opts={"Hostname": 5}), 301),
        ):
            self.assertEqual(self.refused(StreamType.BIND, wish).code, code)
        self.assertEqual((self.world.edge.live, len(self.agent.session.endpoints)), ({}, 0))

    def test_too_many(self) -> None:
        """An agent has so many endpoints at a time, those counted that are still being made."""
        self.agent.bind()
        self.agent.label()
        self.world.edge.slow = True
        answers: list[Any] = [self.agent.ask(StreamType.BIND, bind()) for _ in range(3)]
        self.assertEqual(self.failureResultOf(answers[2], Refused).value.code, 350)
        self.let_go()
        self.agent.told(answers[0], True)
        self.agent.unbind(self.agent.told(answers[1], True)["Id"])
        self.agent.bind()

    def test_lost_meanwhile(self) -> None:
        """An agent that leaves while its bind is served leaves nothing behind."""
        self.world.edge.slow = True
        answer: Deferred[Reply] = self.agent.ask(StreamType.BIND, bind())
        self.agent.lose()
        self.failureResultOf(answer, Refused)
        self.let_go()
        self.assertEqual((self.world.edge.live, self.urls()), ({}, []))

    def test_closed_meanwhile(self) -> None:
        """So does one whose session is closed."""
        self.world.edge.slow = True
        answer: Deferred[Reply] = self.agent.ask(StreamType.BIND, bind())
        self.agent.session.close("enough")
        self.failureResultOf(answer, Refused)
        self.let_go()
        self.assertEqual((self.world.edge.live, self.urls()), ({}, []))


class RateTests(Case):
    """Agents that ask without end."""

    def setUp(self) -> None:
        """Six in a minute."""
        self.world = World(max_endpoints_per_session=4, max_binds_per_minute=6)
        self.agent = self.world.agent()

    def test_refused(self) -> None:
        """Who asks for endpoints and gives them back, on and on, is refused for a while, and then no longer."""
        for _ in range(3):
            self.agent.unbind(self.agent.bind()["Id"])
            self.agent.unbind(self.agent.label()["Id"])
        for _ in range(10):
            self.assertEqual(self.refused(StreamType.BIND, bind()).code, 351)
        self.assertEqual(self.refused(StreamType.START_TUNNEL_WITH_LABEL, {"Labels": {"a": "b"}}).code, 351)
        self.world.clock.advance(10)
        self.agent.bind()
        self.assertEqual(self.refused(StreamType.BIND, bind()).code, 351)

    def test_back(self) -> None:
        """An agent that comes back asks for all it had, however often that is."""
        answers = [self.agent.bind() for _ in range(4)]
        for _ in range(5):
            self.agent = self.agent.back()
            answers = [self.agent.bind(**again(answer)) for answer in answers]
            self.assertEqual(self.urls(), [answer["URL"] for answer in answers])


class AgainTests(Case):
    """Agents that come back."""

    def test_same(self) -> None:
        """Random names, TCP ports and ids are the same again, also when the server has forgotten all but its key."""
        answers = [self.agent.bind(), self.agent.bind(proto="tcp"), self.agent.bind(proto="tls", opts=APP)]
        urls, ids = self.urls(), sorted(tunnel.id for tunnel in self.world.tunnels)
        for restarted in (False, True):
            if restarted:
                self.world.restart()
            back = self.agent.back()
            for answer in answers[::-1]:
                self.assertEqual(again(back.bind(**again(answer)))["id"], answer["Id"])
            self.assertEqual(sorted(self.urls()), sorted(urls))
            self.assertEqual(sorted(tunnel.id for tunnel in self.world.tunnels), ids)
            self.agent = back

    def test_unproven(self) -> None:
        """An agent may call an endpoint as it likes: it is made again from its options, and its old name is nobody's id."""
        answer = self.agent.bind(opts=APP)
        self.agent.lose()
        newer = self.world.agent()
        told = newer.bind(**{**again(answer), "token": "", "id": "mine"})
        self.assertEqual((told["Id"], told["URL"], told["Error"]), ("mine", "https://app.base.example", ""))
        (tunnel,) = self.world.tunnels
        self.assertEqual((tunnel.agent_id, tunnel.id == "mine"), ("mine", False))
        newer.unbind("mine")
        self.assertEqual(self.urls(), [])

    def test_strangers_token(self) -> None:
        """Another agent's random name is not had with a copy of its token while it is there."""
        answer = self.agent.bind()
        thief = self.world.agent(token=OTHER_TOKEN)
        told = thief.bind(**again(answer))
        self.assertNotEqual(told["URL"], answer["URL"])
        self.assertEqual(self.urls(), [answer["URL"], told["URL"]])
        self.assertEqual(len({tunnel.id for tunnel in self.world.tunnels}), 2)

    def test_unrouted(self) -> None:
        """One endpoint that cannot be had again does not cost the others: the agent is told later, and routed where it can."""
        lost, kept = self.agent.bind(opts=APP), self.agent.bind()
        self.agent.lose()
        rival = self.world.agent(token=OTHER_TOKEN)
        rival.bind(opts=APP)
        back = self.agent.back()
        reply = back.now(back.ask(StreamType.BIND, bind(**again(lost))))
        for name in ("Id", "URL", "Opts"):
            self.assertEqual(reply.message[name], lost[name])
        self.assertEqual(reply.message["Error"], "")
        self.assertEqual(back.connection.told, [])
        assert reply.when_read is not None
        reply.when_read()
        ((kind, message),) = back.connection.told
        self.assertEqual((kind, message["Id"], message["ErrorCode"]), (9, lost["Id"], "ERR_NGROK_334"))
        back.bind(**again(kept))
        self.assertEqual(sorted(self.urls()), sorted([lost["URL"], kept["URL"]]))
        self.assertEqual(back.unbind(lost["Id"])["Error"], "")
        self.assertIn(lost["URL"], self.urls())

    def test_unreadable(self) -> None:
        """What cannot be read is refused, also from an agent that comes back."""
        self.assertEqual(self.refused(StreamType.BIND, bind(proto="gopher", id="tn_1")).code, 332)
        self.assertEqual(self.refused(StreamType.BIND, bind(id="x" * (ID_MAX + 1))).code, 301)

    def test_id_of_another_endpoint(self) -> None:
        """An id that is in use is not had without its token."""
        answer = self.agent.bind()
        self.assertEqual(self.refused(StreamType.BIND, bind(id=answer["Id"], token="guessed")).code, 335)
        self.assertEqual(self.urls(), [answer["URL"]])


class LegTests(Case):
    """Agents with several connections."""

    def setUp(self) -> None:
        """An agent on two legs."""
        super().setUp()
        self.other = self.agent.back(leg=1)

    def test_joined(self) -> None:
        """The same endpoint on another leg is another way to it, from when its agent is ready there."""
        answer = self.agent.bind()
        (tunnel,) = self.world.tunnels
        reply = self.other.now(self.other.ask(StreamType.BIND, bind(**again(answer))))
        self.assertEqual((reply.message["Id"], reply.message["URL"]), (answer["Id"], answer["URL"]))
        self.assertEqual([leg.number for leg in tunnel.ready], [0])
        assert reply.when_read is not None
        reply.when_read()
        self.assertEqual([leg.number for leg in tunnel.ready], [0, 1])
        self.assertEqual(list(self.world.tunnels), [tunnel])

    def test_one_leg_left(self) -> None:
        """It is online as long as one leg has it, and what only the lost one had is not."""
        both, only = self.agent.bind(), self.agent.bind()
        self.other.bind(**again(both))
        self.agent.lose()
        self.assertEqual(self.urls(), [both["URL"]])
        self.assertNotIn(only["URL"], self.urls())
        self.other.lose()
        self.assertEqual((self.urls(), self.world.edge.live), ([], {}))

    def test_not_ready_yet(self) -> None:
        """An endpoint whose only ready leg is lost waits for the other one's agent."""
        answer = self.agent.bind()
        reply = self.other.now(self.other.ask(StreamType.BIND, bind(**again(answer))))
        (tunnel,) = self.world.tunnels
        self.agent.lose()
        self.assertEqual(tunnel.ready, ())
        assert reply.when_read is not None
        reply.when_read()
        self.assertEqual((len(tunnel.ready), self.urls()), (1, [answer["URL"]]))

    def test_both_come_back(self) -> None:
        """Legs that ask for the same at the same time get the same."""
        answer = self.agent.bind()
        for agent in (self.agent, self.other):
            agent.lose()
        legs = [self.agent.back(), self.agent.back(leg=1)]
        self.world.edge.slow = True
        answers = [leg.ask(StreamType.BIND, bind(**again(answer))) for leg in legs]
        self.let_go()
        for leg, told in zip(legs, answers):
            self.assertEqual(leg.told(told, True)["URL"], answer["URL"])
        (tunnel,) = self.world.tunnels
        self.assertEqual(len(tunnel.ready), 2)

    def test_unbind(self) -> None:
        """What the agent no longer serves is gone on all legs at once."""
        answer = self.agent.bind()
        self.other.bind(**again(answer))
        self.other.unbind(answer["Id"])
        self.assertEqual(self.urls(), [])
        self.assertEqual(self.agent.unbind(answer["Id"])["Error"], "")

    def test_labelled(self) -> None:
        """The same labels on another leg are the same tunnel."""
        id = self.agent.label()["Id"]
        self.assertEqual(self.other.label()["Id"], id)
        (tunnel,) = self.world.tunnels
        self.assertEqual(len(tunnel.ready), 2)


class LabelTests(Case):
    """Labelled tunnels."""

    def test_online(self) -> None:
        """It is found by its labels once the agent has read the reply."""
        self.agent.label(read=False, Labels={"x": "y"})
        self.assertEqual(self.world.tunnels.matching("ac_1", {"x": "y"}), ())
        answer = self.agent.label(Labels={"a": "b", "c": "d"}, Metadata="mine", ForwardsTo="somewhere")
        (tunnel,) = self.world.tunnels.matching("ac_1", {"a": "b"})
        self.assertEqual((tunnel.id, tunnel.metadata, tunnel.forwards_to), (answer["Id"], "mine", "somewhere"))

    def test_ids(self) -> None:
        """Ids are the same when the agent comes back, in whatever order, and another for each wish."""
        wishes: list[dict[str, Any]] = [{}, {}, {"Metadata": "other"}, {"ForwardsTo": "other"}]
        ids = [self.agent.label(**wish)["Id"] for wish in wishes]
        self.assertEqual(len(set(ids)), 4)
        for restarted in (False, True):
            if restarted:
                self.world.restart()
            self.agent = self.agent.back()
            back = [self.agent.label(**wish)["Id"] for wish in wishes[::-1]]
            self.assertEqual(back[:2], ids[:1:-1])
            self.assertEqual(set(back), set(ids))

    def test_refused(self) -> None:
        """A labelled tunnel needs labels."""
        message = {"Labels": {}, "ForwardsTo": "", "ForwardsProto": "", "Metadata": ""}
        self.assertEqual(self.refused(StreamType.START_TUNNEL_WITH_LABEL, message).code, 394)

    def test_unbind(self) -> None:
        """It ends as an endpoint does."""
        self.agent.unbind(self.agent.label()["Id"])
        self.assertEqual(list(self.world.tunnels), [])

    def test_name_of_another(self) -> None:
        """An endpoint that asks for the id of a labelled tunnel, just when that comes, takes nothing away from it."""
        id = self.agent.label()["Id"]
        self.agent.unbind(id)
        self.world.edge.slow = True
        endpoint = self.agent.ask(StreamType.BIND, bind(id=id))
        label = self.agent.ask(StreamType.START_TUNNEL_WITH_LABEL, {"Labels": {"a": "b"}})
        self.let_go()
        self.assertEqual(self.successResultOf(endpoint).message["Id"], id)
        self.assertNotEqual(self.successResultOf(label).message["Id"], id)
        self.agent.lose()
        self.assertEqual((list(self.world.tunnels), self.world.reservations.listing("ac_1")), ([], ()))


class ChangeTests(Case):
    """What agents change."""

    def patch(self, **changes: Any) -> dict[str, Any]:
        """Change something; it succeeds."""
        return self.agent.told(self.agent.ask(StreamType.PATCH_TUNNEL_STATE, changes), True)

    def test_unbind(self) -> None:
        """An endpoint that the agent gives up vanishes at once; one that nobody knows is gone already."""
        answer = self.agent.bind()
        for _ in range(3):
            self.assertEqual(self.agent.unbind(answer["Id"]), {"Error": "", "Extra": None})
        self.assertEqual((self.urls(), self.world.edge.live), ([], {}))

    def test_patch(self) -> None:
        """What is changed is in force, on the same tunnel; what is not named stays."""
        answer = self.agent.bind()
        (tunnel,) = self.world.tunnels
        self.assertEqual(self.patch(TunnelId=answer["Extra"]["TunnelID"], Metadata="new", Name="n")["Error"], "")
        (endpoint,) = self.world.edge.live.values()
        self.assertEqual((endpoint.metadata, endpoint.name, endpoint.id), ("new", "n", tunnel.endpoint_id))
        self.assertEqual(list(self.world.tunnels), [tunnel])
        self.assertEqual((tunnel.metadata, tunnel.forwards_to), ("new", "http://127.0.0.1:8000/"))
        self.patch(TunnelId=answer["Id"], Description="d")
        (endpoint,) = self.world.edge.live.values()
        self.assertEqual((endpoint.metadata, endpoint.description), ("new", "d"))
        self.agent.unbind(answer["Id"])
        self.assertEqual(self.world.edge.live, {})

    def test_patch_refused(self) -> None:
        """A change that does not fit changes nothing; there must be such an endpoint."""
        answer = self.agent.bind()
        refused = self.refused(StreamType.PATCH_TUNNEL_STATE, {"TunnelId": answer["Id"], "TrafficPolicy": "nonsense"})
        self.assertIsNotNone(refused.code)
        self.assertEqual(self.refused(StreamType.PATCH_TUNNEL_STATE, {"TunnelId": "tn_1", "Name": "n"}).code, 333)
        (endpoint,) = self.world.edge.live.values()
        self.assertEqual(endpoint.traffic_policy, "")

    def test_patched_and_taken(self) -> None:
        """What was changed can be taken away as before."""
        answer = self.agent.bind()
        self.patch(TunnelId=answer["Id"], Metadata="new")
        grant = self.world.reservations.holder(answer["URL"])
        assert grant is not None
        self.world.reservations.revoke(grant, "because")
        self.assertEqual(self.urls(), [])


class Life(RuleBasedStateMachine):
    """
    Agents that come, go, come back, ask for this and that, and are taken things away from, in any order; the edge is as slow
    as it likes. Whatever happens, what the edge serves and what is online belong to agents that are there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(max_endpoints_per_session=4, max_sessions_per_credential=99)
        self.agents: list[Agent] = []
        self.left: list[Agent] = []
        self.unread: list[Reply] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []

    @rule()
    def come(self) -> None:
        """A new agent."""
        self.agents.append(self.world.agent())

    @precondition(lambda self: self.agents)
    @rule(pick=PICK, leg=st.integers(0, 1))
    def come_back(self, pick: int, leg: int) -> None:
        """An agent comes again, on the same leg or another; its connection may be lost by then."""
        known = self.agents + self.left
        self.agents.append(known[pick % len(known)].back(leg=leg))

    @precondition(lambda self: self.agents)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        """A connection is lost."""
        agent = self.agents.pop(pick % len(self.agents))
        agent.lose()
        self.left.append(agent)

    @precondition(lambda self: self.agents)
    @rule(pick=PICK, wish=st.sampled_from(WISHES))
    def bind(self, pick: int, wish: dict[str, Any]) -> None:
        """An agent wants an endpoint."""
        self.ask(pick, StreamType.BIND, bind(**wish))

    @precondition(lambda self: self.agents and self.answers)
    @rule(pick=PICK, which=PICK, keep=st.booleans())
    def bind_again(self, pick: int, which: int, keep: bool) -> None:
        """An agent wants what an agent had, with its token or without."""
        wish = again(self.answers[which % len(self.answers)][1])
        self.ask(pick, StreamType.BIND, bind(**(wish if keep else {**wish, "token": ""})))

    @precondition(lambda self: self.agents)
    @rule(pick=PICK, metadata=st.sampled_from(["", "x"]))
    def label(self, pick: int, metadata: str) -> None:
        """An agent wants a labelled tunnel."""
        self.ask(pick, StreamType.START_TUNNEL_WITH_LABEL, {"Labels": {"a": "b"}, "Metadata": metadata})

    @precondition(lambda self: self.agents and self.answers)
    @rule(pick=PICK, which=PICK)
    def unbind(self, pick: int, which: int) -> None:
        """An agent gives something up."""
        self.ask(pick, StreamType.UNBIND, {"Id": self.answers[which % len(self.answers)][0]})

    @precondition(lambda self: self.agents and self.answers)
    @rule(pick=PICK, which=PICK, pooling=st.booleans())
    def patch(self, pick: int, which: int, pooling: bool) -> None:
        """An agent changes something."""
        message = {"TunnelId": self.answers[which % len(self.answers)][0], "PoolingEnabled": pooling, "Metadata": "new"}
        self.ask(pick, StreamType.PATCH_TUNNEL_STATE, message)

    @precondition(lambda self: len(self.world.tunnels))
    @rule(pick=PICK)
    def revoke(self, pick: int) -> None:
        """Something is taken away."""
        tunnel = list(self.world.tunnels)[pick % len(self.world.tunnels)]
        self.world.reservations.revoke(tunnel.grant, "because")

    @precondition(lambda self: len(self.world.clients))
    @rule(pick=PICK)
    def close(self, pick: int) -> None:
        """A session is closed."""
        list(self.world.clients)[pick % len(self.world.clients)].close("enough")

    @precondition(lambda self: self.unread)
    @rule(pick=PICK)
    def read(self, pick: int) -> None:
        """An agent has read a reply."""
        reply = self.unread.pop(pick % len(self.unread))
        if reply.when_read is not None:
            reply.when_read()

    @rule(slow=st.booleans())
    def edge(self, slow: bool) -> None:
        """The edge serves what waits, and is slow from now on or not."""
        self.world.edge.turn()
        self.world.edge.slow = slow
        self.world.clock.advance(0)

    @rule(alive=st.booleans())
    def answer(self, alive: bool) -> None:
        """Agents show signs of life, or do not, and time passes."""
        for agent in self.agents:
            agent.connection.alive = alive
        self.world.clock.advance(4)

    def ask(self, pick: int, kind: StreamType, message: dict[str, Any]) -> None:
        """An agent that is still there asks, and may be refused."""
        agent = self.agents[pick % len(self.agents)]
        if agent.connection.closed is not None:
            return
        answer: Any = agent.ask(kind, message)
        answer.addCallbacks(self.answered, lambda failure: failure.trap(Refused))

    def answered(self, reply: Reply) -> None:
        """There is a reply."""
        if reply.when_read is not None:
            self.unread.append(reply)
        if "Opts" in reply.message:
            self.answers.append((str(reply.message["Id"]), dict(reply.message)))

    @invariant()
    def nothing_strange(self) -> None:
        """What is online belongs to a session that is there, on legs that are there."""
        sessions = {session.id: session for session in self.world.clients}
        for tunnel in self.world.tunnels:
            session = sessions[tunnel.session_id]
            assert tunnel in tuple(session.endpoints)
            assert tunnel.bound and tunnel.bound <= set(session.legs)
            assert set(tunnel.ready) <= tunnel.bound
        for session in sessions.values():
            assert len(session.legs) and len(session.endpoints) <= 4
        assert len(self.world.sessions) == len(sessions)

    @invariant()
    def nothing_lost(self) -> None:
        """While nothing is under way, the edge serves exactly what agents have."""
        if self.world.edge.slow or any(agent.leg.work for agent in self.connected()):
            return
        held = {tunnel.endpoint_id for session in self.world.clients for tunnel in session.endpoints} - {None}
        assert held == set(self.world.edge.live), (held, self.world.edge.live)

    def connected(self) -> list[Agent]:
        """Agents whose connection counts."""
        return [agent for agent in self.agents if agent.connection.closed is None]

    def teardown(self) -> None:
        """When all have left nothing is left."""
        for agent in self.agents:
            agent.lose()
        self.world.edge.slow = False
        self.world.edge.turn()
        self.world.clock.advance(60)
        self.world.edge.turn()
        assert (self.world.edge.live, list(self.world.tunnels), len(self.world.clients)) == ({}, [], 0)


class LifeTests(SynchronousTestCase):
    """`Life`."""

    def test_any_life(self) -> None:
        """See there."""
        run_state_machine_as_test(Life, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
