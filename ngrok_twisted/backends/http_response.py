"""
``http_response``: a fixed answer, for maintenance pages, health checks and the last link of a failover.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.wrapper import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPResponseConfig:
    """
    :ivar status_code: 100 to 999.
    :ivar headers: names to values.
    :ivar body: text, sent as UTF-8.
    """

    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@provider(IBackendKind)
@implementer(IBackend)
class HTTPResponse:
    """The same answer for everyone."""

    name = "http_response"
    Config = HTTPResponseConfig

    def __init__(self, config: HTTPResponseConfig, context: BackendContext) -> None:
        headers = [(name.encode("ascii"), value.encode("utf-8")) for name, value in config.headers.items()]
        self._targets = (Answer(config.status_code, headers, config.body.encode("utf-8")),)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        return iter(self._targets)
