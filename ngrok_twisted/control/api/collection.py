"""
`Collection`: records of one class as a resource with POST, GET, PATCH and DELETE. What a resource adds is how its records
look from outside, and what is special about making and changing them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Generic, Iterable, Iterator, Mapping, TypeVar

from zope.interface import implementer

from ngrok_twisted import schema
from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.bodies import given_values, is_blank, read_create, read_update
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.errors import MALFORMED_ID, APIError, NotFound, with_article
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.interfaces import IAPIResource
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.ids import declared_id

R = TypeVar("R", bound=Record)

Changes = Iterable[Put | Delete]

_ID = re.compile(r"[a-z0-9]+_[0-9A-Za-z]{27}\Z")


@dataclass(frozen=True, slots=True)
class Made(Generic[R]):
    """
    A record that was made, and what goes with it.

    :ivar record: the record.
    :ivar also: other changes to be written together with it.
    :ivar shown: fields of the answer that are shown this once, such as a token.
    :ivar places: for records in ``also`` that were made of a part of the body: the part's path, such as ``rules[0]``, by
        the record's id. Problems of declared records are told there.
    """

    record: R
    also: tuple[Put | Delete, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict, repr=False)
    places: Mapping[str, str] = field(default_factory=dict)


@implementer(IAPIResource)
class Collection(Generic[R]):
    """
    Subclasses set the class variables and, where the defaults do not do, replace `make`, `changed`, `removed` and `owned`.

    :cvar name: what ngrok calls the resource, such as ``vaults``.
    :cvar path: where it is, such as ``/vaults``.
    :cvar list_key: the key of the items in a list.
    :cvar noun: one of them, for sentences.
    :cvar record: the class of its records.
    :cvar View: the dataclass of what is shown.
    :cvar Create: the dataclass of the body of POST; ``None`` where nothing is created.
    :cvar Update: the dataclass of the body of PATCH, every field ``None`` unless given.
    :cvar Declared: the dataclass of an item in ``config.yaml``, if it is not ``Create``; ``make`` takes either.
    :cvar declared_at: the place of its list in ``config.yaml``, such as ``edges.https``; empty where none can be declared.
    :cvar filterable: what a filter may ask for, as paths into the shown object.
    :cvar codes: ngrok's code for a bad value of each field; ``""`` for nothing found, ``{}`` for a PATCH without values,
        ``missing`` for a required field that is not there, where that has a code of its own.
    :cvar deprecated: ngrok calls it so.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    list_key: ClassVar[str]
    noun: ClassVar[str]
    record: type[R]
    View: ClassVar[type]
    Create: ClassVar[type | None] = None
    Update: ClassVar[type | None] = None
    Declared: ClassVar[type | None] = None
    declared_at: ClassVar[str] = ""
    filterable: ClassVar[tuple[str, ...]] = ()
    codes: ClassVar[Mapping[str, int]] = {}
    deprecated: ClassVar[bool] = False

    # -- what resources replace ----------------------------------------------------------------------------------------

    def view(self, call: Call, record: R) -> Any:
        """
        What the caller sees of a record: an instance of ``View``.
        """
        raise NotImplementedError

    def make(self, making: Making, body: Any) -> R | Made[R]:
        """
        A new record from a body of POST, or from an item of ``config.yaml``. By default its fields are those of the body
        with the same names.

        :raises Refused: with ngrok's code.
        :raises InvalidConfig: with every problem.
        """
        return self.record(**self.common(making, body), **_same_fields(self.record, body, _COMMON))

    async def prepared(self, call: Call, body: Any) -> Any:
        """
        The body of a POST, with what takes time before it is this change's turn, such as a new key.
        """
        return body

    def changed(self, call: Call, record: R, body: Any, records: Snapshot) -> R | Made[R]:
        """
        The record after a PATCH. By default the fields that were given take the place of those with the same names.
        """
        return replace(record, **given_values(body))

    def removed(self, call: Call, record: R, records: Snapshot) -> Changes:
        """
        What a DELETE writes.

        :raises Refused: something still needs the record.
        """
        return (Delete(type(record), record.id),)

    def owned(self, call: Call, records: Snapshot) -> Iterator[R]:
        """Every record that the caller may see."""
        return (record for record in records.all(self.record) if record.account_id == call.account_id)

    def put(self, record: R) -> Put:
        """What writes a record; something else where the records shown are parts of others."""
        return Put(record)

    def more_methods(self) -> Iterator[Method]:
        """Methods beside the usual ones."""
        return iter(())

    @property
    def prefix(self) -> str:
        """The start of its ids."""
        return self.record.prefix

    def stored_id(self, id: str) -> str:
        """The id of the record that a path means, where two routes show the same records with different prefixes."""
        return id

    def about(self, body: Any) -> str:
        """
        What an item of ``config.yaml`` without a name is known by, such as its domain: its id follows from it, and stays
        when other items come and go. Empty where there is nothing of the kind: then its place in the list counts.
        """
        return ""

    def declared_id(self, name: str, body: Any, number: int) -> str:
        """
        The id of an item of ``config.yaml``: from its name, else from what it is about, else from its place.
        """
        # A name and a thing of the same text are not the same.
        source, key = ("", name) if name else (":", self.about(body) or str(number))
        return declared_id(self.prefix, self.declared_at + source, key)

    # -- what they build on --------------------------------------------------------------------------------------------

    def common(self, making: Making, body: Any) -> dict[str, Any]:
        """The fields that every record has."""
        return {
            "id": making.id,
            "account_id": making.account_id,
            "created_at": making.created_at,
            "description": getattr(body, "description", ""),
            "metadata": getattr(body, "metadata", ""),
            "declared": making.declared,
        }

    def seen(self, call: Call, record: R) -> dict[str, Any]:
        """The fields that every view has, for ``View(**self.seen(call, record), …)``."""
        return {
            "id": record.id,
            "uri": call.uri(self.path, record.id),
            "created_at": timestamp(record.created_at),
            "description": record.description,
            "metadata": record.metadata,
        }

    def find(self, call: Call, records: Snapshot, id: str) -> R:
        """
        The caller's record of this id.

        :raises APIError: 404.
        """
        self.check_id(id)
        record = records.get(self.record, self.stored_id(id))
        if record is None or record.account_id != call.account_id:
            raise NotFound(self.noun, id, self.codes.get(""))
        return record

    def check_id(self, id: str) -> None:
        """
        :raises APIError: 404, nothing here could have this id.
        """
        if not _ID.match(id) or not id.startswith(self.prefix + "_"):
            raise APIError(MALFORMED_ID, f"'{id[:60]}' is not the id of {with_article(self.noun)}.")

    # -- the methods ---------------------------------------------------------------------------------------------------

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        item = self.path + "/{id}"
        a = with_article(self.noun)
        if self.Create is not None:
            yield self._method(
                "POST", self.path, "create", self._create, f"Make {a}.", body=self.Create, answer=self.View, status=201
            )
        yield self._method(
            "GET",
            self.path,
            "list",
            self._list,
            "List them, the newest first.",
            answer=self.View,
            list_key=self.list_key,
            query=("before_id", "limit", *(("filter",) if self.filterable else ())),
        )
        yield self._method("GET", item, "get", self._get, f"Read {a}.", answer=self.View)
        if self.Update is not None:
            yield self._method(
                "PATCH", item, "update", self._update, f"Change {a}.", body=self.Update, answer=self.View
            )
        if self.Create is not None:
            yield self._method("DELETE", item, "delete", self._delete, f"Delete {a}.", status=204)
        yield from self.more_methods()

    def _method(self, verb: str, path: str, action: str, perform: Any, summary: str, **more: Any) -> Method:
        return Method(
            verb=verb,
            path=path,
            action=action,
            perform=perform,
            summary=summary,
            deprecated=self.deprecated,
            **more,
        )

    async def _list(self, call: Call) -> Answer:
        shown = lambda record: schema.dump(self.view(call, record))
        body = await paging.page(
            call, self.path_of(call), self.list_key, self.owned(call, call.records), shown, self.filterable
        )
        return Answer(200, body)

    def path_of(self, call: Call) -> str:
        """The path of the collection in this call, with the values of its parameters."""
        return self.path.format_map(call.params)

    def _get(self, call: Call) -> Answer:
        return Answer(200, self.view(call, self.find(call, call.records, call.params["id"])))

    async def _create(self, call: Call) -> Answer:
        assert self.Create is not None
        body: Any = await self.prepared(call, read_create(self.Create, call.data, call.params, self.codes))
        made: list[Made[R]] = []

        def build(records: Snapshot) -> Changes:
            made.append(_made(self.make(call.making(self.prefix, records), body)))
            return self.put(made[-1].record), *made[-1].also

        await self.write(call, build)
        return Answer(201, self._shown(call, made[-1]))

    async def _update(self, call: Call) -> Answer:
        assert self.Update is not None
        self.find(call, call.records, call.params["id"])
        if "{}" in self.codes and is_blank(call.data):
            raise APIError(self.codes["{}"], "The body names nothing to change.")
        body: Any = read_update(self.Update, call.data, call.params, self.codes)
        made: list[Made[R]] = []

        def build(records: Snapshot) -> Changes:
            before = self.find(call, records, call.params["id"])
            made.append(_made(self.changed(call, before, body, records)))
            return (*(() if made[-1].record == before else (self.put(made[-1].record),)), *made[-1].also)

        await self.write(call, build)
        return Answer(200, self._shown(call, made[-1]))

    async def _delete(self, call: Call) -> Answer:
        def build(records: Snapshot) -> Changes:
            return self.removed(call, self.find(call, records, call.params["id"]), records)

        await self.write(call, build)
        return Answer(204)

    async def write(self, call: Call, build: Any) -> Snapshot:
        """
        As `Call.change`, with what stands against it as an `APIError`.
        """
        try:
            return await call.change(build)
        except InvalidConfig as error:
            raise APIError.problems(error.problems, self.codes) from None
        except Refused as refused:
            raise APIError.refused(refused) from None

    def _shown(self, call: Call, made: Made[R]) -> Any:
        view = self.view(call, made.record)
        return replace(view, **made.shown) if made.shown else view


#: The fields that `Collection.common` fills.
_COMMON = frozenset({"id", "account_id", "created_at", "description", "metadata", "declared"})


def _made(result: Any) -> Made[Any]:
    return result if isinstance(result, Made) else Made(result)


def _same_fields(cls: type, body: Any, without: frozenset[str]) -> dict[str, Any]:
    names = {item.name for item in fields(body)} - without
    return {item.name: getattr(body, item.name) for item in fields(cls) if item.name in names}  # type: ignore[arg-type]
