"""
Dropbox: the digest of the body. A URL is verified by an unsigned GET with a challenge, which goes to the service as it is.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.schemes import body_hmac
from ngrok_twisted.webhook.verifier import UNVERIFIED, Provider


def _challenge(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if delivery.method != b"GET" or b"challenge=" not in delivery.target:
        return None
    return UNVERIFIED if b"challenge" in dict(delivery.query()) else None


DROPBOX = Provider(
    name="dropbox", secret="app secret", schemes=(body_hmac("X-Dropbox-Signature"),), challenge=_challenge
)
