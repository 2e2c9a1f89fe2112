"""
`Policy`: a traffic policy as a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Action:
    """
    :ivar type: the action kind's name.
    :ivar config: an instance of its ``Config``.
    """

    type: str
    config: Any


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Actions that are run one after the other.

    :ivar name: a label, possibly empty.
    :ivar actions: at least one.
    """

    name: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    :ivar on_tcp_connect: rules for connections.
    :ivar on_http_request: rules for requests, once their heads are complete.
    :ivar on_http_response: rules for responses, once their heads are there.
    """

    on_tcp_connect: tuple[Rule, ...] = ()
    on_http_request: tuple[Rule, ...] = ()
    on_http_response: tuple[Rule, ...] = ()
