"""
What the three kinds of edges share as resources.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, ClassVar, Iterable, Iterator, Mapping, TypeVar

from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.modules import given_slots, holder_views, slot_codes
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.records.base import Problem, Put, Record, Snapshot

R = TypeVar("R", bound=Record)
E = TypeVar("E", bound=Record)

#: ngrok's numbers that are about any edge.
EDGE_CODES = {"": 7000, "description": 7073, "metadata": 7074, "hostports": 7104}


class EdgeCollection(Collection[R]):
    """
    :cvar place: what modules call it: ``https``, ``tls`` or ``tcp``.
    """

    place: ClassVar[str]
    deprecated = True

    def make(self, making: Making, body: Any) -> R:
        """Collection."""
        record: Any = self.record
        made: R = record(
            **self.common(making, body),
            hostports=canonical(body.hostports),
            modules=body.modules,
            name=making.name,
            **self.parts(making, body),
        )
        return made

    def parts(self, making: Making, body: Any) -> dict[str, Any]:
        """The fields of a new edge that only this kind has."""
        return {"backend": body.backend}

    def changed(self, call: Call, record: R, body: Any, records: Snapshot) -> R:
        """Collection."""
        given = given_values(body)
        plain = {name: given[name] for name in ("description", "metadata", "hostports") if name in given}
        if "hostports" in plain:
            plain["hostports"] = canonical(plain["hostports"])
        changed: R = replace(given_slots(record, body), **plain)
        return changed

    def view(self, call: Call, record: Any) -> Any:
        """Collection."""
        return self.View(
            **self.seen(call, record),
            hostports=record.hostports or None,
            **self.shown_parts(call, record),
            **holder_views(call, self.place, record),
        )

    def shown_parts(self, call: Call, record: Any) -> dict[str, Any]:
        """The fields of a view that only this kind has."""
        return {"policy": None}

    def about(self, body: Any) -> str:
        """Collection."""
        return body.hostports[0] if body.hostports else ""


def edge_codes(place: str) -> dict[str, int]:
    """ngrok's numbers for bad values in the body of an edge."""
    return {**EDGE_CODES, **slot_codes(place)}


def canonical(hostports: tuple[str, ...]) -> tuple[str, ...]:
    """
    Hostports in the one form in which they are compared. What is none stays as it is; `ngrok_twisted.control.rules.edges`
    tells of it.
    """
    return tuple(_canonical(text) for text in hostports)


def _canonical(text: str) -> str:
    try:
        return "{}:{}".format(*split_hostport(text))
    except Refused:
        return text


async def write_edge(
    call: Call, change: Callable[[Snapshot], E], codes: Mapping[str, int], part: Callable[[E], str] = lambda edge: ""
) -> E:
    """
    Change a part of an edge.

    :param change: called with the records when it is this change's turn; gives the edge as it is to be.
    :param codes: ngrok's numbers for bad values of the part's fields.
    :param part: gives the path of the part in the changed edge, such as ``routes[1]``: problems are told as a body that is
        only this part has them.
    :return: the changed edge, in force.
    :raises APIError: with everything that stands against it.
    """
    made: list[E] = []

    def build(records: Snapshot) -> tuple[Put]:
        made.append(change(records))
        return (Put(made[-1]),)

    try:
        await call.change(build)
    except InvalidConfig as error:
        raise APIError.problems(_seen_from(part(made[-1]), error.problems), codes) from None
    except Refused as refused:
        raise APIError.refused(refused) from None
    return made[-1]


def _seen_from(part: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        inside = part and problem.path.startswith(part)
        yield replace(problem, path=problem.path[len(part) :].removeprefix(".")) if inside else problem
