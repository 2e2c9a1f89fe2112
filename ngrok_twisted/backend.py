"""
`BackendContext`: what a backend kind is given beside its own config.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Callable

from ngrok_twisted.tunnels import Tunnels


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendContext:
    """
    :ivar tunnels: the live table.
    :ivar account_id: the account whose tunnels count.
    :ivar find: ``find(backend_id)`` gives another `ngrok_twisted.interfaces.IBackend`, for the kinds that nest; it raises
        `LookupError` for an unknown id or a ring.
    :ivar random: for choices between equals; not for secrets.
    :ivar reactor: for the kinds that dial.
    :ivar is_own_port: whether visitors of this server arrive at a port: a backend that dialled it could lead to itself.
    :ivar nested: another backend asks this one, and has more to try when it fails.
    """

    tunnels: Tunnels
    account_id: str
    find: Callable[[str], Any]
    random: Random
    reactor: Any = None
    is_own_port: Callable[[int], bool] = lambda port: False
    nested: bool = False
