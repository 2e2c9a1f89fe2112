"""
``http_response``: an answer of the edge's own, for maintenance pages, redirects, health checks and the last link of a failover.

It is fixed, but for ``${…}`` that names a variable of `ngrok_twisted.policy.variables`; anything else that looks like it, such
as a script in a page may, stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import escape
from math import inf
from typing import Any, Callable, Iterator, Mapping

from twisted.web.resource import IResource
from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.policy.template import Template, field_value, parse_template
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

#: Characters of a body with all its variables filled in: what is longer is cut off there, since a visitor has a say in it.
FILLED_MAX = 256 * 1024

# What may name a variable; a second dollar sign takes it literally.
_PLACE = re.compile(r"(\$?\$\{[^{}]*\})")

#: ngrok's numbers for a body, a status, the name of a header and its value that cannot be had.
_BODY, _STATUS, _HEADER_NAME, _HEADER_VALUE = 6516, 6517, 6522, 6523


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPResponseConfig:
    """
    :ivar status_code: 200 to 599; one below 200 would not be an answer yet.
    :ivar headers: names, which become lower-case, to values; without those that frame a message, such as
        ``content-length``. In a value ``${…}`` stands for a variable, as in ``request_headers``.
    :ivar body: text, sent as UTF-8: at most 64 KiB. Here too ``${…}`` stands for a variable, whose value is escaped as the
        ``content-type`` wants it: for JSON, for HTML and XML, and for HTML where there is no type. What names no variable stays
        as it is, and so does what has a second ``$`` before it, which is taken away.
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
        headers = [(name.encode("ascii"), filling(value)) for name, value in config.headers.items()]
        body = filling(config.body)
        if all(isinstance(part, str) for parts in (body, *(value for _, value in headers)) for part in parts):
            fixed = [(name, "".join(map(str, value)).encode("utf-8")) for name, value in headers]
            self._targets: tuple[Any, ...] = (
                Answer(config.status_code, fixed, "".join(map(str, body)).encode("utf-8")),
            )
        else:
            self._targets = (Filled(config.status_code, headers, body, escaping(config.headers.get("content-type"))),)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        return iter(self._targets)


# A text in parts, of which templates are filled in for each request.
Filling = tuple[str | Template, ...]


def filling(text: str) -> Filling:
    """A text in parts: those that name variables, and the others."""
    return tuple(part for part in map(_part, _PLACE.split(text)) if part != "")


def _part(text: str) -> str | Template:
    if not text.startswith("$"):
        return text
    literal = text.startswith("$$")
    try:
        template = parse_template(text[literal:])
    except ValueError:
        return text
    if not template.references or not all(reference.known for reference in template.references):
        return text
    return text[1:] if literal else template


def escaping(content_type: str | None) -> Callable[[str], str]:
    """
    How a visitor's words are kept from meaning something in a body of this type.

    :param content_type: ``None`` where there is none: then browsers guess, and it may be HTML.
    """
    kind = "text/html" if content_type is None else content_type.partition(";")[0].strip().lower()
    if kind.endswith(("/json", "+json")):
        return lambda text: json.dumps(text)[1:-1]
    if kind.endswith(("/html", "/xml", "+xml")):
        return escape
    return lambda text: text


@implementer(IResource)
class Filled:
    """
    An answer with variables in it.
    """

    isLeaf = True

    def __init__(
        self, status: int, headers: list[tuple[bytes, Filling]], body: Filling, escaped: Callable[[str], str]
    ) -> None:
        """
        :param escaped: what becomes of a variable's value in the body.
        """
        self._status = status
        self._headers = headers
        self._body = body
        self._escaped = escaped

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Filled is a leaf")

    def putChild(self, path: bytes, child: Any) -> None:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Filled is a leaf")

    def render(self, request: Any) -> Any:
        """IResource."""
        facts = Facts(request)
        headers = [(name, field_value(_filled(value, facts, str))) for name, value in self._headers]
        body = _filled(self._body, facts, self._escaped).encode("utf-8", "surrogateescape")
        return Answer(self._status, headers, body).render(request)


def _filled(parts: Filling, facts: Facts, escaped: Callable[[str], str]) -> str:
    texts: list[str] = []
    left = FILLED_MAX
    for part in parts:
        texts.append(part if isinstance(part, str) else escaped(part.render(facts)))
        left -= len(texts[-1])
        if left <= 0:
            break
    return "".join(texts)[:FILLED_MAX]
