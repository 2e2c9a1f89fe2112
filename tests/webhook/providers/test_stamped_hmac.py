"""
Tests for `ngrok_twisted.webhook.providers.stamped_hmac`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, NOW, SIGNERS, TEXT, b64, iso, mac
from tests.webhook.vectors import delivery, verdict


class StampedHMACTests(SynchronousTestCase):
    """What is special with some of them."""

    def verdict(self, provider: str, headers: dict[str, str]) -> str:
        """Why it is not genuine; empty if it is."""
        found = verdict(provider, TEXT, delivery(headers=headers, body=BODY, now=NOW))
        return found.word if isinstance(found, NotGenuine) else ""

    def test_stripe_rolls_keys(self) -> None:
        """While keys are changed there are several signatures; test signatures of another scheme count for nothing."""
        ours, other = mac(TEXT, b"%d." % NOW + BODY).hex(), mac("other", b"%d." % NOW + BODY).hex()
        self.assertEqual(self.verdict("stripe", {"Stripe-Signature": f"t={NOW},v1={other},v1={ours},v0={other}"}), "")
        self.assertEqual(self.verdict("stripe", {"Stripe-Signature": f"t={NOW},v1={other},v0={ours}"}), "wrong")
        self.assertEqual(self.verdict("stripe", {"Stripe-Signature": f"t={NOW},v0={ours}"}), "missing")

    def test_two_times(self) -> None:
        """Of two timestamps nobody knows which was signed."""
        ours = mac(TEXT, b"%d." % NOW + BODY).hex()
        self.assertEqual(self.verdict("stripe", {"Stripe-Signature": f"t={NOW},t={NOW + 1},v1={ours}"}), "missing")

    def test_huge_times(self) -> None:
        """Timestamps that are no times are refused."""
        for time in ("9" * 400, "-1", "1e9", "NaN", "", "0x10"):
            signed = mac(TEXT, time.encode() + b"." + BODY).hex()
            found = self.verdict("stripe", {"Stripe-Signature": f"t={time},v1={signed}"})
            self.assertIn(found, ("shape", "missing"), time)

    def test_buildkite_token(self) -> None:
        """Buildkite may be set to send its token instead of a signature."""
        self.assertEqual(self.verdict("buildkite", {"X-Buildkite-Token": TEXT}), "")
        self.assertEqual(self.verdict("buildkite", {"X-Buildkite-Token": "x"}), "wrong")

    def test_box_keys(self) -> None:
        """Of Box's two keys either may be ours; only one way of signing is known."""
        said = dict(SIGNERS["box"].sign(BODY, NOW))
        said["BOX-SIGNATURE-SECONDARY"] = said["BOX-SIGNATURE-PRIMARY"]
        said["BOX-SIGNATURE-PRIMARY"] = b64(mac("other", BODY + iso(NOW).encode()))
        self.assertEqual(self.verdict("box", said), "")
        self.assertEqual(self.verdict("box", {**said, "BOX-SIGNATURE-VERSION": "2"}), "shape")
        self.assertEqual(self.verdict("box", {**said, "BOX-SIGNATURE-ALGORITHM": "none"}), "shape")

    def test_orb_several(self) -> None:
        """Orb separates several signatures with spaces."""
        said = dict(SIGNERS["orb"].sign(BODY, NOW))
        self.assertEqual(self.verdict("orb", {**said, "X-Orb-Signature": "v1=00 " + said["X-Orb-Signature"]}), "")

    def test_linear_without_time(self) -> None:
        """A delivery of Linear that does not say when it was sent is refused."""
        self.assertEqual(self.verdict("linear", {"Linear-Signature": mac(TEXT, BODY).hex()}), "missing")
