"""
SendGrid: ECDSA over timestamp and body. What is configured is not a secret but the public key that SendGrid shows.
"""

from __future__ import annotations

import re
from functools import partial

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import MISSING, WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import decoded
from ngrok_twisted.webhook.parts import Header, Stamp
from ngrok_twisted.webhook.schemes import Check
from ngrok_twisted.webhook.verifier import Provider

#: ngrok's number for a key that is none.
_BAD_KEY = 7107

_SIGNATURE = b"x-twilio-email-event-webhook-signature"
_TIME = Header(b"x-twilio-email-event-webhook-timestamp")
_STAMP = Stamp(part=_TIME)


class _ECDSA:
    """The scheme."""

    def present(self, delivery: Delivery) -> bool:
        """Whether it is signed in this way."""
        return delivery.has(_SIGNATURE)

    def check_secret(self, secret: str) -> None:
        """
        :raises Refused: it is no public key for ECDSA.
        """
        _key(secret)

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this key."""
        return partial(self._check, _key(secret))

    def _check(self, key: EllipticCurvePublicKey, delivery: Delivery) -> None:
        signature = decoded(delivery.value(_SIGNATURE))
        if not signature:
            raise NotGenuine(MISSING, "the header field of the signature holds none")
        try:
            key.verify(signature, _TIME.of(delivery) + delivery.body, ECDSA(SHA256()))
        except InvalidSignature:
            raise NotGenuine(WRONG, "its signature is wrong: another key, or another message") from None
        _STAMP.check(delivery)


def _key(secret: str) -> EllipticCurvePublicKey:
    """
    :param secret: base64 of the key in DER; lines around it and between are passed over, as files have them.
    :raises Refused: it is no public key for ECDSA.
    """
    text = re.sub(r"-----[A-Z ]+-----|\s+", "", secret)
    data = decoded(text.encode("utf-8", "replace"))
    try:
        key = load_der_public_key(data or b"")
    except (ValueError, UnsupportedAlgorithm):
        key = None  # type: ignore[assignment]
    if not isinstance(key, EllipticCurvePublicKey):
        raise Refused(_BAD_KEY, "must be the verification key that SendGrid shows: a public key in base64")
    return key


SENDGRID = Provider(name="sendgrid", secret="verification key", schemes=(_ECDSA(),))
