"""
``redirect``: the visitor is sent to another URL, if it is another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote

import re2
from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IRequestAction
from ngrok_twisted.policy.phases import HTTP, ON_HTTP_REQUEST, Ending
from ngrok_twisted.policy.text import header_fields, header_problems, literal, template_problems
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Answer

#: Those that send a visitor elsewhere (RFC 9110 section 15.4).
STATUSES = (300, 301, 302, 303, 307, 308)

#: Characters of a URL that is looked at or sent: browsers and servers refuse longer ones, and replacements multiply.
URL_MAX = 64 * 1024

#: Characters of ``to``, which may name the whole URL many times.
TO_MAX = 2048

#: ngrok's code for a text that is too long.
TOO_LONG = 2221

# What may stand in a URL unencoded (RFC 3986 section 2), and the sign of what is encoded already.
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"

# A reference to a group, or a name from ngrok's older language, which is known in the whole or with an argument's name.
_REFERENCE = re.compile(r"\$(?:([0-9]{1,2})|arg_([A-Za-z0-9_]+)|([a-z_]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectConfig:
    """
    :ivar from_: an RE2 expression, looked for in the whole URL of the request; every match is replaced. Without it the whole
        URL is.
    :ivar to: what takes its place; ``$1`` is the first group of the match. A path is one on the same host.
    :ivar status_code: 301, 302, 303, 307 or 308.
    :ivar headers: at most ten more headers of the answer.
    """

    to: str
    from_: str = ""
    status_code: int = 302
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every problem.
        """
        found = list(self._problems())
        if found:
            raise InvalidConfig(found)

    def _problems(self) -> Iterator[Problem]:
        yield from template_problems("from", self.from_)
        yield from template_problems("to", self.to)
        yield from header_problems(self.headers)
        if any(name.lower() == "location" for name in self.headers):
            yield Problem("headers.location", "is the URL that to makes; take it out")
        if self.status_code not in STATUSES:
            yield Problem("status_code", f"must be one of {', '.join(map(str, STATUSES))}")
        if not self.to:
            yield Problem("to", "must not be empty")
        if len(self.to) > TO_MAX:
            yield Problem("to", f"is longer than {TO_MAX} characters", code=TOO_LONG)
        try:
            groups = _compiled(self.from_).groups if self.from_ else 0
        except re2.error:
            yield Problem("from", "is not a regular expression in RE2 syntax")
            return
        if any(int(number) > groups for number, _, _ in _REFERENCE.findall(self.to) if number):
            yield Problem("to", f"refers to a group that from does not have: it has {groups}")


@provider(IActionKind)
@implementer(IRequestAction)
class Redirect:
    """Answers where the URL changes, and goes on where it does not."""

    name = "redirect"
    Config = RedirectConfig
    phases = {ON_HTTP_REQUEST: HTTP}
    ending = Ending.SOMETIMES

    def __init__(self, config: RedirectConfig, context: ActionContext) -> None:
        self._from: Any = _compiled(config.from_) if config.from_ else None
        self._to = literal(config.to)
        self._status = config.status_code
        self._headers = header_fields(config.headers)

    @staticmethod
    def ends(config: RedirectConfig) -> Ending:
        """IActionKind."""
        return Ending.SOMETIMES

    @staticmethod
    def problems(config: RedirectConfig, path: str, phase: str, proto: str) -> Iterable[Problem]:
        """IActionKind."""
        return ()

    def admit(self, request: Any) -> Any:
        """IRequestAction."""
        asked = _RequestURL(request)
        if len(asked.text) > URL_MAX:
            return None
        url = self._target(asked)
        if url is None or url == asked.text or len(url) > URL_MAX:
            return None
        return Answer(self._status, [*self._headers, (b"location", url.encode("ascii"))])

    def _target(self, asked: _RequestURL) -> str | None:
        """The URL to send the visitor to; ``None`` where nothing matches, or too much does."""
        if self._from is None:
            made: str | None = _expanded(self._to, asked, lambda number: asked.text)
        else:
            made = self._replaced(asked)
        if made is None:
            return None
        on_same_host = made.startswith("/") and not made.startswith("//")
        return quote(asked.origin + made if on_same_host else made, _SAFE)

    def _replaced(self, asked: _RequestURL) -> str | None:
        text, pieces, size, end = asked.text, [], 0, 0
        for match in self._from.finditer(text):
            pieces += [text[end : match.start()], _expanded(self._to, asked, lambda n: match.group(n) or "")]
            size += len(pieces[-2]) + len(pieces[-1])
            if size > URL_MAX:
                return None
            end = match.end()
        return "".join((*pieces, text[end:])) if pieces else None


class _RequestURL:
    """
    :ivar text: the whole URL of a request, all of it ASCII.
    :ivar origin: scheme and authority.
    """

    def __init__(self, request: Any) -> None:
        uri = request.uri if request.uri.startswith(b"/") else b""
        self.scheme = request.flow.proto
        self.authority = quote(request.authority, _SAFE)
        self.origin = f"{self.scheme}://{self.authority}"
        self.uri = quote(uri, _SAFE)
        self.host = request.flow.host
        self.text = self.origin + self.uri
        self._arguments: dict[str, str] | None = None

    def named(self, name: str) -> str | None:
        """The value of a name in ngrok's older language, or ``None`` if it is none."""
        query = self.uri.partition("?")[2]
        port = self.authority.rpartition("]")[2].partition(":")[2] or {"https": "443", "http": "80"}.get(
            self.scheme, ""
        )
        known = {
            "args": query,
            "query_string": query,
            "is_args": "?" if query else "",
            "authority": self.authority,
            "host": self.host,
            "port": port,
            "scheme": self.scheme,
            "uri": self.uri,
            "user": "",  # the URL of a request has no user information (RFC 9110 section 4.2.4)
            "is_user": "",
        }
        return known.get(name)

    def argument(self, name: str) -> str:
        """The first value of a query parameter."""
        if self._arguments is None:
            pairs = parse_qsl(self.uri.partition("?")[2], True, errors="replace")
            self._arguments = dict(reversed(pairs))
        return self._arguments.get(name, "")


def _expanded(to: str, asked: _RequestURL, group: Callable[[int], str]) -> str:
    def value(match: re.Match[str]) -> str:
        number, argument, name = match.groups()
        if number is not None:
            return group(int(number))
        if argument is not None:
            return asked.argument(argument)
        known = asked.named(name)
        return match[0] if known is None else known

    return _REFERENCE.sub(value, to)


def _compiled(expression: str) -> Any:
    """
    :raises re2.error: it is none.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(literal(expression), options)
