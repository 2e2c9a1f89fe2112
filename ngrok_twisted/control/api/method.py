"""
`Method`: one verb on one path, with what it takes and gives; the same value serves requests, the OpenAPI document and the
reference page. `Query` and `Answer` go with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

#: Items on one page of a list; ngrok's clients ask for at most as many.
PAGE_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """
    The query of a list, checked.

    :ivar before_id: only items older than this id; empty for the newest page.
    :ivar limit: items on the page, 1 to `PAGE_MAX`.
    :ivar filter: an expression over ``obj``; empty for none.
    :ivar id: only items with one of these ids (endpoints only).
    :ivar url: only items with one of these URLs (endpoints only).
    """

    before_id: str = ""
    limit: int = PAGE_MAX
    filter: str = ""
    id: tuple[str, ...] = ()
    url: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """
    :ivar status: the HTTP status.
    :ivar body: a dataclass or JSON-shaped data; ``bytes`` of JSON that was written before; ``None`` for no body.
    """

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    :ivar verb: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    :ivar path: the template, such as ``/edges/https/{edge_id}/routes/{id}``.
    :ivar action: ``list``, ``get``, ``create``, ``update``, ``replace``, ``delete``, or a verb of the resource's own.
    :ivar perform: called with a `ngrok_twisted.control.api.call.Call`; gives an `Answer`, or an awaitable of one. It raises
        `ngrok_twisted.control.api.errors.APIError`, `Refused` or `InvalidConfig`.
    :ivar summary: one sentence for the reference.
    :ivar body: the dataclass of the request's body, or ``None``.
    :ivar answer: the dataclass of the answer's body, or ``None``.
    :ivar list_key: the key of a list's items, empty for other methods; ``answer`` is then the type of one item.
    :ivar query: the names of the query parameters it takes.
    :ivar status: the HTTP status of success.
    :ivar deprecated: ngrok calls it so.
    :ivar body_ignored: whatever arrives as a body is read and thrown away.
    :ivar body_lenient: a body that is no JSON object counts as none.
    :ivar public: it is answered without an API key and without a version; its `Call` acts for nobody.
    """

    verb: str
    path: str
    action: str
    perform: Callable[[Any], Any]
    summary: str = ""
    body: type | None = None
    answer: type | None = None
    list_key: str = ""
    query: tuple[str, ...] = ()
    status: int = 200
    deprecated: bool = False
    body_ignored: bool = False
    body_lenient: bool = False
    public: bool = False
