"""
What the reservations hold: live grants, and how they stand to one another.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.ownership import Place
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.endpoint import Endpoint


class Holding:
    """
    A live grant and who has it.

    :ivar grant: the `Grant`.
    :ivar session: the `IAgentSession`.
    :ivar place: where it is; ``None`` for a labelled tunnel.
    """

    __slots__ = ("grant", "session", "place")

    def __init__(self, grant: Grant, session: Any, place: Place | None) -> None:
        self.grant = grant
        self.session = session
        self.place = place

    @property
    def random(self) -> bool:
        """It was not asked for by name."""
        return self.grant.random


def granted(session: Any, claim: Claim, endpoint: Endpoint | None, url: str, random: bool = False) -> Grant:
    """The grant of a claim."""
    return Grant(endpoint=endpoint, url=url, session_id=session.id, claim=claim, random=random)


def queue_of(proto: str, place: Place) -> Place:
    """Where to wait for a place: all ports of a name share one queue, since they belong to one account."""
    return place if proto == "tcp" else Place(place.namespace, place.host, 0)


def same_pool(claim: Claim, endpoint: Endpoint, account_id: str) -> bool:
    """Whether a claim for the place of this endpoint joins it."""
    pooled = claim.pooling and endpoint.pooling_enabled
    return pooled and endpoint.proto == claim.proto and endpoint.account_id == account_id


def taken(url: str) -> Refused:
    """The refusal of a place that somebody has."""
    return Refused(334, f"The endpoint {url} is already online. Stop it first, or start both with pooling switched on.")
