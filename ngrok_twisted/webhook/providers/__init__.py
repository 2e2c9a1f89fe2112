"""
Who sends signed webhooks: one file a provider, or a family that signs alike, each value of it a provider of
`ngrok_twisted.webhook.interfaces.IWebhookVerifier`. Sources: ngrok's guides to webhook integrations, and each vendor's own page on
how its webhooks are signed.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
