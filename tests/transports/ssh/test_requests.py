"""Tests of `ngrok_twisted.transports.ssh.requests`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.requests import Answers


class AnswersTests(SynchronousTestCase):
    """The order of answers."""

    def test_order(self) -> None:
        """Answers leave in the order of the requests, whenever they are known."""
        sent: list[bytes] = []
        answers = Answers(sent.append, 3)
        first, second, third = answers.reserve(), answers.reserve(), answers.reserve()
        assert first and second and third
        self.assertIsNone(answers.reserve())
        third.give(b"3")
        second.give(b"2")
        self.assertEqual(sent, [])
        first.give(b"1")
        self.assertEqual(sent, [b"1", b"2", b"3"])
        self.assertIsNotNone(answers.reserve())

    def test_once(self) -> None:
        """The first answer counts."""
        sent: list[bytes] = []
        answer = Answers(sent.append, 1).reserve()
        assert answer
        answer.give(b"yes")
        answer.give(b"no")
        self.assertEqual(sent, [b"yes"])
