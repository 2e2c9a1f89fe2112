"""
Tests for `ngrok_twisted.webhook.schemes`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.digests import BASE64, base64_key
from ngrok_twisted.webhook.parts import BODY, METHOD, Header, InHeader, Stamp
from ngrok_twisted.webhook.schemes import Signed, Token, body_hmac, hub, made_of, pairs_hmac, standard_webhooks
from tests.webhook.vectors import context, delivery

# RFC 4231, section 4.3 (test case 2): HMAC with the key "Jefe" over this message.
KEY, MESSAGE = "Jefe", b"what do ya want for nothing?"
SHA256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
SHA512 = (
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b63"
    "6e070a38bce737"
)
# RFC 2202, section 3 (test case 2).
SHA1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


class SchemeTests(SynchronousTestCase):
    """Ways of signing."""

    def verdict(self, scheme: Any, secret: str = KEY, body: bytes = MESSAGE, now: float = 0.0, **headers: str) -> str:
        """Why it is not genuine; empty if it is."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            scheme.bind(secret, context())(delivery(headers=fields, body=body, now=now))
        except NotGenuine as wrong:
            return wrong.word
        return ""

    def test_digests(self) -> None:
        """The digests are those of the RFCs."""
        for digest, said in (("sha1", SHA1), ("sha256", SHA256), ("sha512", SHA512)):
            scheme = body_hmac("X-Sig", digest=digest)
            self.assertEqual(self.verdict(scheme, X_Sig=said), "")
            self.assertEqual(self.verdict(scheme, X_Sig=said, body=b"other"), "wrong")
            self.assertEqual(self.verdict(scheme, X_Sig=said, secret="other"), "wrong")

    def test_encodings(self) -> None:
        """Signatures may be in base64, and keys, too."""
        said = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        self.assertEqual(self.verdict(body_hmac("X-Sig", encoding=BASE64), X_Sig=said), "")
        self.assertEqual(self.verdict(body_hmac("X-Sig", encoding=BASE64, key=base64_key), "SmVmZQ==", X_Sig=said), "")
        self.assertRaises(Refused, body_hmac("X-Sig", key=base64_key).check_secret, "!")

    def test_several(self) -> None:
        """One right signature among others is enough; none at all is missing."""
        scheme = body_hmac("X-Sig", "X-Old", prefix="v1=", separator=",")
        self.assertEqual(self.verdict(scheme, X_Sig=f"v1=00,v1={SHA256}"), "")
        self.assertEqual(self.verdict(scheme, X_Sig="v1=00", X_Old=f"v1={SHA256}"), "")
        self.assertEqual(self.verdict(scheme, X_Sig="v1=00,v2=" + SHA256), "wrong")
        self.assertEqual(self.verdict(scheme, X_Sig="v2=" + SHA256), "missing")

    def test_parts(self) -> None:
        """A message is made of its parts, in their order."""
        scheme = Signed(
            signature=InHeader((b"x-sig",)),
            messages=made_of(METHOD, b" ", Header(b"x-a"), b" ", BODY),
            requires=((b"x-version", b"1"),),
        )
        sent = {"X_A": "what do", "X_Version": "1", "X_Sig": "x"}
        for body, word in ((b"ya want", "wrong"), (b"", "wrong")):
            self.assertEqual(self.verdict(scheme, body=body, **sent), word)
        self.assertEqual(self.verdict(scheme, **{**sent, "X_Version": "2"}), "shape")
        self.assertEqual(self.verdict(scheme, X_Version="1", X_Sig="x"), "missing")
        self.assertEqual(made_of(b"a", BODY)(delivery(body=b"b")), [[b"a", b"b"]])

    def test_several_messages(self) -> None:
        """Any of the messages that may have been signed will do."""
        scheme = Signed(
            signature=InHeader((b"x-sig",)), messages=lambda delivery: [(b"x",), (MESSAGE[:4], MESSAGE[4:])]
        )
        self.assertEqual(self.verdict(scheme, X_Sig=SHA256), "")

    def test_stamp(self) -> None:
        """A right signature is not enough when it is old; a wrong one is wrong, whenever it was made."""
        scheme = Signed(signature=InHeader((b"x-sig",)), stamp=Stamp(part=Header(b"x-time"), tolerance=5))
        self.assertEqual(self.verdict(scheme, X_Sig=SHA256, X_Time="100", now=105), "")
        self.assertEqual(self.verdict(scheme, X_Sig=SHA256, X_Time="100", now=106), "stale")
        self.assertEqual(self.verdict(scheme, X_Sig="00", X_Time="100", now=106), "wrong")

    def test_token(self) -> None:
        """A token is the secret, and nothing else."""
        scheme = Token(header=b"x-token")
        self.assertEqual(self.verdict(scheme, X_Token=KEY), "")
        for wrong in ("", "jefe", KEY + "x", KEY[:-1]):
            self.assertEqual(self.verdict(scheme, X_Token=wrong), "wrong")
        self.assertTrue(scheme.present(delivery(headers={"X-TOKEN": ""})))
        self.assertFalse(scheme.present(delivery()))

    def test_hub(self) -> None:
        """The newer of two fields counts; the older only without it."""
        newer, older = hub()
        self.assertEqual(self.verdict(newer, X_Hub_Signature_256=f"sha256={SHA256}"), "")
        self.assertEqual(self.verdict(older, X_Hub_Signature=f"sha1={SHA1}"), "")
        self.assertTrue(newer.present(delivery(headers={"X-Hub-Signature-256": ""})))

    def test_when(self) -> None:
        """A scheme may be one of some deliveries only."""
        scheme = Signed(signature=InHeader((b"x-sig",)), when=lambda delivery: delivery.has(b"x-new"))
        self.assertFalse(scheme.present(delivery(headers={"X-Sig": "x"})))
        self.assertTrue(scheme.present(delivery(headers={"X-Sig": "x", "X-New": "y"})))

    def test_families(self) -> None:
        """Stripe's form and Standard Webhooks have tolerances, and places for timestamps, of their own."""
        self.assertEqual(pairs_hmac("X-Sig", tolerance=7).stamp.tolerance, 7)  # type: ignore[union-attr]
        self.assertEqual(self.verdict(pairs_hmac("X-Sig"), X_Sig="t=1,v1=00"), "wrong")
        self.assertEqual(self.verdict(pairs_hmac("X-Sig"), X_Sig="v1=00"), "missing")
        standard = standard_webhooks("webhook")
        self.assertEqual(self.verdict(standard, "SmVmZQ==", webhook_signature="v1,00"), "missing")
        self.assertRaises(Refused, standard.check_secret, "!")
