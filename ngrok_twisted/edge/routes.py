"""
`RoutesResource`: the path decides which chain of modules answers.

A route is chosen by the *normalised* path, so that no spelling of a path gets around the modules of its route:

1. percent-encoded unreserved characters are decoded (RFC 3986 section 6.2.2.2), once: ``%61`` is ``a``, ``%2561`` stays;
2. ``.`` and ``..`` segments are resolved (section 5.2.4), also those that step 1 brought to light;
3. nothing else: slashes are not merged, ``%2F`` and ``\\`` are not separators, case counts, the query is ignored.

What an upstream makes of a path may still differ. Therefore a path that *means* something else to servers which decode more
(an encoded slash or backslash, a raw backslash, a NUL, a segment such as ``..;x``) is matched in every reading that we know,
and where the readings disagree about the route, the request is refused with 400. The path goes upstream as it was sent.
"""

from __future__ import annotations

import re
from typing import Any, Iterable

from ngrok_twisted.errors import BadRequest, EdgeError
from ngrok_twisted.paths import normalised, readings
from ngrok_twisted.wrapper import Wrapper

EXACT = "exact_path"
PREFIX = "path_prefix"

# Whether a path has more than one reading: something encoded, a dot segment, a doubled or backward slash, a parameter.
_DOUBTFUL = re.compile(rb"%|/\.|\\|//|;")


class RouteNotFound(EdgeError):
    """No route of the edge has this path."""

    code = 3200
    status = 404
    sentence = "No route of this endpoint matches the requested path."


class RoutesResource(Wrapper):
    """
    An exact path wins, then the longest prefix; a prefix ends at a segment's border.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Any]]) -> None:
        """
        :param routes: ``(match_type, match, resource)``; the match type is ``exact_path`` or ``path_prefix``.
        :raises ValueError: the match type is unknown.
        """
        super().__init__(None)
        self._exact: dict[bytes, Any] = {}
        prefixes: dict[bytes, Any] = {}
        for match_type, match, resource in routes:
            if match_type not in (EXACT, PREFIX):
                raise ValueError(f"unknown match type {match_type}")
            (self._exact if match_type == EXACT else prefixes)[match.encode()] = resource
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))
        self._only = prefixes.get(b"/") if len(prefixes) == 1 and not self._exact else None

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises RouteNotFound: no route has the path.
        :raises BadRequest: the path could be read as one of another route.
        """
        return (self._only or self.resource_for_path(request.uri.partition(b"?")[0])).render(request)

    def resource_for_path(self, path: bytes) -> Any:
        """
        :param path: of the request, without its query, as sent; ``*`` stands for ``/``.
        :return: the resource of its route.
        :raises RouteNotFound: there is none.
        :raises BadRequest: it depends on who reads the path.
        """
        if path == b"*":
            path = b"/"
        found = self._match(normalised(path))
        if _DOUBTFUL.search(path) is not None:
            for reading in readings(path)[1:]:
                if self._match(reading) is not found:
                    raise BadRequest("The request's path can be read in more than one way.")
        if found is None:
            raise RouteNotFound()
        return found

    def _match(self, path: bytes) -> Any:
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, resource in self._prefixes:
            if path.startswith(prefix) and _at_border(path, prefix):
                return resource
        return None


def _at_border(path: bytes, prefix: bytes) -> bool:
    return len(path) == len(prefix) or prefix.endswith(b"/") or path[len(prefix)] == 0x2F
