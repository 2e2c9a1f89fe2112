"""
``response_headers``: headers that are taken from responses, and added to them, on their way to the visitor.

It is the last thing that happens to a head before it is sent, and it happens to the edge's own answers too, such as those of
a module that turns a visitor away; only what belongs to signing in stays as it is. First all removals, then all additions.
An addition is one more field: to replace one, remove it and add it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.interfaces import IHTTPModule, IModuleKind, IResponseFilter
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.policy.header_edits import HeaderEdits
from ngrok_twisted.policy.header_rules import HeaderLines, HeaderMap, Side
from ngrok_twisted.wrapper import SIGNING_IN, Filtered, Phase, ResponseHead

# By it visitors and monitors know that the edge failed, and not the service.
_SIDE = Side(untouchable=frozenset({"ngrok-error-code"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHeadersConfig(HeaderMap):
    """
    Headers that the visitor gets, or does not get. Removals come first.

    :ivar add: names to values, ten at most; ``${…}`` in a value stands for a variable.
    :ivar remove: names, ten at most; every value of each goes.
    """

    side: ClassVar[Side] = _SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHeaderLines(HeaderLines):
    """
    The same, as flags say it: a name may be there several times.

    :ivar add: ``name: value`` each.
    :ivar remove: names.
    """

    side: ClassVar[Side] = _SIDE


@provider(IModuleKind)
@implementer(IHTTPModule)
class ResponseHeaders:
    """Adds headers to responses, and removes them, just before they are sent."""

    name = "response_headers"
    Config = ResponseHeadersConfig
    phase = Phase.ENVELOPE
    attaches = frozenset({"route"})

    def __init__(self, config: HeaderMap | HeaderLines, context: ModuleContext) -> None:
        edits = HeaderEdits(config.added(), config.remove, has_response=True)
        edits.warn(self.name, context.account_id)
        self._filter = _Edit(edits)

    @staticmethod
    def from_flags(flags: Mapping[str, Any]) -> ResponseHeaderLines:
        """
        :param flags: values of ``response-header-add`` and ``response-header-remove``.
        :raises InvalidConfig: with everything that is wrong.
        """
        add, remove = flags.get("response-header-add", ()), flags.get("response-header-remove", ())
        return ResponseHeaderLines(add=tuple(add), remove=tuple(remove))

    def wrap_resource(self, inner: Any) -> Filtered:
        """IHTTPModule."""
        return Filtered(inner, lambda request: self._filter)


@implementer(IResponseFilter)
class _Edit:
    """The change to each response; it leaves the body alone."""

    __slots__ = ("_edit",)

    passive = True

    def __init__(self, edits: HeaderEdits) -> None:
        self._edit = edits.edit

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter."""
        variables = head.request.flow.variables
        if variables is None or SIGNING_IN not in variables:
            head.amend(self._edit(head))

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter: a passive filter is not asked."""
        return data

    def finish(self) -> bytes:
        """IResponseFilter: a passive filter is not asked."""
        return b""
