"""
Lists: the newest first, a page at a time, with the URL of the next page.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Callable, Iterable
from urllib.parse import urlencode

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.filters import Spellings, compile_filter
from ngrok_twisted.control.api.method import PAGE_MAX

#: Items that a filter looks at before others are served: some milliseconds of work.
SLICE = 200


async def page(
    call: Call,
    path: str,
    list_key: str,
    items: Iterable[Any],
    shown: Callable[[Any], dict[str, Any]],
    filterable: tuple[str, ...] = (),
    spellings: Spellings | None = None,
    filtered: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data,
) -> dict[str, Any]:
    """
    The body of a list's answer.

    :param path: of the collection.
    :param items: everything that the caller may see, each with an ``id``; in any order.
    :param shown: what the caller sees of one item.
    :param filterable: what a filter may ask for.
    :param spellings: see `compile_filter`.
    :param filtered: what a filter sees of what is shown.
    :raises APIError: 250, the filter cannot be used.
    """
    query = call.query
    wanted = compile_filter(query.filter, filterable, call.parts.now(), spellings) if query.filter else None
    before = _age(query.before_id)
    there = list(items)  # while others are served, what is online may change
    await call.parts.pause()
    found: list[dict[str, Any]] = []
    for item, number in zip(sorted(there, key=lambda item: _age(item.id), reverse=True), count(1)):
        if before and _age(item.id) >= before:
            continue
        data = shown(item)
        if wanted is not None and not number % SLICE:
            await call.parts.pause()
        if wanted is None or wanted(filtered(data)):
            found.append(data)
            if len(found) > query.limit:
                break
    more = len(found) > query.limit
    found = found[: query.limit]
    return {
        list_key: found,
        "uri": call.uri(path),
        "next_page_uri": call.uri(path) + "?" + _next(call, found[-1]["id"]) if more else None,
    }


def _age(id: str) -> str:
    """The part of an id that sorts by age, whatever its prefix."""
    return id.rpartition("_")[2]


def _next(call: Call, last: str) -> str:
    parts: dict[str, Any] = {"before_id": last}
    if call.query.limit != PAGE_MAX:
        parts["limit"] = str(call.query.limit)
    if call.query.filter:
        parts["filter"] = call.query.filter
    parts |= {name: list(values) for name in ("id", "url") if (values := getattr(call.query, name))}
    return urlencode(parts, doseq=True)
