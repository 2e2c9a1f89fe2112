"""
``request_headers``: headers that are taken from requests, and added to them, on their way to the upstream.

It is the last thing that happens to a head: no other module sees the change, and what the edge adds by itself, such as
``X-Forwarded-For``, may be taken away like anything else. First all removals, then all additions. An addition is one more
field: to replace one, remove it and add it. ``Host`` is the exception, since there is always exactly one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Mapping, Sequence

from zope.interface import implementer, provider

from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.policy.header_edits import HeaderEdits
from ngrok_twisted.policy.header_rules import HeaderLines, HeaderMap, Side
from ngrok_twisted.wrapper import HeadEdit, Phase, Prepared

# RFC 9110 section 7.2: a host, and perhaps a port.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]+")

_SIDE = Side(
    # Who visits is for the visitor to say.
    untouchable=frozenset({"user-agent"}),
    # It means something between a visitor and the edge.
    not_added=frozenset({"ngrok-skip-browser-warning"}),
    needed=frozenset({"host"}),
    forms={"host": _HOST},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeadersConfig(HeaderMap):
    """
    Headers that the upstream gets, or does not get. Removals come first.

    :ivar add: names to values, ten at most; ``${…}`` in a value stands for a variable.
    :ivar remove: names, ten at most; every value of each goes.
    """

    side: ClassVar[Side] = _SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeaderLines(HeaderLines):
    """
    The same, as flags say it: a name may be there several times.

    :ivar add: ``name: value`` each.
    :ivar remove: names.
    """

    side: ClassVar[Side] = _SIDE


@provider(IModuleKind)
@implementer(IHTTPModule)
class RequestHeaders:
    """Adds headers to requests, and removes them, just before they go upstream."""

    name = "request_headers"
    Config = RequestHeadersConfig
    phase = Phase.PREPARE
    attaches = frozenset({"route"})

    def __init__(self, config: HeaderMap | HeaderLines, context: ModuleContext) -> None:
        self._edits = HeaderEdits(config.added(), config.remove, has_response=False, make=_made)
        self._edits.warn(self.name, context.account_id)

    @staticmethod
    def from_flags(flags: Mapping[str, Any]) -> RequestHeaderLines:
        """
        :param flags: values of ``request-header-add`` and ``request-header-remove``.
        :raises InvalidConfig: with everything that is wrong.
        """
        add, remove = flags.get("request-header-add", ()), flags.get("request-header-remove", ())
        return RequestHeaderLines(add=tuple(add), remove=tuple(remove))

    def wrap_resource(self, inner: Any) -> Prepared:
        """IHTTPModule."""
        return Prepared(inner, self._edits.edit)


def _made(removed: frozenset[bytes], fields: Sequence[tuple[bytes, bytes]]) -> HeadEdit:
    """An edit; what a template made for ``Host`` that is no host leaves it as it was."""
    host = b""
    for name, value in fields:
        if name == b"host":
            host = value if _HOST.fullmatch(value) else b""
            fields = [item for item in fields if item[0] != b"host"]
    return HeadEdit(removed - {b"host"}, fields, host)
