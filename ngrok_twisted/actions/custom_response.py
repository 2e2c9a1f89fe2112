"""
``custom-response``: a fixed answer, in place of forwarding or in place of what was answered.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping

from twisted.web.http import RESPONSES
from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.interfaces import IActionKind, IRequestAction, IResponseAction
from ngrok_twisted.policy.phases import HTTP, ON_HTTP_REQUEST, ON_HTTP_RESPONSE, Ending
from ngrok_twisted.policy.text import header_fields, header_problems, literal, template_problems
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Answer, ResponseHead

#: The body of a status that has none.
BODY_NOT_ALLOWED = 3604

_BODILESS = (204, 304)
_HTML = re.compile(r"\s*<(!doctype html|html|head|body|title|h[1-6]|p|div|script|table|!--)\b", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResponseConfig:
    """
    :ivar status_code: 200 to 599.
    :ivar body: text, sent as UTF-8.
    :ivar content: an older name of ``body``.
    :ivar headers: at most ten. Without ``content-type`` it follows from the body: JSON, HTML or plain text.
    """

    status_code: int = 200
    body: str = ""
    content: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every problem.
        """
        found = list(self._problems())
        if found:
            raise InvalidConfig(found)

    def _problems(self) -> Iterator[Problem]:
        if not 200 <= self.status_code <= 599:
            yield Problem("status_code", "must be from 200 to 599")
        if self.body and self.content:
            yield Problem("content", "is an older name of body; use body alone")
        if self.status_code in _BODILESS and (self.body or self.content):
            yield Problem("body", f"a response with status {self.status_code} has no body", code=BODY_NOT_ALLOWED)
        yield from template_problems("body", self.body)
        yield from template_problems("content", self.content)
        yield from header_problems(self.headers)


@provider(IActionKind)
@implementer(IRequestAction, IResponseAction)
class CustomResponse:
    """The same answer for everyone."""

    name = "custom-response"
    Config = CustomResponseConfig
    phases = {ON_HTTP_REQUEST: HTTP, ON_HTTP_RESPONSE: HTTP}
    ending = Ending.ALWAYS

    def __init__(self, config: CustomResponseConfig, context: ActionContext) -> None:
        text = literal(config.body or config.content)
        self._status = config.status_code
        self._body = text.encode("utf-8", "replace")
        self._headers = header_fields(config.headers)
        if self._body and not any(name == b"content-type" for name, _ in self._headers):
            self._headers.append((b"content-type", content_type(text)))
        self._answer = Answer(self._status, self._headers, self._body)

    @staticmethod
    def ends(config: CustomResponseConfig) -> Ending:
        """IActionKind."""
        return Ending.ALWAYS

    @staticmethod
    def problems(config: CustomResponseConfig, path: str, phase: str, proto: str) -> Iterable[Problem]:
        """IActionKind."""
        return ()

    def admit(self, request: Any) -> Any:
        """IRequestAction."""
        return self._answer

    def make_filter(self, request: Any) -> Any:
        """IResponseAction."""
        return _Replacement(self._status, self._headers, self._body)


def content_type(text: str) -> bytes:
    """What a body without a type is, by its looks."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
            return b"application/json"
        except (ValueError, RecursionError):
            pass
    return b"text/html; charset=utf-8" if _HTML.match(text) else b"text/plain; charset=utf-8"


@implementer(IResponseFilter)
class _Replacement:
    """Puts an answer in the place of another; what is still coming of that one is thrown away."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status = status
        self._headers = headers
        self._left = body
        self._idle = False

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter."""
        self._idle = head.status == 101  # the connection speaks something else by then
        if self._idle:
            return
        head.status = self._status
        head.reason = RESPONSES.get(self._status, b"")
        head.headers = list(self._headers)
        head.length = len(self._left)

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        return data if self._idle else self.finish()

    def finish(self) -> bytes:
        """IResponseFilter."""
        left, self._left = self._left, b""
        return b"" if self._idle else left
