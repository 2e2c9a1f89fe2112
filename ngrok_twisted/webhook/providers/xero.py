"""
Xero: the digest of the body. Before it sends events ("intent to receive") it sends messages without any, some of them wrongly
signed on purpose, and wants 200 and 401, without a body, within five seconds.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import read_object
from ngrok_twisted.webhook.providers._answers import empty
from ngrok_twisted.webhook.schemes import body_hmac
from ngrok_twisted.webhook.verifier import Provider

# A message without events has some hundred bytes; those with events are not read twice.
_INTENT_MAX = 4096

_RECEIVED, _WRONG = empty(200), empty(401)


def _intent(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if len(delivery.body) > _INTENT_MAX:
        return None
    try:
        said = read_object(delivery.body)
    except NotGenuine:
        return None  # signed, so it is the service's business what it is
    return _RECEIVED if said.get("events") == [] else None


XERO = Provider(
    name="xero",
    secret="webhook key",
    schemes=(body_hmac("x-xero-signature", encoding=BASE64),),
    handshake=_intent,
    refusal=_WRONG,
)
