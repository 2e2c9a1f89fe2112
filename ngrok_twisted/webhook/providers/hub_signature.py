"""
GitHub, and those whose webhooks are signed alike: ``X-Hub-Signature-256: sha256=…``, or the older ``X-Hub-Signature``.

Meta's platforms first ask for an echo of a challenge in an unsigned GET, together with a token that only the service knows:
such a request goes to the service as it is.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.schemes import hub
from ngrok_twisted.webhook.verifier import UNVERIFIED, Provider

_SUBSCRIPTION = {b"hub.mode", b"hub.challenge", b"hub.verify_token"}


def _subscription(delivery: Delivery, secret: str, context: WebhookContext) -> Any:
    if delivery.method != b"GET" or b"hub.mode=" not in delivery.target:
        return None
    found = dict(delivery.query())
    return UNVERIFIED if _SUBSCRIPTION <= found.keys() and found[b"hub.mode"] == b"subscribe" else None


GITHUB = Provider(name="github", secret="webhook secret", schemes=hub())
FACEBOOK_GRAPH_API = Provider(name="facebook_graph_api", secret="app secret", schemes=hub(), challenge=_subscription)
FACEBOOK_MESSENGER = Provider(name="facebook_messenger", secret="app secret", schemes=hub(), challenge=_subscription)
INSTAGRAM = Provider(name="instagram", secret="app secret", schemes=hub(), challenge=_subscription)
WHATSAPP = Provider(name="whatsapp", secret="app secret", schemes=hub(), challenge=_subscription)
