"""
``tunnel_group``: the labelled tunnels of the account that carry every one of the group's labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.choosing import Chooser
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.records.base import Problem

#: Bounds of ngrok's (specification of edges, section 3.1): labels of one group, and the characters of each part.
LABELS_MAX = 25
KEY_MAX = 128
VALUE_MAX = 256

#: ngrok's numbers for the bounds, and for a character that separates the two parts where agents write labels.
_COUNT, _KEY, _VALUE, _SEPARATOR = 6508, 6509, 6510, 6531


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelGroupConfig:
    """
    :ivar labels: pairs that a tunnel must carry: 1 to 25. Neither part holds a ``=``.
    """

    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with everything that no tunnel could carry.
        """
        found = list(_problems(self.labels))
        if found:
            raise InvalidConfig(found)


def _problems(labels: Mapping[str, str]) -> Iterator[Problem]:
    if not 1 <= len(labels) <= LABELS_MAX:
        yield Problem("labels", f"must be 1 to {LABELS_MAX} labels", code=_COUNT)
    for key, value in labels.items():
        path = f"labels.{key[:KEY_MAX]}"
        if not 1 <= len(key) <= KEY_MAX:
            yield Problem(path, f"the label's name must have 1 to {KEY_MAX} characters", code=_KEY)
        if not 1 <= len(value) <= VALUE_MAX:
            yield Problem(path, f"must have 1 to {VALUE_MAX} characters", code=_VALUE)
        if "=" in key or "=" in value:
            yield Problem(path, "holds a '=', which no part of a label can", code=_SEPARATOR)


@provider(IBackendKind)
@implementer(IBackend)
class TunnelGroup:
    """
    Members share the load: see `ngrok_twisted.choosing`. One that cannot be reached is passed over, and left alone for a
    while.
    """

    name = "tunnel_group"
    Config = TunnelGroupConfig
    codes = {"labels": _COUNT}

    def __init__(self, config: TunnelGroupConfig, context: BackendContext) -> None:
        self._tunnels = context.tunnels
        self._selection = (context.account_id, frozenset(config.labels.items()))
        self._chooser = Chooser(context.random)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        members = self._tunnels.group(self._selection)
        return self._chooser.candidates(members, flow) if members else iter(())
