"""
Tests of `ngrok_twisted.transports.agent.orders`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Overloaded, Refused, TunnelLost
from ngrok_twisted.transports.agent.commands import Unanswered
from ngrok_twisted.transports.agent.orders import ANSWER_TIMEOUT
from ngrok_twisted.transports.agent.typed import StreamReset
from tests.transports.agent.world import World


class OrderTests(SynchronousTestCase):
    """`give`, through a session."""

    def setUp(self) -> None:
        """An agent that follows every order."""
        self.agent = World().agent(StopUnsupportedError="", RestartUnsupportedError="", UpdateUnsupportedError="")

    def order(self, command: str, version: str = "") -> Deferred[None]:
        """Give an order."""
        ordered: Deferred[None] = self.agent.session.order(command, version)
        return ordered

    def answer(self, answer: Any) -> None:
        """The agent answers, or fails to."""
        waiting = self.agent.connection.commands[-1][-1]
        (waiting.errback if isinstance(answer, Exception) else waiting.callback)(answer)

    def refused(self, ordered: Deferred[None]) -> Refused:
        """Why an order is not followed."""
        refused: Refused = self.failureResultOf(ordered, Refused).value
        return refused

    def test_followed(self) -> None:
        """An agent that says nothing against it follows."""
        for command, kind, answer in (("stop", 5, {}), ("restart", 4, {"Error": ""}), ("update", 6, {"Error": None})):
            ordered = self.order(command)
            self.assertNoResult(ordered)
            self.assertEqual(self.agent.connection.commands[-1][0], kind)
            self.assertEqual(self.agent.connection.commands[-1][2], ANSWER_TIMEOUT)
            self.answer(answer)
            self.assertIsNone(self.successResultOf(ordered))

    def test_version(self) -> None:
        """An update says which version is meant; one that is named may be a major one."""
        for version, permit in (("", False), ("4.0.0", True)):
            self.order("update", version)
            message = self.agent.connection.commands[-1][1]
            self.assertEqual(message, {"Version": version, "PermitMajorVersion": permit})

    def test_will_not(self) -> None:
        """An agent that says why not has each order's own number, and its reason is passed on."""
        for command, code in (("stop", 807), ("restart", 808), ("update", 809)):
            ordered = self.order(command)
            self.answer({"Error": "busy with other things"})
            refused = self.refused(ordered)
            self.assertEqual(refused.code, code)
            self.assertIn("busy with other things", refused.message)

    def test_no_answer(self) -> None:
        """An agent that does not answer has not followed; one that is lost has a number of its own."""
        for error, code in (
            (TimeoutError(), 807),
            (Unanswered("it hung up"), 807),
            (StreamReset(2), 807),
            (Overloaded(), 807),
            (TunnelLost(), 810),
        ):
            ordered = self.order("stop")
            self.answer(error)
            self.assertEqual(self.refused(ordered).code, code)

    def test_impossible(self) -> None:
        """What the agent said at its login that it cannot, it is not asked to."""
        agent = World().agent(
            StopUnsupportedError=None, RestartUnsupportedError="no callback", UpdateUnsupportedError="no"
        )
        for command, code, reason in (("stop", 805, "too old"), ("restart", 804, "no callback"), ("update", 806, "no")):
            refused = self.refused(agent.session.order(command, ""))
            self.assertEqual(refused.code, code)
            self.assertIn(reason, refused.message)
        self.assertEqual(agent.connection.commands, [])

    def test_gone(self) -> None:
        """An agent that has just gone gets no order."""
        session = self.agent.session
        self.agent.lose()
        self.assertEqual(self.refused(session.order("stop", "")).code, 810)
