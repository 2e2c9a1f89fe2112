"""
Tests for `ngrok_twisted.webhook.verifier`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.interfaces import IWebhookVerifier
from ngrok_twisted.webhook.verifier import SECRET_MAX, Provider, providers
from tests.webhook.vectors import context, delivery


class Scheme:
    """A way of signing that the test plays."""

    def __init__(self, header: bytes, verdict: Any = None) -> None:
        self.header = header
        self.verdict = verdict
        self.secrets: list[str] = []

    def present(self, delivery: Delivery) -> bool:
        """By a header field."""
        return delivery.has(self.header)

    def check_secret(self, secret: str) -> None:
        """Most will do."""
        if secret == "bad":
            raise Refused(1, "is bad")

    def bind(self, secret: str, context: Any) -> Any:
        """Says what the test wants."""
        self.secrets.append(secret)
        return self.check

    def check(self, delivery: Delivery) -> Any:
        """Likewise."""
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


class ProviderTests(SynchronousTestCase):
    """Somebody who sends webhooks."""

    def test_interface(self) -> None:
        """It is what the folder of kinds is searched for."""
        verifyObject(IWebhookVerifier, Provider(name="x", secret="key", schemes=()))
        self.assertIs(providers()["github"], providers()["github"])

    def test_secrets(self) -> None:
        """A secret must be there, be short, and please every scheme."""
        one = Provider(name="x", secret="key", schemes=(Scheme(b"a"), Scheme(b"b")))
        self.assertIn("the key of x", self.assertRaises(Refused, one.check_secret, "").message)
        self.assertEqual(self.assertRaises(Refused, one.check_secret, "x" * (SECRET_MAX + 1)).code, 7154)
        self.assertEqual(self.assertRaises(Refused, one.check_secret, "bad").code, 1)
        one.check_secret("x" * SECRET_MAX)
        Provider(name="x", secret="", schemes=(), takes_secret=False).check_secret("")


class VerifierTests(SynchronousTestCase):
    """One of them with a secret."""

    def verifier(self, *schemes: Scheme, **more: Any) -> Any:
        """With the secret "s"."""
        return Provider(name="x", secret="key", schemes=schemes, **more)("s", context())

    def test_first_scheme(self) -> None:
        """The first scheme that a delivery has counts, whatever the others say."""
        wrong = NotGenuine(WRONG, "")
        verifier = self.verifier(Scheme(b"a", wrong), Scheme(b"b"))
        both, second = delivery(headers={"A": "1", "B": "1"}), delivery(headers={"B": "1"})
        self.assertIs(self.assertRaises(NotGenuine, verifier.verify, both), wrong)
        self.assertIsNone(verifier.verify(second))
        self.assertIsNone(verifier.look(both))

    def test_none(self) -> None:
        """Without any it is not genuine, which its head tells."""
        verifier = self.verifier(Scheme(b"a"))
        for judge in (verifier.look, verifier.verify):
            self.assertEqual(self.assertRaises(NotGenuine, judge, delivery()).word, "missing")

    def test_challenge(self) -> None:
        """A challenge is answered before anything is asked for."""
        asked: list[Any] = []

        def challenge(*given: Any) -> Any:
            asked.append(given)
            return "answer" if given[0].method == b"GET" else None

        verifier = self.verifier(Scheme(b"a"), challenge=challenge)
        self.assertEqual(verifier.look(delivery(method="GET")), "answer")
        self.assertEqual(asked[0][1], "s")
        self.assertRaises(NotGenuine, verifier.look, delivery())

    def test_handshake(self) -> None:
        """A handshake is answered only if it is genuine, now or later."""
        waiting: Deferred[None] = Deferred()
        for verdict, later in ((None, None), (succeed(None), None), (waiting, waiting)):
            verifier = self.verifier(Scheme(b"a", verdict), handshake=lambda *given: "answer")
            found = verifier.verify(delivery(headers={"A": "1"}))
            if later is not None:
                self.assertNoResult(found)
                later.callback(None)
            self.assertEqual(found if isinstance(found, str) else self.successResultOf(found), "answer")
        wrong = self.verifier(Scheme(b"a", NotGenuine(WRONG, "")), handshake=lambda *given: self.fail("it was asked"))
        self.assertRaises(NotGenuine, wrong.verify, delivery(headers={"A": "1"}))
