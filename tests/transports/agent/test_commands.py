"""Tests of `ngrok_twisted.transports.agent.commands`."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.transports.agent.commands import Unanswered
from ngrok_twisted.transports.agent.frames import ErrorCode
from ngrok_twisted.transports.agent.typed import StreamReset, StreamType
from tests.transports.agent.client import Meeting, Seen

STOP, UPDATE, STOP_TUNNEL = StreamType.STOP, StreamType.UPDATE, StreamType.STOP_TUNNEL


class CommandCase(SynchronousTestCase):
    """Has an agent that is let in."""

    def setUp(self) -> None:
        self.meet()

    def meet(self, **limits: Any) -> None:
        """Another agent."""
        self.meeting = Meeting(heartbeat_slack=1000.0, **limits)
        self.agent = self.meeting.agent

    def assertOver(self) -> None:
        """No stream is left, and nothing that waits but the watch for heartbeats."""
        self.assertEqual(self.meeting.connection.mux.streams, {})
        self.assertEqual(len(self.agent.clock.getDelayedCalls()), 1)


class CommandTests(CommandCase):
    """What has an answer."""

    def stop(self, timeout: float = 3) -> tuple[Deferred[dict[str, Any]], Seen]:
        """Have the agent stop."""
        result = self.meeting.connection.command(STOP, {}, timeout)
        return result, self.agent.last(STOP)

    def test_message(self) -> None:
        """The type and the object leave in one frame, and the side of the server stays open."""
        self.meeting.connection.command(UPDATE, {"Version": "3.1", "PermitMajorVersion": False}, 3)
        seen = self.agent.last(UPDATE)
        self.assertEqual(seen.message, {"Version": "3.1", "PermitMajorVersion": False})
        self.assertEqual((seen.fin, seen.frames), (False, 1))

    def test_ended_reply(self) -> None:
        """A reply that is ended, as the Rust family has it."""
        for together in (False, True):
            result, seen = self.stop()
            self.agent.frame(seen.id, b'{"Error":""}', flags=int(together))
            if not together:
                self.agent.fin(seen.id)
            self.assertEqual(self.successResultOf(result), {"Error": ""})
            self.agent.turn()
            self.assertEqual((seen.fin, seen.reset), (True, None))
            self.assertOver()

    def test_open_reply(self) -> None:
        """A reply that is not, as the Go family has it: it counts at once, and the stream is given up later."""
        self.meet(patience=30.0)
        result, seen = self.stop()
        self.agent.frame(seen.id, b'{"Error":"no"}\n')
        self.assertEqual(self.successResultOf(result), {"Error": "no"})
        self.agent.turn(29)
        self.assertEqual((seen.fin, seen.reset), (True, None))
        self.agent.turn(2)
        self.assertEqual(seen.reset, ErrorCode.STREAM_CANCELLED)
        self.assertOver()

    def test_farewell_behind(self) -> None:
        """A farewell in the same read does not take the reply away."""
        result, seen = self.stop()
        self.agent.raw(b"\0\0\2\x10\0\0\0\2{}" + b"\0\0\x10\x30" + bytes(12) + b"no error")
        self.assertEqual(self.successResultOf(result), {})

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    def test_any_split(self, sizes: list[int]) -> None:
        """However the reply is cut, it is the same."""
        self.meet()
        result, seen = self.stop()
        rest = b'{"Error": "a}\\"{b"}'
        for size in sizes:
            self.agent.frame(seen.id, rest[:size])
            rest = rest[size:]
        if rest:
            self.assertNoResult(result)
        self.agent.frame(seen.id, rest)
        self.assertEqual(self.successResultOf(result), {"Error": 'a}"{b'})

    def test_silence(self) -> None:
        """An agent that does not answer is waited for only so long (spec 8.2)."""
        result, seen = self.stop(3)
        self.agent.turn(2.9)
        self.assertNoResult(result)
        self.agent.turn(0.2)
        self.failureResultOf(result, TimeoutError)
        self.assertEqual((seen.fin, seen.reset), (True, ErrorCode.STREAM_CANCELLED))
        self.assertOver()
        self.agent.frame(seen.id, b"{}")
        self.agent.turn()

    def test_no_reply(self) -> None:
        """An agent may end the stream instead, whole or in the middle of its reply."""
        for text in (b"", b'{"Err'):
            result, seen = self.stop()
            self.agent.frame(seen.id, text)
            self.agent.fin(seen.id)
            self.failureResultOf(result, Unanswered)
            self.agent.turn()
            self.assertTrue(seen.fin)
            self.assertOver()

    def test_reset(self) -> None:
        """Or reset it."""
        result, seen = self.stop()
        self.agent.drop(seen.id, 5)
        self.assertEqual(self.failureResultOf(result, StreamReset).value.code, 5)
        self.assertOver()

    def test_bad_reply(self) -> None:
        """A reply that is no object, or too large a one, is none."""
        for text in (b"true", b'{"a":}', b'{"a":"' + b"x" * 70_000):
            result, seen = self.stop()
            self.agent.frame(seen.id, text)
            self.failureResultOf(result, Unanswered)
            self.assertOver()

    def test_lost(self) -> None:
        """The connection may be lost before, or be gone already."""
        result, _ = self.stop()
        self.agent.lose()
        self.failureResultOf(result, TunnelLost)
        self.failureResultOf(self.meeting.connection.command(STOP, {}, 3), TunnelLost)
        self.assertEqual(self.agent.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """It can be cancelled; a reply that comes later is nobody's."""
        result, seen = self.stop()
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.agent.turn()
        self.assertEqual((seen.fin, seen.reset), (True, ErrorCode.STREAM_CANCELLED))
        self.assertOver()

    def test_second_object(self) -> None:
        """What follows the reply is nobody's."""
        result, seen = self.stop()
        self.agent.frame(seen.id, b'{"a":1}{"a":2}')
        self.agent.frame(seen.id, b'{"a":3}' * 1000)
        self.assertEqual(self.successResultOf(result), {"a": 1})

    def test_no_room(self) -> None:
        """Commands have room when visitors have taken all of theirs, but not without end."""
        self.meet(max_streams=2)
        results = [self.meeting.connection.command(STOP, {}, 3) for _ in range(50)]
        self.assertNoResult(results[2])
        for result in results[40:]:
            self.failureResultOf(result, Overloaded)
        for result in results:
            result.addErrback(lambda failure: None)


class NoticeTests(CommandCase):
    """What has no answer."""

    def test_message(self) -> None:
        """The type, the object and the end leave in one frame; the agent's end is the end of the stream."""
        self.meeting.connection.tell(STOP_TUNNEL, {"Id": "tn_1", "Message": "Gone.", "ErrorCode": None})
        seen = self.agent.last(STOP_TUNNEL)
        self.assertEqual(seen.message, {"Id": "tn_1", "Message": "Gone.", "ErrorCode": None})
        self.assertEqual((seen.fin, seen.frames), (True, 1))
        self.agent.frame(seen.id, b"whatever")
        self.agent.fin(seen.id)
        self.assertOver()

    def test_ignored(self) -> None:
        """An agent that takes no notice of it does not keep the stream for ever."""
        self.meet(patience=30.0)
        self.meeting.connection.tell(STOP_TUNNEL, {})
        self.agent.turn(31)
        self.assertEqual(self.agent.seen[2].reset, ErrorCode.STREAM_CANCELLED)
        self.assertOver()

    def test_in_vain(self) -> None:
        """An agent that is leaving is not told, and nobody is troubled."""
        self.meeting.connection.close("enough")
        self.meeting.connection.tell(STOP_TUNNEL, {})
        self.agent.turn()
        self.assertEqual(self.agent.opened, [])
