"""
GitLab: the secret token itself in ``X-Gitlab-Token``; or, with a signing token ``whsec_…``, Standard Webhooks.
"""

from __future__ import annotations

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.digests import is_standard_secret
from ngrok_twisted.webhook.schemes import Check, Token, standard_webhooks
from ngrok_twisted.webhook.verifier import Provider

_TOKEN, _SIGNED = Token(header=b"x-gitlab-token"), standard_webhooks("webhook")


class _TokenOrSigned:
    """A webhook may have both; which is checked follows from the secret that is configured here."""

    def present(self, delivery: Delivery) -> bool:
        """Whether there is either."""
        return _TOKEN.present(delivery) or _SIGNED.present(delivery)

    def check_secret(self, secret: str) -> None:
        """Any text may be a token."""

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this secret."""
        token = _TOKEN.bind(secret, context)
        if not is_standard_secret(secret):
            return token
        try:
            signed = _SIGNED.bind(secret, context)
        except Refused:
            return token
        return lambda delivery: (signed if _SIGNED.present(delivery) else token)(delivery)


GITLAB = Provider(name="gitlab", secret="secret token or signing token", schemes=(_TokenOrSigned(),))
