"""
`LiveList`: what is connected right now as a resource that is only read; and what the views of live things share.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Iterator, Mapping

from zope.interface import implementer

from ngrok_twisted import schema
from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import MALFORMED_ID, APIError, NotFound, with_article
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import Ref
from ngrok_twisted.interfaces import IAPIResource

#: Where credentials are, by the prefix of their ids.
_CREDENTIALS: Mapping[str, str] = {"sshcr": "/ssh_credentials", "cr": "/credentials"}

_ID = re.compile(r"[a-z0-9]+_[0-9A-Za-z]{27}\Z")


@implementer(IAPIResource)
class LiveList:
    """
    Subclasses set the class variables and answer `items` and `view`.

    :cvar name: what ngrok calls the resource.
    :cvar path: where it is.
    :cvar list_key: the key of the items in a list.
    :cvar noun: one of them, for sentences.
    :cvar prefix: the start of their ids.
    :cvar View: the dataclass of what is shown.
    :cvar filterable: what a filter may ask for.
    :cvar missing: ngrok's code for an id that nothing has.
    :cvar deprecated: ngrok calls it so.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    list_key: ClassVar[str]
    noun: ClassVar[str]
    prefix: ClassVar[str]
    View: ClassVar[type]
    filterable: ClassVar[tuple[str, ...]] = ()
    missing: ClassVar[int | None] = None
    deprecated: ClassVar[bool] = False

    def items(self, call: Call) -> Iterator[Any]:
        """All that the caller may see, each with an ``id``."""
        raise NotImplementedError

    def view(self, call: Call, item: Any) -> Any:
        """What the caller sees of one: an instance of ``View``."""
        raise NotImplementedError

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield Method(
            verb="GET",
            path=self.path,
            action="list",
            perform=self._list,
            summary="List them, the newest first.",
            answer=self.View,
            list_key=self.list_key,
            query=("before_id", "limit", *(("filter",) if self.filterable else ())),
            deprecated=self.deprecated,
        )
        yield Method(
            verb="GET",
            path=self.path + "/{id}",
            action="get",
            perform=self._get,
            summary=f"Read a {self.noun}.",
            answer=self.View,
            deprecated=self.deprecated,
        )

    def find(self, call: Call) -> Any:
        """
        The item that the call's path names.

        :raises APIError: 404.
        """
        id = call.params["id"]
        if not _ID.match(id) or not id.startswith(self.prefix + "_"):
            raise APIError(MALFORMED_ID, f"'{id[:60]}' is not the id of {with_article(self.noun)}.")
        found = next((item for item in self.items(call) if item.id == id), None)
        if found is None:
            raise NotFound(self.noun, id, self.missing)
        return found

    async def _list(self, call: Call) -> Answer:
        shown = lambda item: schema.dump(self.view(call, item))
        return Answer(200, await paging.page(call, self.path, self.list_key, self.items(call), shown, self.filterable))

    def _get(self, call: Call) -> Answer:
        return Answer(200, self.view(call, self.find(call)))


def credential_ref(call: Call, id: str) -> Ref:
    """A reference to a credential of either kind."""
    path = credential_path(id)
    return call.ref(path, id) if path else Ref(id=id)


def credential_path(id: str) -> str:
    """Where credentials like this one are; empty for an unknown kind."""
    return _CREDENTIALS.get(id.partition("_")[0], "")
