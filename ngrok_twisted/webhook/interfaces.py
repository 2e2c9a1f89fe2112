"""
What separates the verification of webhooks from those who send them.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IWebhookVerifier(Interface):
    """Somebody who sends signed webhooks: one value in a file of ``webhook/providers/``."""

    name = Attribute("``str``: the value of ``provider``, lower case.")
    aliases = Attribute("``tuple[str, ...]``: other values of ``provider`` that mean the same.")
    secret = Attribute("``str``: what its users know the secret as, for messages and documentation.")

    def check_secret(secret):
        """
        :param secret: as configured; empty if it was not given.
        :raises ngrok_twisted.errors.Refused: it cannot be right; the code is ngrok's number.
        """

    def __call__(secret, context):
        """
        :param context: a `ngrok_twisted.webhook.context.WebhookContext`.
        :return: what verifies, as `ngrok_twisted.webhook.verifier.Verifier` does.
        :raises LookupError: the server lacks what verifying takes; the message says what.
        """
