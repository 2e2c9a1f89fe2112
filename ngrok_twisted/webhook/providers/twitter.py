"""
Twitter: the digest of the body. Whether a URL still has the secret is asked with a GET (CRC), often unsigned: it holds a
token, and the answer its digest.

The answer is made as the signatures of events are. So that nobody can have an event signed by asking, a token is answered
only if it has none of the characters that a JSON object begins with, and an event is accepted only if it is one.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import InHeader
from ngrok_twisted.webhook.providers._answers import json_text
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.verifier import Provider

_TOKEN = re.compile(rb"[A-Za-z0-9+/=_.-]{1,256}")


def _crc(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if delivery.method != b"GET" or b"crc_token=" not in delivery.target:
        return None
    tokens = [value for name, value in delivery.query() if name == b"crc_token"]
    if len(tokens) != 1 or _TOKEN.fullmatch(tokens[0]) is None:
        raise NotGenuine(SHAPE, "its challenge is not one of this provider's")
    digest = hmac.digest(secret.encode("utf-8"), tokens[0], "sha256")
    return json_text({"response_token": "sha256=" + b64encode(digest).decode("ascii")})


def _event(delivery: Delivery) -> list[Message]:
    if not delivery.body.startswith(b"{"):
        raise NotGenuine(SHAPE, "its body is not a JSON object")
    return [[delivery.body]]


TWITTER = Provider(
    name="twitter",
    secret="consumer secret",
    schemes=(
        Signed(signature=InHeader((b"x-twitter-webhooks-signature",), b"sha256="), messages=_event, encoding=BASE64),
    ),
    challenge=_crc,
)
