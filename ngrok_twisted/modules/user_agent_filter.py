"""
``user_agent_filter``: programs that say who they are are let in, or kept out, by that name.

A visitor passes if an expression of ``allow`` finds something in its first ``User-Agent``, or if it has one in which no
expression of ``deny`` does. One that sends no ``User-Agent`` counts as empty for ``allow`` and is kept out otherwise. It is a
filter against visitors who mean no harm: anybody can send any name.

The expressions are RE2's, as ngrok's are: they take time in proportion to the length of the name, whatever they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterable, Iterator, Mapping

import re2
from zope.interface import implementer, provider

from ngrok_twisted.errors import EdgeError, InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Guard, Phase

#: Where a flow keeps what was decided.
DECISION = "user_agent_filter.decision"

#: Expressions of one list, and characters of one: each costs a microsecond a request and some memory.
EXPRESSIONS_MAX = 100
EXPRESSION_MAX = 1024

#: Bytes that RE2 may take for one expression and what it remembers of it; beyond that it is refused, or slower.
MEMORY_MAX = 1024 * 1024

#: Names whose verdict is remembered, and the longest that is. Most visitors have one of a few hundred names.
REMEMBERED = 512
REMEMBERED_BYTES = 512

#: ngrok's number for what is not a regular expression.
_BAD_EXPRESSION = 2090


class UserAgentDenied(EdgeError):
    """The visitor's program may not visit this endpoint."""

    code = 3211
    status = 403
    sentence = "This endpoint does not answer your browser or program."


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgentFilterConfig:
    """
    A visitor passes if an expression of ``allow`` matches, or if none of ``deny`` does and it sends a ``User-Agent``.

    :ivar allow: regular expressions (RE2) that are looked for anywhere in the visitor's ``User-Agent``.
    :ivar deny: regular expressions, likewise; ``.*`` keeps everybody out whom ``allow`` does not let in.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every expression that is none.
        """
        found = [*_problems("allow", self.allow), *_problems("deny", self.deny)]
        if found:
            raise InvalidConfig(found)


def _problems(name: str, expressions: tuple[str, ...]) -> Iterator[Problem]:
    if len(expressions) > EXPRESSIONS_MAX:
        yield Problem(name, f"has more than {EXPRESSIONS_MAX} expressions", code=_BAD_EXPRESSION)
        return
    for number, expression in enumerate(expressions):
        try:
            _compiled(expression)
        except ValueError as error:
            yield Problem(f"{name}[{number}]", str(error), code=_BAD_EXPRESSION)


def _compiled(expression: str) -> Any:
    """
    :raises ValueError: it is not an expression; the message says why.
    """
    if len(expression) > EXPRESSION_MAX:
        raise ValueError(f"is longer than {EXPRESSION_MAX} characters")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MEMORY_MAX
    try:
        return re2.compile(expression.encode("utf-8"), options)
    except UnicodeEncodeError:
        raise ValueError("is not Unicode text") from None
    except re2.error as error:
        said = error.args[0] if error.args else b""
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"is not a regular expression that RE2 understands: {why}") from None


def from_flags(flags: Mapping[str, Any]) -> UserAgentFilterConfig:
    """
    The settings that an agent's flags mean.

    :param flags: ``ua-filter-allow`` and ``ua-filter-deny``: expressions; either may be missing.
    :raises InvalidConfig: 2090: one of them is none.
    """
    return UserAgentFilterConfig(
        allow=tuple(flags.get("ua-filter-allow", ())), deny=tuple(flags.get("ua-filter-deny", ()))
    )


@provider(IModuleKind)
@implementer(IHTTPModule)
class UserAgentFilter:
    """
    Lets visitors pass by the name of their browser or program. Others are answered 403.
    """

    name = "user_agent_filter"
    Config = UserAgentFilterConfig
    codes = {"allow": _BAD_EXPRESSION, "deny": _BAD_EXPRESSION}
    needs_termination = True
    phase = Phase.ADMIT
    attaches = frozenset({"route"})
    from_flags = staticmethod(from_flags)

    def __init__(self, config: UserAgentFilterConfig, context: ModuleContext) -> None:
        self._allow = tuple(_compiled(expression) for expression in config.allow)
        self._deny = tuple(_compiled(expression) for expression in config.deny)
        self._verdict = lru_cache(REMEMBERED)(self._judge)
        self._nameless = self._matches(self._allow, b"")

    def wrap_resource(self, inner: Any) -> Any:
        """IHTTPModule. Without an expression there is nothing to look for."""
        return Guard(inner, self._admit) if self._allow or self._deny else inner

    def _admit(self, request: Any) -> None:
        for name, value in request.fields:
            if len(name) == 10 and name.lower() == b"user-agent":
                allowed = self._verdict(value) if len(value) <= REMEMBERED_BYTES else self._judge(value)
                break
        else:
            allowed = self._nameless
        request.flow.remember(DECISION, "allow" if allowed else "block")
        if not allowed:
            raise UserAgentDenied()

    def _judge(self, name: bytes) -> bool:
        if not name.isascii():
            name = name.decode("utf-8", "replace").encode("utf-8")  # RE2 finds nothing in bytes that are no characters
        return self._matches(self._allow, name) or not self._matches(self._deny, name)

    def _matches(self, expressions: Iterable[Any], name: bytes) -> bool:
        return any(expression.search(name) is not None for expression in expressions)
