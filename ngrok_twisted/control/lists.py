"""
The lists of ``config.yaml`` whose items become records. There is one for each resource of the API that says where its
records are declared, so that an item has the same fields as a body that is posted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from typing import Annotated, Any, Callable, Iterator, Mapping

from ngrok_twisted import schema
from ngrok_twisted.control.api.routes import resources
from ngrok_twisted.document import join
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.marks import REST, ByName, specs
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import SHOWN

External = Callable[[str], str]

#: What is listed under a key that holds several lists, for messages.
_WORDS = {"backends": "backend kind"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """
    :ivar account: the name of the account that owns it; without it the default account does.
    """

    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """
    :ivar name: what other items call it; unique in its list.
    :ivar account: the name of the account that owns it; without it the default account does.
    """

    name: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """
    :ivar place: where it stands, such as ``edges.https``.
    :ivar resource: the `ngrok_twisted.control.api.collection.Collection` that makes the records.
    :ivar body: the dataclass of what the resource makes a record of: its ``Declared`` or ``Create``.
    :ivar item: the dataclass of one item: the same, and what items of every list have.
    """

    place: str
    resource: Any
    body: type
    item: type

    @property
    def names_itself(self) -> bool:
        """Whether the API has a name for such things, with rules of its own."""
        return issubclass(self.item, Owned)

    @property
    def space(self) -> str:
        """Where a name is unique: the first step of the place, so that it says enough of any kind of backend."""
        return self.place.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One declared thing.

    :ivar list: its list.
    :ivar path: where it stands in the file, such as ``edges.https[3]``.
    :ivar name: what other items call it, possibly empty.
    :ivar account: the name of its account, empty for the default one.
    :ivar id: the public id of its record; empty if it has no body.
    :ivar body: an instance of the list's ``body``; ``None`` if it could not be read.
    """

    list: List
    path: str
    name: str = ""
    account: str = ""
    id: str = ""
    body: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Read:
    """
    What was read, and what was wrong with it.

    :ivar items: every item, also those that could not be read.
    :ivar problems: what the schema found.
    :ivar doubtful: paths of what was left out of items that are otherwise fine: nothing more is to be said of them.
    """

    items: list[Item] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)


@lru_cache(maxsize=None)
def lists() -> Mapping[str, List]:
    """
    Every list, by its place.

    :raises ValueError: two resources have the same place.
    """
    found: dict[str, List] = {}
    for resource in resources().values():
        place = getattr(resource, "declared_at", "")
        if place:
            if place in found:
                raise ValueError(f"two resources are declared at {place}")
            body = resource.Declared or resource.Create  # type: ignore[attr-defined]
            found[place] = List(place, resource, body, _item_class(body))
    return found


def _item_class(body: type) -> type:
    """The keys that items of every list have, and those of a body beside them."""
    base = Owned if any(spec.name == "name" for spec in specs(body)) else Called
    return make_dataclass(
        f"{body.__name__}Item",
        [("body", Annotated[body, REST])],
        bases=(base,),
        frozen=True,
        slots=True,
        kw_only=True,
        namespace={"__doc__": body.__doc__},
    )


def list_types() -> Mapping[str, Any]:
    """The type of each key of ``config.yaml`` that is a list, or that holds several."""
    found: dict[str, Any] = {}
    blocks: dict[str, dict[str, Any]] = {}
    for place, each in lists().items():
        block, _, key = place.rpartition(".")
        (blocks.setdefault(block, {}) if block else found)[key] = tuple[each.item, ...]  # type: ignore[name-defined]
    for block, types in blocks.items():
        found[block] = Annotated[Mapping[str, Any], ByName(_constant(types), word=_WORDS.get(block, "key"))]
    return found


def _constant(types: Mapping[str, Any]) -> Callable[[], Mapping[str, Any]]:
    return lambda: types


def take_lists(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """
    Separate the items from the rest, so that each is read by itself.

    :param data: the whole of ``config.yaml``.
    :return: the rest, and the items by the place of their list. What is no list stays in the rest, to be refused there.
    """
    rest, taken = dict(data), {}
    for key, value in data.items():
        if key in lists() and isinstance(value, list):
            taken[key] = rest.pop(key)
        elif isinstance(value, dict):
            places = {name: join(key, name) for name in value if isinstance(key, str) and isinstance(name, str)}
            inner = {name: value[name] for name, place in places.items() if place in lists()}
            lists_inside = {name: found for name, found in inner.items() if isinstance(found, list)}
            taken.update({places[name]: found for name, found in lists_inside.items()})
            if lists_inside:
                rest[key] = {name: found for name, found in value.items() if name not in lists_inside}
    return rest, taken


def read_items(taken: Mapping[str, list[Any]], external: External | None = None) -> Read:
    """
    Read every item, whatever is wrong with the others.

    :param taken: as `take_lists` gave them.
    :param external: as for `ngrok_twisted.schema.parse`.
    """
    read = Read()
    for place, found in taken.items():
        for number, data in enumerate(found):
            read.items.append(_read(lists()[place], number, data, external, read))
    return read


def _read(list_: List, number: int, data: Any, external: External | None, read: Read) -> Item:
    path = join(list_.place, number)
    parsed: Any
    try:
        parsed = schema.parse(list_.item, data, path=path, external=external)
    except InvalidConfig as error:
        read.problems += error.problems
        parsed = _salvaged(list_, path, data, external, read, [problem.path for problem in error.problems])
    if parsed is None:
        name = data.get("name") if isinstance(data, dict) else None
        return Item(list=list_, path=path, name=name if isinstance(name, str) else "")
    name = parsed.name if hasattr(parsed, "name") else parsed.body.name
    # Where the name is one of the API's own fields, two accounts may use the same.
    unique = f"{parsed.account}/{name}" if parsed.account and list_.names_itself else name
    id = list_.resource.declared_id(unique, parsed.body, number)
    return Item(list=list_, path=path, name=name, account=parsed.account, id=id, body=parsed.body)


def _salvaged(list_: List, path: str, data: Any, external: External | None, read: Read, wrong: list[str]) -> Any:
    """The item without the keys that something is wrong with, to be judged with the others; ``None`` if it needs them."""
    if not isinstance(data, dict):
        return None
    bad = set(_touched(data, path, wrong))
    try:
        kept = {key: value for key, value in data.items() if key not in bad}
        parsed: Any = schema.parse(list_.item, kept, path=path, external=external)
    except InvalidConfig:
        return None
    read.doubtful.update(join(path, str(key)) for key in bad)
    return parsed


def _touched(data: Mapping[Any, Any], path: str, wrong: list[str]) -> Iterator[Any]:
    """The keys at or below which something is wrong."""
    for key in data:
        inner = join(path, str(key)[:SHOWN])
        if any(other == inner or other.startswith((inner + ".", inner + "[")) for other in wrong):
            yield key
