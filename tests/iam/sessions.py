"""
Agent sessions that note why they were closed.
"""

from __future__ import annotations

from ngrok_twisted.iam.principal import Principal


class FakeSession:
    """An agent session as far as it can be ended."""

    def __init__(self, id: str, credential_id: str, acl: tuple[str, ...] = (), account_id: str = "ac_1") -> None:
        self.id = id
        self.principal = Principal(account_id=account_id, account_name="", credential_id=credential_id, acl=acl)
        self.peer_host = "192.0.2.1"
        self.reasons: list[str] = []

    def close(self, reason: str) -> None:
        """IAgentSession."""
        self.reasons.append(reason)
