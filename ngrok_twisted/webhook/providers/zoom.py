"""
Zoom: ``v0=`` and HMAC-SHA256 of ``v0:timestamp:body``. A URL is validated with a signed event that holds a token, which is
answered with the token and its digest, within three seconds.
"""

from __future__ import annotations

import hmac
from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery, NotGenuine
from ngrok_twisted.webhook.parts import BODY, SECONDS, Header, InHeader, Stamp, read_object
from ngrok_twisted.webhook.providers._answers import json_text
from ngrok_twisted.webhook.schemes import Signed, made_of
from ngrok_twisted.webhook.verifier import Provider

_EVENT = "endpoint.url_validation"

# Genuine ones have some hundred bytes.
_VALIDATION_MAX = 4096

_TIME = Header(b"x-zm-request-timestamp")


def _validation(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if len(delivery.body) > _VALIDATION_MAX or _EVENT.encode("ascii") not in delivery.body:
        return None
    try:
        said = read_object(delivery.body)
    except NotGenuine:
        return None  # signed, so it is the service's business what it is
    payload = said.get("payload")
    token = payload.get("plainToken") if isinstance(payload, dict) else None
    if said.get("event") != _EVENT or not isinstance(token, str):
        return None
    digest = hmac.new(secret.encode("utf-8"), token.encode("utf-8", "replace"), "sha256").hexdigest()
    return json_text({"plainToken": token, "encryptedToken": digest})


ZOOM = Provider(
    name="zoom",
    secret="secret token",
    schemes=(
        Signed(
            signature=InHeader((b"x-zm-signature",), b"v0="),
            messages=made_of(b"v0:", _TIME, b":", BODY),
            stamp=Stamp(part=_TIME, tolerance=300 * SECONDS),
        ),
    ),
    handshake=_validation,
)
