"""Tests of `ngrok_twisted.transports.agent.ids`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent.frames import ErrorCode, MuxError
from ngrok_twisted.transports.agent.ids import MAX_LATE, AgentIds

HIGHEST = 0x7FFFFFFF


class AgentIdsTests(SynchronousTestCase):
    """`AgentIds`."""

    def setUp(self) -> None:
        self.ids = AgentIds()

    def used(self, *ids: int) -> None:
        """An agent opens streams with them."""
        for id in ids:
            self.ids.use(id)

    def assert_refused(self, *ids: int) -> None:
        """None of them can be used, which is an error of the protocol."""
        for id in ids:
            with self.assertRaises(MuxError) as caught:
                self.ids.use(id)
            self.assertEqual(caught.exception.code, ErrorCode.PROTOCOL_ERROR)

    def test_late(self) -> None:
        """Agents number streams before they announce them: two may come in either order, but none comes twice."""
        self.used(9, 5, 3, 7, 11)
        self.assert_refused(3, 9, 11)

    def test_too_late(self) -> None:
        """Only so many ids that were left out are remembered, however large the gap; the last ones."""
        self.used(HIGHEST, HIGHEST - 2 * MAX_LATE)
        self.assertEqual(len(self.ids._late), MAX_LATE - 1)
        self.assert_refused(HIGHEST - 2 * MAX_LATE - 2)

    def test_many_gaps(self) -> None:
        """They are not more with many gaps."""
        self.used(*range(1001, 10001, 1000))
        self.assertEqual(len(self.ids._late), MAX_LATE)

    def test_bad_ids(self) -> None:
        """An agent may not open a stream with an even id, or with 0 or 1."""
        self.assert_refused(0, 1, 2, 4)
