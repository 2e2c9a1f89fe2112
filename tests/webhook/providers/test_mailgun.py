"""
Tests for `ngrok_twisted.webhook.providers.mailgun`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.providers import mailgun
from ngrok_twisted.webhook.verifier import providers
from tests.webhook.signers import FORM, NOW, TEXT, mac
from tests.webhook.vectors import context, delivery, judged


def signature(token: str = "token", at: int = NOW) -> dict[str, str]:
    """What Mailgun says of a token."""
    return {"timestamp": str(at), "token": token, "signature": mac(TEXT, f"{at}{token}".encode()).hex()}


class MailgunTests(SynchronousTestCase):
    """Signatures in the body."""

    def setUp(self) -> None:
        self.verifier = providers()["mailgun"](TEXT, context(NOW))

    def judge(self, body: Any, now: float = NOW, headers: dict[str, str] = {}) -> str:
        """Why it is not genuine; empty if it is."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        found = judged(self.verifier, delivery(headers=headers, body=sent, now=now))
        return found.word if isinstance(found, NotGenuine) else ""

    def test_once(self) -> None:
        """A token counts once, whatever event it comes with."""
        self.assertEqual(self.judge({"signature": signature(), "event-data": 1}), "")
        self.assertEqual(self.judge({"signature": signature(), "event-data": 2}), "stale")
        self.assertEqual(self.judge({"signature": signature("other")}), "")

    def test_never_forgotten_while_good(self) -> None:
        """It is remembered for as long as its timestamp could be good, and not longer."""
        self.assertEqual(self.judge({"signature": signature(at=NOW + 180)}), "")
        self.assertEqual(self.judge({"signature": signature(at=NOW + 180)}, now=NOW + 360), "stale")
        self.assertEqual(self.judge({"signature": signature("other", at=NOW + 400)}, now=NOW + 400), "")
        self.assertEqual(len(self.verifier._checks[0][1].__self__._seen), 1)

    def test_wrong_tokens(self) -> None:
        """Only genuine tokens are remembered, and not without end."""
        self.patch(mailgun, "_TOKENS_MAX", 3)
        for number in range(9):
            self.assertEqual(self.judge({"signature": {**signature(str(number)), "signature": "00"}}), "wrong")
        seen = self.verifier._checks[0][1].__self__._seen
        self.assertEqual(len(seen), 0)
        for number in range(9):
            self.judge({"signature": signature(str(number))})
        self.assertEqual(list(seen), ["6", "7", "8"])

    def test_form(self) -> None:
        """Routes post forms, where the same stands in fields."""
        self.assertEqual(self.judge(urlencode({**signature(), "subject": "hi"}).encode(), headers=FORM), "")
        twice = urlencode({**signature("x"), "subject": "hi"}) + "&token=y"
        self.assertEqual(self.judge(twice.encode(), headers=FORM), "shape")

    def test_nonsense(self) -> None:
        """What holds no signature is refused."""
        for body in (
            {},
            {"signature": None},
            {"signature": {"timestamp": NOW}},
            {"signature": {**signature(), "token": 7}},
        ):
            self.assertEqual(self.judge(body), "missing")
        for body in ([], b"", b"x", {"signature": signature("x" * 201)}):
            self.assertEqual(self.judge(body), "shape")
        self.assertEqual(self.judge({"signature": {**signature(), "token": "\udc80"}}), "shape")
