"""
Backends: who should answer. What each kind knows beside the common fields is its own ``Config``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.interfaces import IBackendKind
from ngrok_twisted.marks import ChosenBy
from ngrok_twisted.records.base import Record

#: The start of the ids of ngrok's own kinds; kinds of others get ``bkd``.
PREFIXES: Mapping[str, str] = {
    "failover": "bkdfo",
    "tunnel_group": "bkdtg",
    "weighted": "bkdwd",
    "http_response": "bkdhr",
    "static": "bkdsc",
}


def backend_configs() -> Mapping[str, type]:
    """The config class of each backend kind there is, by name."""
    return {name: kind.Config for name, kind in kinds.discover("ngrok_twisted.backends", IBackendKind).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(Record):
    """
    :ivar kind: which backend kind it is, such as ``tunnel_group``.
    :ivar config: an instance of that kind's ``Config``; references in it are ids.
    :ivar name: what the configuration calls it, possibly empty.
    """

    family: ClassVar[str] = "backends"
    prefix: ClassVar[str] = "bkd"

    kind: str
    config: Annotated[Any, ChosenBy("kind", backend_configs)]
    name: str = ""
