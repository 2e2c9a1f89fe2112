"""Tests of `ngrok_twisted.transports.agent.requests`."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.net.shares import Shares
from ngrok_twisted.transports.agent.frames import SYN, WINDOW, ErrorCode
from ngrok_twisted.transports.agent.requests import BUSY, TOO_SLOW, Reply, refusal
from ngrok_twisted.transports.agent.typed import StreamType
from tests.transports.agent.client import FakeAgent, Meeting

AUTH, BIND, UNBIND, SRV_INFO = StreamType.AUTH, StreamType.BIND, StreamType.UNBIND, StreamType.SRV_INFO


class RequestCase(SynchronousTestCase):
    """Has an agent that is let in."""

    def setUp(self) -> None:
        self.read: list[str] = []
        self.meet()

    def meet(self, **limits: Any) -> FakeAgent:
        """Another agent, which nobody expects to send heartbeats for long."""
        self.meeting = Meeting(**{"heartbeat_slack": 1000.0} | limits)
        self.agent = self.meeting.agent
        self.owner = self.meeting.owner
        self.owner.answer = lambda kind, message: Reply(
            message={"Id": message.get("Id")}, when_read=lambda: self.read.append(message.get("Id"))
        )
        return self.agent

    def error(self, id: int) -> str:
        """The text of a refusal that came on a stream."""
        reply = self.agent.reply(id)
        assert reply is not None, "there is no reply"
        text: str = reply["Error"]
        return text


class ReadingTests(RequestCase):
    """How requests arrive."""

    def test_reply(self) -> None:
        """A request is asked of the owner, and its reply ends the server's side of the stream."""
        self.assertEqual(self.agent.ask(BIND, {"Id": "a"}), {"Id": "a"})
        self.assertEqual(self.owner.asked, [(BIND, {"Id": "a"})])
        self.assertEqual(self.meeting.connection.mux.streams, {})
        self.assertEqual(self.meeting.connection.held, 0)

    def test_all_kinds(self) -> None:
        """Each kind of request of an agent reaches the owner as what it is."""
        kinds = [0, 1, 2, 7, 8, 10]
        for kind in kinds:
            self.agent.ask(StreamType(kind), {})
        self.assertEqual([kind for kind, _ in self.owner.asked], kinds)

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.integers(1, 30), max_size=12), st.booleans())
    def test_any_split(self, sizes: list[int], newline: bool) -> None:
        """However the type and the object are cut into frames, and bytes into reads, the request is the same."""
        agent = self.meet()
        rest = BIND.word + json.dumps({"Id": "x", "Opts": {"Hostname": 'a}"'}}).encode() + b"\n" * newline
        flags = SYN
        for size in sizes:
            agent.frame(3, rest[:size], flags)
            rest, flags = rest[size:], 0
        agent.frame(3, rest, flags)
        self.assertEqual(agent.reply(3), {"Id": "x"})
        self.assertEqual(len(self.owner.asked), 1)

    def test_large(self) -> None:
        """A request may be larger than the window: the agent gets more room as it sends."""
        text = json.dumps({"Id": "big", "Metadata": "x" * (3 * WINDOW)}).encode()
        id, room = self.agent.open(BIND), WINDOW - 4
        while text:
            piece, text = text[: min(room, 30_000)], text[min(room, 30_000) :]
            self.assertTrue(piece, "the window is used up")
            self.agent.frame(id, piece)
            self.agent.turn()
            room = WINDOW - 4 + (self.agent.seen[id].grown if id in self.agent.seen else 0) - len(piece)
        self.assertEqual(self.agent.reply(id), {"Id": "big"})
        self.assertEqual(self.meeting.connection.held, 0)

    def test_concurrent(self) -> None:
        """Many requests may be under way; each gets its own reply, in whatever order those are made."""
        waiting: list[tuple[Any, Deferred[Reply]]] = []

        def answer(kind: StreamType, message: Any) -> Deferred[Reply]:
            waiting.append((message["Id"], Deferred()))
            return waiting[-1][1]

        self.owner.answer = answer
        ids = {number: self.agent.request(BIND, {"Id": number}) for number in range(200)}
        for number, deferred in reversed(waiting):
            deferred.callback(Reply(message={"Id": number}))
        for number, id in ids.items():
            self.assertEqual(self.agent.reply(id), {"Id": number})

    def test_rest_is_ignored(self) -> None:
        """What follows the object is dropped, without credit and without a second reply."""
        id = self.agent.request(BIND, {"Id": "a"})
        for _ in range(4):
            self.agent.frame(id, b'{"Id":"b"}' * 5000)
        self.assertEqual(self.agent.reply(id), {"Id": "a"})
        self.assertEqual(self.agent.seen[id].grown, 0)
        self.assertEqual(len(self.owner.asked), 1)

    def test_bad(self) -> None:
        """A request that is no JSON object is refused with the number for its kind; the connection goes on."""
        deep = b'{"a":' + b"[" * 5000
        for kind, code in ((AUTH, 109), (BIND, 301), (StreamType.START_TUNNEL_WITH_LABEL, 301), (UNBIND, 801)):
            for text in (b"[]", b"nonsense", b'{"a":"\xff"}', b'{"a":}', deep, b"{]", b'"'):
                id = self.agent.open(kind, text)
                self.assertRegex(self.error(id), rf"\AThe request is bad: .*\n\nERR_NGROK_{code}\Z")
        self.assertEqual(self.owner.asked, [])
        self.assertEqual(self.agent.ask(BIND, {"Id": "a"}), {"Id": "a"})

    def test_no_end(self) -> None:
        """A stream that ends within the object is refused, and so is one without any."""
        for text in (b"", b'{"a":'):
            id = self.agent.open(UNBIND, text)
            self.agent.fin(id)
            self.assertIn("has no end", self.error(id))
        self.assertEqual(self.meeting.connection.mux.streams, {})

    def test_never_ending(self) -> None:
        """A request that does not come to an end is given up, and what was held of it is forgotten."""
        agent = self.meet(patience=30.0)
        id = agent.open(BIND, b'{"a":"')
        for _ in range(29):
            agent.frame(id, b"x")
            agent.turn(1)
        self.assertIsNone(agent.seen.get(id))
        agent.turn(1)
        self.assertEqual(agent.seen[id].reset, ErrorCode.STREAM_CANCELLED)
        self.assertEqual((self.meeting.connection.mux.streams, self.meeting.connection.held), ({}, 0))

    def test_too_large(self) -> None:
        """One over the limit is refused as soon as that is seen."""
        agent = self.meet(max_request_bytes=1000)
        id = agent.open(BIND, b'{"a":"' + b"x" * 995)
        self.assertIn("larger than 1000 bytes", self.error(id))
        self.assertEqual(self.meeting.connection.held, 0)

    def test_too_much_together(self) -> None:
        """All unfinished requests of an agent together have a bound; those that are there go on."""
        agent = self.meet(max_held=100_000)
        first = [agent.open(BIND, b'{"Id":"' + b"x" * 30_000) for _ in range(3)]
        last = agent.open(BIND, b'{"Id":"' + b"x" * 30_000)
        self.assertIn(BUSY, self.error(last))
        for id in first:
            agent.frame(id, b'"}')
            self.assertEqual(agent.reply(id), {"Id": "x" * 30_000})
        self.assertEqual(self.meeting.connection.held, 0)

    def test_too_many(self) -> None:
        """An agent has so many streams of its own at a time; a further one is refused, and can be tried again."""
        agent = self.meet(max_requests=5)
        self.owner.answer = lambda kind, message: Deferred()
        ids = [agent.request(BIND, {}) for _ in range(6)]
        agent.turn()
        self.assertEqual(agent.seen[ids[-1]].reset, ErrorCode.ACCEPT_QUEUE_FULL)
        self.assertEqual(len(self.owner.asked), 5)
        agent.drop(ids[0])
        agent.request(BIND, {})
        self.assertEqual(len(self.owner.asked), 6)


class Later(Shares):
    """Does nothing before it is told to: `waiting` are parties with their work."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.waiting: list[tuple[Any, Any]] = []

    def do(self, party: Any, work: Any) -> None:
        """Shares."""
        self.waiting.append((party, work))

    def serve(self) -> None:
        """It is the turn of all that wait."""
        for _, work in self.waiting:
            work()


class TurnTests(RequestCase):
    """Requests that have to wait for their turn."""

    def meet(self, **limits: Any) -> FakeAgent:
        """RequestCase."""
        agent = super().meet(**limits)
        self.shares = self.meeting.factory.shares = Later()
        return agent

    def test_turn(self) -> None:
        """A request is served when it is its party's turn, and its bytes count until then."""
        self.meeting.connection.logged_in(10, 15, party="ac_1")
        id = self.agent.request(BIND, {"Id": "a"})
        self.assertIsNone(self.agent.reply(id))
        self.assertEqual([party for party, _ in self.shares.waiting], ["ac_1"])
        self.assertEqual(self.meeting.connection.held, len('{"Id": "a"}'))
        self.shares.serve()
        self.assertEqual(self.agent.reply(id), {"Id": "a"})
        self.assertEqual(self.meeting.connection.held, 0)

    def test_strangers(self) -> None:
        """Those who have not logged in are one party."""
        for _ in range(2):
            self.meet(login=False)
            self.agent.request(AUTH, {})
            self.assertEqual([party for party, _ in self.shares.waiting], [""])

    def test_too_much(self) -> None:
        """Requests that wait may hold no more than requests that arrive."""
        self.meet(max_held=100)
        first, second = self.agent.request(BIND, {"Id": "a" * 60}), self.agent.request(BIND, {"Id": "b" * 60})
        self.assertIn(BUSY, self.error(second))
        self.shares.serve()
        self.assertEqual(self.agent.reply(first), {"Id": "a" * 60})

    def test_gone(self) -> None:
        """What nobody waits for any more is not done."""
        gone, reset = self.agent.request(BIND, {"Id": "a"}), self.agent.request(BIND, {"Id": "b"})
        self.agent.drop(reset)
        self.meeting.clock.advance(self.meeting.connection.limits.answer_timeout)
        self.assertIn(TOO_SLOW, self.error(gone))
        self.agent.request(BIND, {"Id": "c"})
        self.agent.lose()
        self.shares.serve()
        self.assertEqual(self.owner.asked, [])
        self.assertEqual(self.meeting.connection.held, 0)


class AnsweringTests(RequestCase):
    """What the owner says."""

    def test_refused(self) -> None:
        """A refusal, raised or later, becomes a reply with its text and its number."""
        later: Deferred[Reply] = Deferred()
        for answer in (self.refuse, lambda kind, message: later):
            self.owner.answer = answer
            id = self.agent.request(BIND, {})
            if answer is not self.refuse:
                self.assertIsNone(self.agent.reply(id))
                later.errback(Refused(334, "It is online."))
            self.assertEqual(self.agent.reply(id), {"Error": "It is online.\n\nERR_NGROK_334"})

    @staticmethod
    def refuse(kind: StreamType, message: Any) -> Reply:
        """An owner that refuses."""
        raise Refused(334, "It is online.")

    def test_refused_login(self) -> None:
        """A refused Auth has the members that agents need (spec 6.1)."""
        self.owner.answer = self.refuse
        reply = self.agent.ask(AUTH, {})
        self.assertEqual(reply, {"Version": "", "ClientId": "", "Error": "It is online.\n\nERR_NGROK_334"})
        self.assertEqual(refusal(AUTH, Refused(None, "No.")), {"Version": "", "ClientId": "", "Error": "No."})

    def test_fault(self) -> None:
        """A fault of ours is logged, and the agent reads nothing of it."""
        failing: Deferred[Reply] = Deferred()
        failing.errback(ValueError("secret"))

        def raises(kind: StreamType, message: Any) -> Reply:
            raise ValueError("secret")

        for answer in (raises, lambda kind, message: failing):
            self.owner.answer = answer
            text = self.error(self.agent.request(BIND, {}))
            self.assertIn("fault of its own", text)
            self.assertNotIn("secret", text)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_no_json(self) -> None:
        """So is a reply that cannot be written."""
        self.owner.answer = lambda kind, message: Reply(message={"a": object()})
        self.assertIn("fault of its own", self.error(self.agent.request(BIND, {})))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_no_answer(self) -> None:
        """An answer that does not come in time is cancelled, and the agent told; one that comes later is not sent."""
        agent = self.meet(answer_timeout=60.0)
        cancelled: list[Deferred[Reply]] = []

        def answers_after_all(deferred: Deferred[Reply]) -> None:
            cancelled.append(deferred)
            deferred.callback(Reply(message={}))

        for cancel in (cancelled.append, answers_after_all):
            self.owner.answer = lambda kind, message: Deferred(cancel)
            id = agent.request(BIND, {})
            agent.turn(59)
            self.assertIsNone(agent.reply(id))
            agent.turn(1.1)
            self.assertEqual(self.error(id), TOO_SLOW)
            agent.fin(id)
        self.assertEqual(len(cancelled), 2)
        self.assertEqual(self.meeting.connection.mux.streams, {})

    def test_agent_leaves(self) -> None:
        """Nobody waits for the answer any more once the agent resets the stream, or is gone."""
        for leave in (lambda id: self.agent.drop(id), lambda id: self.agent.lose()):
            self.meet()
            cancelled: list[Any] = []
            self.owner.answer = lambda kind, message: Deferred(cancelled.append)
            leave(self.agent.request(BIND, {}))
            self.assertEqual(len(cancelled), 1)
            self.agent.turn(100)

    def test_half_closed(self) -> None:
        """An agent may end its side of the stream behind the request, and gets its reply all the same."""
        answer: Deferred[Reply] = Deferred()
        self.owner.answer = lambda kind, message: answer
        id = self.agent.request(BIND, {})
        self.agent.fin(id)
        answer.callback(Reply(message={"Id": "a"}, when_read=lambda: self.read.append("a")))
        self.assertEqual(self.agent.reply(id), {"Id": "a"})
        self.assertEqual(self.read, [], "its end says nothing of the reply")
        self.agent.turn(0.25)
        self.assertEqual(self.read, ["a"])

    def test_large_reply(self) -> None:
        """A reply that is larger than the window follows the agent's credit."""
        self.owner.answer = lambda kind, message: Reply(
            message={"a": "x" * WINDOW}, when_read=lambda: self.read.append("a")
        )
        id = self.agent.request(BIND, {})
        self.assertIsNone(self.agent.reply(id))
        self.assertGreater(self.meeting.connection.held, 0)
        self.agent.turn(1)
        self.assertEqual(self.read, [], "it was not sent")
        self.agent.grow(id, 100)
        self.assertEqual(self.agent.reply(id), {"a": "x" * WINDOW})
        self.assertEqual(self.meeting.connection.held, 0)
        self.agent.fin(id)
        self.assertEqual(self.read, ["a"])

    def test_unread_reply(self) -> None:
        """An agent that makes no room for a reply is not waited for without end."""
        agent = self.meet(patience=30.0)
        self.owner.answer = lambda kind, message: Reply(
            message={"a": "x" * WINDOW}, when_read=lambda: self.read.append("a")
        )
        id = agent.request(BIND, {})
        agent.turn(30)
        self.assertEqual((agent.seen[id].reset, self.meeting.connection.held), (ErrorCode.STREAM_CANCELLED, 0))
        self.assertEqual(self.read, ["a"])

    def test_unread_replies(self) -> None:
        """One that lets many large replies pile up is dropped."""
        agent = self.meet(max_held=200_000)
        self.owner.answer = lambda kind, message: Reply(message={"a": "x" * (WINDOW + 50_000)})
        for _ in range(3):
            agent.request(BIND, {})
        self.assertFalse(agent.wire.aborted)
        agent.request(BIND, {})
        self.assertTrue(agent.wire.aborted)


class ReadTests(RequestCase):
    """When the agent has read the reply (spec 7.3)."""

    def test_fin(self) -> None:
        """Its end of the stream says so, once."""
        id = self.agent.request(BIND, {"Id": "a"})
        self.agent.reply(id)
        self.assertEqual(self.read, [])
        self.agent.fin(id)
        self.assertEqual(self.read, ["a"])
        self.agent.turn(100)
        self.assertEqual(self.read, ["a"])

    def test_settled(self) -> None:
        """An agent that says nothing is taken to have read it a quarter of a second later; its end may come after that."""
        id = self.agent.request(BIND, {"Id": "a"})
        self.agent.turn(0.24)
        self.assertEqual(self.read, [])
        self.agent.turn(0.02)
        self.assertEqual(self.read, ["a"])
        self.agent.turn(20)
        self.agent.fin(id)
        self.agent.turn(20)
        self.assertEqual((self.read, self.agent.seen[id].reset), (["a"], None))

    def test_never_ended(self) -> None:
        """A stream that the agent never ends is given up in time."""
        agent = self.meet(patience=30.0)
        for message in ({"Id": "a"}, {}):
            id = agent.request(BIND, message)
            agent.turn(0.3)
            agent.turn(30.1)
            self.assertEqual(agent.seen[id].reset, ErrorCode.STREAM_CANCELLED)
        self.assertEqual(self.meeting.connection.mux.streams, {})

    def test_reset(self) -> None:
        """An agent that resets the stream does not wait for anything more."""
        self.agent.drop(self.agent.request(BIND, {"Id": "a"}))
        self.assertEqual(self.read, ["a"])

    def test_lost(self) -> None:
        """An agent that is gone reads nothing."""
        for fin in (False, True):
            self.meet()
            answer: Deferred[Reply] = Deferred()
            self.owner.answer = lambda kind, message: answer
            id = self.agent.request(BIND, {})
            if fin:
                self.agent.fin(id)
            answer.callback(Reply(message={}, when_read=lambda: self.read.append("a")))
            self.agent.lose()
            self.agent.turn(100)
        self.assertEqual(self.read, [])

    def test_fault(self) -> None:
        """What fails then is logged, and nothing else suffers."""
        self.owner.answer = lambda kind, message: Reply(message={}, when_read=lambda: 1 // 0)
        self.agent.ask(BIND, {})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.meeting.connection.mux.streams, {})
        self.assertFalse(self.agent.wire.disconnecting)

    def test_secret(self) -> None:
        """A reply does not show what is in it."""
        self.assertNotIn("secret", repr(Reply(message={"Token": "secret"})))


class StrangerTests(RequestCase):
    """Before the login."""

    def stranger(self, **limits: Any) -> FakeAgent:
        """An agent that is not let in yet."""
        return self.meet(login=False, **limits)

    def test_allowed(self) -> None:
        """Auth and SrvInfo reach the owner; anything else is refused, even while an Auth is being looked at."""
        agent = self.stranger()
        self.owner.answer = lambda kind, message: Deferred() if kind == AUTH else Reply(message={"Region": "eu"})
        agent.request(AUTH, {})
        self.assertEqual(agent.ask(SRV_INFO, {}), {"Region": "eu"})
        self.assertIn("before a successful login", agent.ask(BIND, {})["Error"])
        self.assertEqual([kind for kind, _ in self.owner.asked], [AUTH, SRV_INFO])

    def test_small(self) -> None:
        """Requests are smaller."""
        agent = self.stranger(strangers_request_bytes=1000)
        self.assertIn("larger than 1000", self.error(agent.open(AUTH, b'{"a":"' + b"x" * 1000)))

    def test_few_streams(self) -> None:
        """There are few streams at a time."""
        agent = self.stranger(strangers_streams=4)
        ids = [agent.open(AUTH, b"{") for _ in range(5)]
        agent.turn()
        self.assertEqual(agent.seen[ids[-1]].reset, ErrorCode.ENHANCE_YOUR_CALM)
        self.assertNotIn(ids[-2], agent.seen)

    def test_few_requests(self) -> None:
        """There are few requests altogether, so that nobody tries tokens by the thousand on one connection."""
        agent = self.stranger(strangers_requests=3)
        for _ in range(3):
            agent.ask(AUTH, {})
        id = agent.request(AUTH, {})
        agent.turn()
        self.assertEqual(agent.seen[id].reset, ErrorCode.STREAM_REFUSED)
        self.assertEqual(len(self.owner.asked), 3)

    def test_lifted(self) -> None:
        """The login lifts these bounds, and a request that is under way then is served."""
        agent = self.stranger(strangers_streams=4, strangers_requests=3, strangers_request_bytes=100)
        under_way = agent.open(BIND, b'{"Id":')
        agent.ask(AUTH, {})
        self.meeting.connection.logged_in(10, 15)
        agent.frame(under_way, b'"a"}')
        self.assertEqual(agent.reply(under_way), {"Id": "a"})
        for number in range(20):
            agent.open(BIND, b'{"Id":"' + b"x" * 1000)
        agent.turn()
        self.assertEqual([seen.id for seen in agent.seen.values() if seen.reset is not None], [])
