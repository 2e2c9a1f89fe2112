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

    def exactly(self, name: str) -> Any:
        """The owner of a name or wildcard as it was given, or ``None``."""
        return self._wild.get(name[2:]) if name.startswith("*.") else self._exact.get(name)

    def amended(self, owners: Mapping[str, Any]) -> NameTable:
        """
        :param owners: new owners of some names; ``None`` for a name that nobody has any more.
        """
        if not owners:
            return self
        table = NameTable()
        table._exact, table._wild = dict(self._exact), dict(self._wild)
        for name, owner in owners.items():
            names, key = (table._wild, name[2:]) if name.startswith("*.") else (table._exact, name)
            if owner is None:
                names.pop(key, None)
            else:
                names[key] = owner
        return table


class Router:
    """
    :ivar secure: owners of names on the TLS front: https and tls edges.
    :ivar plain: owners of names on the HTTP front.
    :ivar ports: public TCP ports to their edges.
    :ivar edges: every live edge by its key, so that the next compilation can keep the unchanged ones.
    :ivar built: the configured ones among them, with their keys, by the record's id.
    :ivar internal: the `ngrok_twisted.edge.internal.InternalEndpoints`; ``None`` where nothing was compiled yet.
    :ivar source: the `ngrok_twisted.records.base.Snapshot` that it was compiled from; ``None`` likewise.
    :ivar configured: the keys of configured edges, whoever has them now.
    :ivar services: what it has of `ngrok_twisted.edge.services.Services`.
    """

    __slots__ = ("secure", "plain", "ports", "edges", "built", "internal", "source", "services", "configured")

    def __init__(
        self,
        secure: Mapping[str, Any] = _EMPTY,
        plain: Mapping[str, Any] = _EMPTY,
        ports: Mapping[int, Any] = _EMPTY,
        edges: Mapping[Any, Any] = _EMPTY,
        built: Mapping[str, Any] = _EMPTY,
        internal: Any = None,
        source: Any = None,
        services: tuple[Any, ...] = (),
        configured: frozenset[Any] = frozenset(),
    ) -> None:
        self.secure = NameTable(secure)
        self.plain = NameTable(plain)
        self.ports = MappingProxyType(dict(ports))
        self.edges = edges
        self.built = built
        self.internal = internal
        self.source = source
        self.services = services
        self.configured = configured
