"""
`Routes`: from a verb and a path to the method that performs it.
"""

from __future__ import annotations

from typing import Iterable, Iterator, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.control.api.method import Method
from ngrok_twisted.interfaces import IAPIResource

RESOURCES = "ngrok_twisted.control.api.resources"


def resources() -> Mapping[str, object]:
    """Every resource of the API, by name."""
    return kinds.discover(RESOURCES, IAPIResource)


def named_methods() -> Iterator[tuple[str, Method]]:
    """Every method, with the name of its resource."""
    for name, resource in resources().items():
        for method in resource.methods():  # type: ignore[attr-defined]
            yield name, method


def all_methods() -> Iterator[Method]:
    """Every method of every resource."""
    return (method for _, method in named_methods())


class Routes:
    """
    Looks paths up segment by segment; a fixed segment goes before a parameter.
    """

    def __init__(self, methods: Iterable[Method]) -> None:
        """
        :raises ValueError: two methods have the same verb and path.
        """
        self._root: dict[str, object] = {}
        for method in methods:
            node = self._root
            for segment in _segments(method.path):
                node = node.setdefault("{}" if segment.startswith("{") else segment, {})  # type: ignore[assignment]
            if method.verb in node:
                raise ValueError(f"{method.verb} {method.path} is there twice")
            node[method.verb] = method

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """
        :param path: decoded; slashes that stand side by side count as one.
        :return: the method and the values in the path, or ``None``.
        """
        found = self._at(path)
        method = None if found is None else found.get(verb)
        if not isinstance(method, Method):
            return None
        names = _segments(method.path)
        values = {name[1:-1]: value for name, value in zip(names, _segments(path), strict=True) if name.startswith("{")}
        return method, values

    def verbs(self, path: str) -> list[str]:
        """The verbs that the path has, in order; none for an unknown path."""
        found = self._at(path) or {}
        return sorted(verb for verb, method in found.items() if isinstance(method, Method))

    def _at(self, path: str) -> dict[str, object] | None:
        nodes = [self._root]
        for segment in _segments(path):
            nodes = [
                node[key]  # type: ignore[misc]
                for node in nodes
                for key in (segment, "{}")
                if isinstance(node.get(key), dict)
            ]
        ends = [node for node in nodes if any(isinstance(value, Method) for value in node.values())]
        return ends[0] if ends else None


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
