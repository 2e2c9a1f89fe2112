"""
Signatures of webhooks: what all providers share. Each provider, or family of them, is a file in ``providers``.
"""
