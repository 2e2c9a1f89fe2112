"""
Worldline: the digest of the body. A URL is verified by an unsigned GET whose header field is echoed in the body.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.providers._answers import text
from ngrok_twisted.webhook.schemes import body_hmac
from ngrok_twisted.webhook.verifier import Provider

_VERIFICATION = b"x-gcs-webhooks-endpoint-verification"

# Characters that are echoed; genuine ones are UUIDs.
_ECHO_MAX = 256


def _echo(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if delivery.method != b"GET" or not delivery.has(_VERIFICATION):
        return None
    value = delivery.value(_VERIFICATION)
    return text(value) if len(value) <= _ECHO_MAX else None


WORLDLINE = Provider(
    name="worldline",
    secret="secret webhook key",
    schemes=(body_hmac("X-GCS-Signature", encoding=BASE64),),
    challenge=_echo,
)
