"""
Orbit: the digest of the body, with ``sha256=`` before it or without.
"""

from __future__ import annotations

from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.parts import InHeader
from ngrok_twisted.webhook.schemes import Signed
from ngrok_twisted.webhook.verifier import Provider


class _WithOrWithout(InHeader):
    """Both spellings."""

    def found(self, delivery: Delivery) -> list[bytes]:
        """What may be a right signature."""
        return [value.removeprefix(b"sha256=") for value in super().found(delivery)]


ORBIT = Provider(
    name="orbit", secret="webhook secret", schemes=(Signed(signature=_WithOrWithout((b"x-orbit-signature",))),)
)
