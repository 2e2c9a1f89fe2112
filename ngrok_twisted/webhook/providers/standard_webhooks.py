"""
Svix, and those who send through it or sign alike.
"""

from __future__ import annotations

from ngrok_twisted.webhook.digests import base64_key
from ngrok_twisted.webhook.schemes import standard_webhooks
from ngrok_twisted.webhook.verifier import Provider

SVIX = Provider(name="svix", secret="signing secret", schemes=(standard_webhooks("svix"), standard_webhooks("webhook")))
CLERK = Provider(
    name="clerk", secret="signing secret", schemes=(standard_webhooks("svix"), standard_webhooks("webhook"))
)
BREX = Provider(name="brex", secret="webhook secret", schemes=(standard_webhooks("webhook", base64_key),))
