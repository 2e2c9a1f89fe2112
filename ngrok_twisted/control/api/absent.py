"""
`AbsentThings`: a resource whose things this server never has, so that every list of them is empty and none is found.
"""

from __future__ import annotations

from typing import Any, ClassVar, Iterator, NoReturn

from zope.interface import implementer

from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import NotFound
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.interfaces import IAPIResource


@implementer(IAPIResource)
class AbsentThings:
    """
    A collection that is listed, read and deleted from, and filled by a part of ngrok that is not built here.

    :cvar name: what ngrok calls the resource.
    :cvar path: where it is.
    :cvar list_key: the key of the items in a list.
    :cvar noun: one of them, for sentences.
    :cvar why: why there are none, for the reference.
    :cvar View: the dataclass of what ngrok shows of one.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    list_key: ClassVar[str]
    noun: ClassVar[str]
    why: ClassVar[str]
    View: ClassVar[type]

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield self._method(
            "GET", self.path, "list", self._list, "List them", list_key=self.list_key, query=("before_id", "limit")
        )
        yield self._method("GET", self.path + "/{id}", "get", self._none, "Read one")
        yield self._method("DELETE", self.path + "/{id}", "delete", self._none, "Delete one", status=204)

    def _method(self, verb: str, path: str, action: str, perform: Any, summary: str, **more: Any) -> Method:
        answer = None if verb == "DELETE" else self.View
        summary = f"{summary}. {self.why}"
        return Method(verb=verb, path=path, action=action, perform=perform, summary=summary, answer=answer, **more)

    async def _list(self, call: Call) -> Answer:
        nothing: tuple[Any, ...] = ()
        return Answer(200, await paging.page(call, self.path, self.list_key, nothing, lambda item: {}))

    def _none(self, call: Call) -> NoReturn:
        raise NotFound(self.noun, call.params["id"][:60])
