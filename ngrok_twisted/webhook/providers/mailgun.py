"""
Mailgun: the signature stands in the body, and is one of a timestamp and a random token, not of the event itself.

A token counts once, so that what was seen cannot be sent again with another event while its timestamp is good.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Any, Mapping

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import MISSING, SHAPE, STALE, WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import HEX, matches, text_key
from ngrok_twisted.webhook.parts import TOLERANCE, Stamp, read_object
from ngrok_twisted.webhook.schemes import Check
from ngrok_twisted.webhook.verifier import Provider

# Tokens that are remembered, each a genuine one: a hundred and more deliveries a second before the oldest is forgotten.
_TOKENS_MAX = 50_000

# Genuine ones have fifty characters.
_TOKEN_MAX = 200

_STAMP = Stamp()


class _Once:
    """Remembers genuine tokens while their timestamps are good."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._seen: OrderedDict[str, float] = OrderedDict()

    def check(self, delivery: Delivery) -> None:
        """
        :raises NotGenuine: the signature is not right, or was used before.
        """
        time, token, signature = _signature(delivery)
        digest = hmac.digest(self._key, (time + token).encode("ascii"), "sha256")
        if not matches(HEX, digest, [signature.encode("utf-8", "replace")]):
            raise NotGenuine(WRONG, "its signature is wrong: another secret")
        _STAMP.judge(time.encode("ascii"), delivery.now)
        self._use(token, delivery.now)

    def _use(self, token: str, now: float) -> None:
        seen = self._seen
        while seen and (next(iter(seen.values())) < now or len(seen) >= _TOKENS_MAX):
            seen.popitem(last=False)
        if token in seen:
            raise NotGenuine(STALE, "its token was used before")
        seen[token] = now + 2 * TOLERANCE  # its timestamp may be as far ahead of our clock as it may be behind


def _signature(delivery: Delivery) -> tuple[str, str, str]:
    found: Mapping[str, Any] = {}
    if delivery.is_form:
        fields = delivery.form()
        if len({name for name, value in fields}) != len(fields):
            raise NotGenuine(SHAPE, "a form field is there more than once")
        found = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in fields}
    else:
        inner = read_object(delivery.body).get("signature")
        found = inner if isinstance(inner, dict) else {}
    time, token, signature = (found.get(name) for name in ("timestamp", "token", "signature"))
    if not (isinstance(time, str) and isinstance(token, str) and isinstance(signature, str)):
        raise NotGenuine(MISSING, "its body holds no signature")
    if len(token) > _TOKEN_MAX or not (time + token).isascii():
        raise NotGenuine(SHAPE, "its token is none of this provider's")
    return time, token, signature


class _InBody:
    """The scheme; only the body tells whether there is a signature."""

    def present(self, delivery: Delivery) -> bool:
        """Whether it is signed in this way."""
        return True

    def check_secret(self, secret: str) -> None:
        """Any text may be one."""

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this secret."""
        return _Once(text_key(secret)).check


MAILGUN = Provider(name="mailgun", secret="HTTP webhook signing key", schemes=(_InBody(),))
