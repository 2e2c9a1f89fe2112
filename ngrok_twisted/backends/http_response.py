"""
``http_response``: a fixed answer, for maintenance pages, health checks and the last link of a failover.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import inf
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


#: Bounds of ngrok's (specification of edges, section 3.1): bytes of the body, and of the parts of a header as common servers
#: take them.
BODY_MAX = 64 * 1024
HEADER_NAME_MAX = 256
HEADER_VALUE_MAX = 8 * 1024
HEADERS_MAX = 100

#: ngrok's numbers for a body, a status, the name of a header and its value that cannot be had.
_BODY, _STATUS, _HEADER_NAME, _HEADER_VALUE = 6516, 6517, 6522, 6523


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPResponseConfig:
    """
    :ivar status_code: 200 to 599; one below 200 would not be an answer yet.
    :ivar headers: names, which become lower-case, to values; without those that frame a message, such as
        ``content-length``.
    :ivar body: text, sent as UTF-8: at most 64 KiB.
    """

    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every part of it that HTTP cannot carry.
        """
        found = []
        if not 200 <= self.status_code <= 599:
            found.append(Problem("status_code", "must be from 200 to 599", code=_STATUS))
        if _size(self.body) > BODY_MAX:
            found.append(Problem("body", f"must be Unicode text of at most {BODY_MAX} bytes", code=_BODY))
        found += _header_problems(self.headers)
        if found:
            raise InvalidConfig(found)
        object.__setattr__(self, "headers", {name.lower(): value for name, value in self.headers.items()})


def _header_problems(headers: Mapping[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    if len(headers) > HEADERS_MAX:
        yield Problem("headers", f"are more than {HEADERS_MAX}")
    for name, value in headers.items():
        path = f"headers.{name[:60]}"
        if len(name) > HEADER_NAME_MAX or not _NAME.fullmatch(name):
            yield Problem("headers", f"{name[:60]!r} is not the name of a header", code=_HEADER_NAME)
        elif name.lower() in _FRAMING:
            yield Problem(path, "is set by the server; take it out", code=_HEADER_NAME)
        elif name.lower() in seen:
            yield Problem(path, "is there twice, in different case", code=_HEADER_NAME)
        if not _VALUE.fullmatch(value):
            yield Problem(path, "must be one line of text without spaces around it", code=_HEADER_VALUE)
        elif _size(value) > HEADER_VALUE_MAX:
            yield Problem(path, f"must be Unicode text of at most {HEADER_VALUE_MAX} bytes", code=_HEADER_VALUE)
        seen.add(name.lower())


def _size(text: str) -> float:
    """The bytes of a text in UTF-8; more than any bound for one that has none, such as half of a surrogate pair."""
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return inf


@provider(IBackendKind)
@implementer(IBackend)
class HTTPResponse:
    """The same answer for everyone who asks by HTTP; a stream of bytes has no use for it."""

    name = "http_response"
    Config = HTTPResponseConfig
    codes = {"status_code": _STATUS, "body": _BODY}
    carries_streams = False

    def __init__(self, config: HTTPResponseConfig, context: BackendContext) -> None:
        headers = [(name.encode("ascii"), value.encode("utf-8")) for name, value in config.headers.items()]
        self._targets = (Answer(config.status_code, headers, config.body.encode("utf-8")),)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        return iter(self._targets)
