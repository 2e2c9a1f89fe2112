"""Tests of `ngrok_twisted.transports.agent.heartbeats`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.transports.agent.frames import SYN, WINDOW, ErrorCode
from ngrok_twisted.transports.agent.heartbeats import MOST_PROBES, MOST_UNREAD
from ngrok_twisted.transports.agent.typed import StreamType
from tests.transports.agent.client import Meeting, Seen

HEARTBEAT = StreamType.HEARTBEAT


class EchoTests(SynchronousTestCase):
    """The agent's words."""

    def test_echo(self) -> None:
        """They come back, before the login too."""
        for login in (False, True):
            agent = Meeting(login).agent
            id = agent.open(HEARTBEAT, b"\x73\x48\xdb\xb7")
            agent.turn()
            self.assertEqual(agent.seen[id].data, b"\x73\x48\xdb\xb7")

    @settings(deadline=None)
    @given(st.binary(min_size=1, max_size=40), st.lists(st.integers(1, 12), min_size=1, max_size=10))
    def test_any_split(self, words: bytes, sizes: list[int]) -> None:
        """However they are cut, whole words come back, in order."""
        agent = Meeting().agent
        id, rest = agent.open(HEARTBEAT), words
        for size in sizes:
            agent.frame(id, rest[:size])
            rest = rest[size:]
        agent.frame(id, rest)
        agent.turn()
        data = agent.seen[id].data if id in agent.seen else b""
        self.assertEqual(data, words[: len(words) // 4 * 4])

    def test_end(self) -> None:
        """A heartbeat stream that the agent ends is ended."""
        meeting = Meeting()
        id = meeting.agent.open(HEARTBEAT, b"abcd")
        meeting.agent.fin(id)
        meeting.agent.turn()
        self.assertEqual((meeting.agent.seen[id].data, meeting.agent.seen[id].fin), (b"abcd", True))
        self.assertEqual(meeting.connection.mux.streams, {})

    def test_flood(self) -> None:
        """An agent that sends words without end and reads none of them back, loses the stream; nothing piles up."""
        meeting = Meeting()
        agent = meeting.agent
        id = agent.open(HEARTBEAT)
        for _ in range(WINDOW // 8192):
            agent.frame(id, b"\0" * 8192)
        agent.frame(id, b"\0" * (MOST_UNREAD + 4))
        agent.turn()
        self.assertEqual((len(agent.seen[id].data), agent.seen[id].reset), (WINDOW, ErrorCode.STREAM_CANCELLED))
        self.assertFalse(agent.wire.disconnecting)

    def test_credit(self) -> None:
        """The window never runs out for one that reads what comes back."""
        agent = Meeting().agent
        id = agent.open(HEARTBEAT)
        for _ in range(3 * WINDOW // 8192):
            agent.frame(id, b"\0" * 8192)
            agent.grow(id, 8192)
            agent.turn()
        self.assertEqual(len(agent.seen[id].data), 3 * WINDOW)
        self.assertIsNone(agent.seen[id].reset)

    def test_several(self) -> None:
        """An agent has a few heartbeat streams at most; the place of one that has ended is free."""
        agent = Meeting().agent
        ids = [agent.open(HEARTBEAT, b"abcd") for _ in range(5)]
        agent.turn()
        self.assertEqual([agent.seen[id].reset for id in ids], [None] * 4 + [ErrorCode.STREAM_REFUSED])
        agent.fin(ids[0])
        id = agent.open(HEARTBEAT, b"abcd")
        agent.turn()
        self.assertEqual(agent.seen[id].data, b"abcd")

    def test_word_with_syn(self) -> None:
        """The type and the first word may come in one frame."""
        agent = Meeting().agent
        agent.frame(3, b"\xff\xff\xff\xffabcd", SYN)
        agent.turn()
        self.assertEqual(agent.seen[3].data, b"abcd")


class WatchTests(SynchronousTestCase):
    """An agent whose heartbeats stay away."""

    def test_silence(self) -> None:
        """It is dropped after its interval, its tolerance and some slack; a word in time puts that off."""
        meeting = Meeting(heartbeat_slack=5.0)  # interval 10, tolerance 15
        agent = meeting.agent
        id = agent.open(HEARTBEAT, b"abcd")
        for _ in range(10):
            agent.clock.pump([1] * 29)
            agent.frame(id, b"abcd")
            self.assertFalse(agent.wire.disconnecting)
        agent.clock.pump([1] * 29)
        self.assertFalse(agent.wire.disconnecting)
        agent.clock.pump([1] * 4)
        agent.turn()
        self.assertTrue(agent.wire.disconnecting)
        self.assertEqual(agent.farewell, (ErrorCode.NO_ERROR, "no heartbeat in time"))

    def test_other_bytes(self) -> None:
        """Only heartbeats count: requests, and part of a word, do not."""
        meeting = Meeting()
        agent = meeting.agent
        id = agent.open(HEARTBEAT)
        for number in range(33):
            agent.clock.advance(1)
            if number < 3:
                agent.frame(id, b"x")
            agent.request(StreamType.SRV_INFO, {})
        self.assertTrue(agent.wire.disconnecting)

    def test_answers_count(self) -> None:
        """An answer to a word of ours is a sign of life too."""
        meeting = Meeting()
        agent = meeting.agent
        for _ in range(5):
            agent.clock.pump([1] * 20)
            meeting.connection.probe()
            seen = agent.last(HEARTBEAT)
            agent.frame(seen.id, seen.data[-4:])
        self.assertFalse(agent.wire.disconnecting)

    def test_before_login(self) -> None:
        """Heartbeats do not prolong the time for the login."""
        meeting = Meeting(login=False, login_grace=30.0)
        agent = meeting.agent
        id = agent.open(HEARTBEAT)
        for _ in range(29):
            agent.clock.advance(1)
            agent.frame(id, b"abcd")
        self.assertFalse(agent.wire.disconnecting)
        agent.clock.pump([1] * 4)
        self.assertTrue(agent.wire.disconnecting)


class ProbeTests(SynchronousTestCase):
    """Words of ours."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        self.agent = self.meeting.agent

    def asked(self) -> Seen:
        """The stream of our words."""
        return self.agent.last(HEARTBEAT)

    def test_answer(self) -> None:
        """It fires when its word comes back, which also answers those before it; the stream is used again."""
        first = self.meeting.connection.probe()
        second = self.meeting.connection.probe()
        third = self.meeting.connection.probe()
        seen = self.asked()
        words = seen.data[4:]
        self.assertEqual(len(words), 12)
        self.agent.frame(seen.id, words[4:6])
        self.assertNoResult(first)
        self.agent.frame(seen.id, words[6:8])
        self.assertIsNone(self.successResultOf(first))
        self.assertIsNone(self.successResultOf(second))
        self.assertNoResult(third)
        self.agent.frame(seen.id, words[8:])
        self.assertIsNone(self.successResultOf(third))
        self.assertEqual(self.agent.opened, [seen.id])

    def test_wrong_word(self) -> None:
        """A word that is not ours answers nothing."""
        probe = self.meeting.connection.probe()
        self.agent.frame(self.asked().id, b"\xff\xff\xff\xff")
        self.assertNoResult(probe)

    def test_connection_lost(self) -> None:
        """It fails when the connection is gone, and there are none afterwards."""
        probe = self.meeting.connection.probe()
        self.asked()
        self.agent.lose()
        self.failureResultOf(probe, TunnelLost)
        self.failureResultOf(self.meeting.connection.probe(), TunnelLost)

    def test_never_ended(self) -> None:
        """If the agent ends the stream we do not: some would write without end. It is reset, and the next word has a new one."""
        for end in (self.agent.fin, self.agent.drop):
            probe = self.meeting.connection.probe()
            seen = self.asked()
            end(seen.id)
            self.failureResultOf(probe, TunnelLost)
            self.agent.turn()
            self.assertFalse(seen.fin)
        self.assertEqual(self.agent.seen[self.agent.opened[0]].reset, ErrorCode.STREAM_CANCELLED)
        probe = self.meeting.connection.probe()
        seen = self.asked()
        self.agent.frame(seen.id, seen.data[4:])
        self.assertIsNone(self.successResultOf(probe))
        self.assertEqual(len(self.agent.opened), 3)

    def test_cancel(self) -> None:
        """It can be cancelled, and its answer still comes."""
        probe = self.meeting.connection.probe()
        probe.cancel()
        self.failureResultOf(probe, CancelledError)
        later = self.meeting.connection.probe()
        seen = self.asked()
        self.agent.frame(seen.id, seen.data[4:])
        self.assertIsNone(self.successResultOf(later))

    def test_many(self) -> None:
        """However many ask, few words are on their way."""
        probes = [self.meeting.connection.probe() for _ in range(10 * MOST_PROBES)]
        seen = self.asked()
        self.assertEqual(len(seen.data[4:]), 4 * MOST_PROBES)
        self.agent.frame(seen.id, seen.data[4:])
        for probe in probes:
            self.assertIsNone(self.successResultOf(probe))
