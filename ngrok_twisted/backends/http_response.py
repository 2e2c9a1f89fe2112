"""
``http_response``: a fixed answer, for maintenance pages, health checks and the last link of a failover.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Answer

# RFC 9110 section 5.6.2: token. Section 5.5: a value holds no control characters but tabs, and no space around it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")

# RFC 9110 section 7.6.1, and the length: how an answer is put on a connection is for the edge to say.
_FRAMING = frozenset(
    ("connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPResponseConfig:
    """
    :ivar status_code: 200 to 999; one below 200 would not be an answer yet.
    :ivar headers: names to values; without those that frame a message, such as ``content-length``.
    :ivar body: text, sent as UTF-8.
    """

    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every part of it that HTTP cannot carry.
        """
        found = []
        if not 200 <= self.status_code <= 999:
            found.append(Problem("status_code", "must be from 200 to 999 (ERR_NGROK_6517)"))
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name):
                found.append(Problem("headers", f"{name[:60]!r} is not the name of a header"))
            elif name.lower() in _FRAMING:
                found.append(Problem(f"headers.{name}", "is set by the server; take it out"))
            elif not _VALUE.fullmatch(value):
                found.append(Problem(f"headers.{name}", "must be one line of text without spaces around it"))
        if found:
            raise InvalidConfig(found)


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
