"""
`Router`: which edge owns a name or a port. Immutable: a new snapshot makes a new one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Mapping

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


class NameTable:
    """
    Names and wildcards to their owners. An exact name wins, then the most specific wildcard (RFC 6125 matches one label;
    ngrok's wildcards match any depth, and so do these).
    """

    __slots__ = ("_exact", "_wild")

    def __init__(self, owners: Mapping[str, Any] = _EMPTY) -> None:
        """
        :param owners: lower-case A-label names, or ``*.suffix``, to anything.
        """
        wild = [name for name in owners if name.startswith("*.")]
        self._exact = dict(owners)
        self._wild = {name[2:]: self._exact.pop(name) for name in wild}

    def get(self, name: str) -> Any:
        """
        :param name: a lower-case name without a trailing dot.
        :return: the owner, or ``None``.
        """
        owner = self._exact.get(name)
        if owner is not None or not self._wild:
            return owner
        dot = name.find(".")
        while dot >= 0:
            owner = self._wild.get(name[dot + 1 :])
            if owner is not None:
                return owner
            dot = name.find(".", dot + 1)
        return None


class Router:
    """
    :ivar secure: owners of names on the TLS front: https and tls edges.
    :ivar plain: owners of names on the HTTP front.
    :ivar ports: public TCP ports to their edges.
    :ivar edges: every live edge by its key, so that the next compilation can keep the unchanged ones.
    :ivar built: the configured ones among them, with their keys, by the record's id.
    :ivar internal: the `ngrok_twisted.edge.internal.InternalEndpoints`; ``None`` where nothing was compiled yet.
    """

    __slots__ = ("secure", "plain", "ports", "edges", "built", "internal")

    def __init__(
        self,
        secure: Mapping[str, Any] = _EMPTY,
        plain: Mapping[str, Any] = _EMPTY,
        ports: Mapping[int, Any] = _EMPTY,
        edges: Mapping[Any, Any] = _EMPTY,
        built: Mapping[str, Any] = _EMPTY,
        internal: Any = None,
    ) -> None:
        self.secure = NameTable(secure)
        self.plain = NameTable(plain)
        self.ports = MappingProxyType(dict(ports))
        self.edges = edges
        self.built = built
        self.internal = internal
