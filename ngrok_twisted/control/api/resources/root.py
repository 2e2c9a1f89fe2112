"""
``/``: where everything is; the usual way to try an API key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping

from zope.interface import implementer

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.routes import named_methods
from ngrok_twisted.interfaces import IAPIResource


@dataclass(frozen=True, slots=True, kw_only=True)
class RootView:
    """
    :ivar uri: of this answer.
    :ivar subresource_uris: the name of each resource to its URL.
    """

    uri: str
    subresource_uris: Mapping[str, str]


@implementer(IAPIResource)
class Root:
    """The resource at ``/``."""

    name = "root"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield Method(
            verb="GET",
            path="/",
            action="get",
            perform=self._get,
            summary="List the resources and where they are.",
            answer=RootView,
        )

    def _get(self, call: Call) -> Answer:
        uris = {name: call.uri(path) for name, path in places().items()}
        return Answer(200, RootView(uri=call.uri("/"), subresource_uris=uris))


def places() -> dict[str, str]:
    """The path of every resource that can be listed, by its name."""
    found: dict[str, str] = {}
    for name, method in named_methods():
        if method.action == "list" and "{" not in method.path:
            found.setdefault(name, method.path)
    return found


root = Root()
