"""
Tests of `ngrok_twisted.control.stores.memory`.
"""

from __future__ import annotations

from ngrok_twisted.control.stores.memory import MemoryStore
from ngrok_twisted.testing.contracts import make_istore_tests


class MemoryStoreTests(make_istore_tests(lambda case: MemoryStore, durable=False)):  # type: ignore[misc]
    """The memory store keeps the contract of stores."""
