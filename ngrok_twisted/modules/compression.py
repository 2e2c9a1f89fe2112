"""
``compression``: responses are compressed for visitors who can read it.

What counts is in `ngrok_twisted.compressing`: which responses are worth it, and what changes in their heads. The codings
are in `ngrok_twisted.content_codings`: gzip and deflate, as ngrok has them, and zstd and br.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zope.interface import implementer, provider

from ngrok_twisted.compressing import Compressing
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.wrapper import Filtered, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionConfig:
    """There is nothing to be set: it is there, or it is not."""


@provider(IModuleKind)
@implementer(IHTTPModule)
class Compression:
    """Compresses responses for visitors who can read it."""

    name = "compression"
    Config = CompressionConfig
    phase = Phase.ENCODE
    attaches = frozenset({"route"})

    def __init__(self, config: CompressionConfig, context: ModuleContext) -> None:
        """IModuleKind."""
        self._filter = Compressing()

    def wrap_resource(self, inner: Any) -> Filtered:
        """IHTTPModule."""
        return Filtered(inner, lambda request: self._filter)
