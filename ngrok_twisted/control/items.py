"""
What one item of each list in ``config.yaml`` looks like: ngrok's API fields, plus a name that other items use in place of
an id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from typing import Annotated, Any, Mapping

from ngrok_twisted.marks import EXTERNAL, REST
from ngrok_twisted.records.backend import backend_configs
from ngrok_twisted.records.edge import BackendRef, HTTPSEdgeRoute, HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.marks import unwrap
from typing import get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    :ivar name: what other items call it; unique among items of the same list.
    :ivar account: the name of the account that owns it; empty for the default account.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque.
    """

    name: str = ""
    account: str = ""
    description: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountItem:
    """
    :ivar name: what other items call it.
    :ivar description: at most 255 bytes, for people.
    """

    name: str
    description: str = ""
