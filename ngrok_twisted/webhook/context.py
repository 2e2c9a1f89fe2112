"""
`WebhookContext`: what a provider of webhooks is given beside its secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookContext:
    """
    :ivar clock: an `IReactorTime` whose ``seconds`` is the time since the epoch.
    :ivar http: a treq-like client, or ``None`` where there is none.
    :ivar answer_slack_challenge: whether Slack's ``url_verification`` is answered here, and not by the service.
    :ivar confirm_sns: whether subscriptions to Amazon SNS topics are confirmed here.
    """

    clock: Any
    http: Any = None
    answer_slack_challenge: bool = True
    confirm_sns: bool = False
