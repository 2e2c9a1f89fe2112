"""
``memory``: records that last as long as the process; for tests and for servers whose config says everything.
"""

from __future__ import annotations

from typing import Any

from zope.interface import provider

from ngrok_twisted.control.ordered import OrderedStore
from ngrok_twisted.interfaces import IStoreKind


@provider(IStoreKind)
class MemoryStore(OrderedStore):
    """An `IStore` that forgets."""

    name = "memory"

    def __init__(self, value: str = "memory", runtime: Any = None) -> None:
        """
        :param value: ``store`` in the configuration.
        :param runtime: the `Runtime`; not needed here.
        """
        super().__init__()
