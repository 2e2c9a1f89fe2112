"""
Slack: ``v0=`` and HMAC-SHA256 of ``v0:timestamp:body``. A new URL is first sent ``url_verification``, signed like anything
else, and must answer with its challenge.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery, NotGenuine
from ngrok_twisted.webhook.parts import BODY, SECONDS, Header, InHeader, Stamp, read_object
from ngrok_twisted.webhook.providers._answers import text
from ngrok_twisted.webhook.schemes import Signed, made_of
from ngrok_twisted.webhook.verifier import Provider

# Genuine ones have some two hundred bytes; events, which may be long, are not read twice.
_CHALLENGE_MAX = 4096

_TIME = Header(b"x-slack-request-timestamp")


def _challenge(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if not context.answer_slack_challenge or len(delivery.body) > _CHALLENGE_MAX:
        return None
    if b"url_verification" not in delivery.body:
        return None
    try:
        said = read_object(delivery.body)
    except NotGenuine:
        return None  # signed, so it is the service's business what it is
    challenge = said.get("challenge")
    if said.get("type") != "url_verification" or not isinstance(challenge, str):
        return None
    return text(challenge.encode("utf-8", "replace"))


SLACK = Provider(
    name="slack",
    secret="signing secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-slack-signature",), b"v0="),
            messages=made_of(b"v0:", _TIME, b":", BODY),
            stamp=Stamp(part=_TIME, tolerance=300 * SECONDS),
        ),
    ),
    handshake=_challenge,
)
