"""
Tests for `ngrok_twisted.webhook.providers.sns`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import Verifier, providers
from tests.webhook.client import Client
from tests.webhook.vectors import CERTIFICATE, Vector, vectors, verdict

ACCOUNT = "123456789012"


class SNSTests(SynchronousTestCase):
    """Messages of Amazon SNS."""

    def setUp(self) -> None:
        self.notification, self.confirmation = vectors("sns")

    def judge(self, vector: Vector, secret: str = "", drop: tuple[str, ...] = (), **members: Any) -> str:
        """Why a message with these members is not genuine; empty if it is."""
        message = {**json.loads(vector.delivery.body), **members}
        body = json.dumps({name: value for name, value in message.items() if name not in drop}).encode()
        return self.judge_body(vector, body, secret)

    def judge_body(self, vector: Vector, body: bytes, secret: str = "") -> str:
        """The same of a body."""
        found = verdict("sns", secret, vector.changed(body=body).delivery)
        return found.word if isinstance(found, NotGenuine) else ""

    def test_secret(self) -> None:
        """A secret is the number of an account, whose topics alone are accepted; nothing else may be one."""
        check = providers()["sns"].check_secret
        for good in ("", ACCOUNT):
            check(good)
        for bad in ("hush", "12345678901", "1234567890123", " 123456789012"):
            self.assertEqual(self.assertRaises(Refused, check, bad).code, 7026)
        self.assertEqual(self.judge(self.notification, ACCOUNT), "")
        self.assertEqual(self.judge(self.notification, "210987654321"), "source")

    def test_signed_members(self) -> None:
        """Every member that is signed must be what it was, and a text; the others may differ."""
        for vector, names in (
            (self.notification, "Message MessageId Subject Timestamp TopicArn"),
            (self.confirmation, "Message MessageId SubscribeURL Timestamp Token TopicArn"),
        ):
            for name in names.split():
                value = "2026-11-22T12:00:00.001Z" if name == "Timestamp" else "x"
                self.assertEqual(self.judge(vector, **{name: value}), "wrong", name)
                if name != "Subject":
                    self.assertEqual(self.judge(vector, drop=(name,)), "missing", name)
                for value in (7, [], None) if name != "Subject" else (7, []):
                    self.assertEqual(self.judge(vector, **{name: value}), "missing", name)
            self.assertEqual(self.judge(vector, UnsubscribeURL="x", MessageAttributes={"a": 1, "A": 2}), "")

    def test_subject(self) -> None:
        """A message may have no subject, or null for one, which was not signed then."""
        self.assertEqual(self.judge(self.notification, drop=("Subject",)), "wrong")
        self.assertEqual(self.judge(self.notification, Subject=None), "wrong")

    def test_types(self) -> None:
        """It is of a type that SNS has, and the one that the header says."""
        self.assertEqual(self.judge(self.notification, Type="UnsubscribeConfirmation"), "shape")
        self.assertEqual(self.judge(self.notification, Type="Other"), "shape")
        fields = ((b"x-amz-sns-message-type", b"SubscriptionConfirmation"),)
        found = verdict("sns", "", self.notification.changed(fields=fields).delivery)
        self.assertEqual(found.word, "shape")
        self.assertIsNone(verdict("sns", "", self.notification.changed(fields=()).delivery))

    def test_ambiguous(self) -> None:
        """A member that is there twice, or again in other case, could be read in two ways: nothing passes."""
        body = self.notification.delivery.body
        for more in (b'{"Message": "evil",', b'{"message": "evil",'):
            self.assertEqual(self.judge_body(self.notification, body.replace(b"{", more, 1)), "shape")
        self.assertEqual(self.judge_body(self.notification, b"[" + body + b"]"), "shape")

    def test_time(self) -> None:
        """A message is good for an hour, which is as long as SNS tries."""
        now = self.notification.delivery.now
        for late, word in ((3600, None), (-3600, None), (3601, "stale"), (-3601, "stale")):
            found = verdict("sns", "", self.notification.changed(now=now + late).delivery)
            self.assertEqual(found and found.word, word)

    def test_signature(self) -> None:
        """A signature is base64, of a version that is known."""
        for signature in ("", "!", 7, None):
            self.assertEqual(self.judge(self.notification, Signature=signature), "missing")
        self.assertEqual(self.judge(self.notification, Signature="AAAA"), "wrong")
        self.assertEqual(self.judge(self.notification, SignatureVersion="2"), "wrong")
        self.assertEqual(self.judge(self.notification, SignatureVersion="3"), "shape")

    def test_certificate(self) -> None:
        """The certificate has two names, and is at Amazon's."""
        url = json.loads(self.notification.delivery.body)["SigningCertURL"]
        self.assertEqual(self.judge(self.notification, drop=("SigningCertURL",), SigningCertUrl=url), "")
        self.assertEqual(self.judge(self.notification, drop=("SigningCertURL",)), "missing")
        self.assertEqual(self.judge(self.notification, SigningCertURL="https://example.com/x.pem"), "shape")

    def test_raw(self) -> None:
        """What is sent raw is not signed."""
        fields = (*self.notification.delivery.fields, (b"x-amz-sns-rawdelivery", b"true"))
        found = verdict("sns", "", self.notification.changed(fields=fields).delivery)
        self.assertEqual(found.word, "missing")

    def test_surrogates(self) -> None:
        """Halves of characters are no text."""
        self.assertEqual(self.judge(self.notification, Message="\udc80"), "shape")


class ConfirmationTests(SynchronousTestCase):
    """Subscriptions that the edge confirms."""

    def setUp(self) -> None:
        self.notification, self.confirmation = vectors("sns")
        self.client, self.clock = Client(), Clock()
        self.clock.advance(self.confirmation.delivery.now)

    def verifier(self, secret: str = ACCOUNT, confirm: bool = True) -> Verifier:
        """As it is configured."""
        context = WebhookContext(clock=self.clock, http=self.client, confirm_sns=confirm)
        found: Verifier = providers()["sns"](secret, context)
        return found

    def verify(self, verifier: Verifier, vector: Vector) -> None:
        """A genuine message that goes on to the service."""
        waiting = verifier.verify(vector.delivery)
        self.client.answer(CERTIFICATE)
        self.assertIsNone(self.successResultOf(waiting))

    def test_confirmed(self) -> None:
        """The URL of the message is visited, while the message goes on."""
        self.verify(self.verifier(), self.confirmation)
        url = json.loads(self.confirmation.delivery.body)["SubscribeURL"]
        self.assertEqual(self.client.asked[1], (url, {"allow_redirects": False, "unbuffered": True}))
        self.client.answer(b"<ConfirmSubscriptionResponse/>")

    def test_failure(self) -> None:
        """That it cannot be visited is for the log alone."""
        self.verify(self.verifier(), self.confirmation)
        self.client.answer(b"", 403)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_not_for_all(self) -> None:
        """Topics of accounts that were not named are not confirmed: anybody could make them; nor is anything by default."""
        for verifier in (self.verifier(secret=""), self.verifier(confirm=False)):
            self.verify(verifier, self.confirmation)
        self.assertEqual(len(self.client.asked), 2)

    def test_notifications(self) -> None:
        """A message confirms nothing."""
        self.verify(self.verifier(), self.notification)
        self.assertEqual(len(self.client.asked), 1)
