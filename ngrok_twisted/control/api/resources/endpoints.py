"""
``/endpoints``: everything that has a URL now: agents' endpoints, hostports of edges, and cloud endpoints, which are made
here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Iterator, Mapping

from ngrok_twisted import schema
from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.edge_endpoints import EdgeEndpoint, EdgeEndpoints
from ngrok_twisted.control.api.endpoint_view import EndpointView, EndpointViews, is_pooled, pools, shown_url
from ngrok_twisted.control.api.errors import NotFound
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.cloud_urls import CloudURL, bindings_of, cloud_url
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Delete, Problem, Snapshot
from ngrok_twisted.records.endpoint import Endpoint

#: What a filter calls agents' endpoints, and the word in the field.
_SPELLINGS = {"type": {"agent": "ephemeral"}}

NOT_CLOUD, NO_POLICY, OTHER_SCHEME = 248, 18011, 18005


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreate:
    """
    :ivar url: such as ``https://api.example.com``: below a domain of the account, a reserved TCP address, or a name that
        ends in ``.internal``. ``https://`` alone gets a random name.
    :ivar type: ``cloud``.
    :ivar traffic_policy: YAML or JSON; it answers everything, or passes it on with ``forward-internal``.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque; it comes back byte for byte.
    :ivar bindings: one of ``public``, ``internal`` and ``kubernetes``; without it the URL decides. No traffic reaches
        endpoints bound to ``kubernetes`` yet: they are listed for operators.
    :ivar pooling_enabled: may share its URL with other endpoints of the account that may, too.
    """

    url: str
    type: str = "cloud"
    traffic_policy: Annotated[str, EXTERNAL]
    description: str = ""
    metadata: str = ""
    bindings: tuple[str, ...] = ()
    pooling_enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUpdate:
    """
    :ivar url: with the same scheme as before.
    :ivar traffic_policy: YAML or JSON.
    :ivar description: at most 255 bytes, for people; empty clears it.
    :ivar metadata: at most 4096 bytes, opaque; empty clears it.
    :ivar bindings: one of ``public``, ``internal`` and ``kubernetes``.
    :ivar pooling_enabled: may share its URL with other endpoints of the account that may, too.
    """

    url: str | None = None
    traffic_policy: str | None = None
    description: str | None = None
    metadata: str | None = None
    bindings: tuple[str, ...] | None = None
    pooling_enabled: bool | None = None


class Endpoints(Collection[Any]):
    """The collection of endpoints, of which only cloud endpoints are made, changed and deleted here."""

    name = "endpoints"
    path = "/endpoints"
    list_key = "endpoints"
    noun = "endpoint"
    record = Endpoint
    View = EndpointView
    Create = EndpointCreate
    Update = EndpointUpdate
    declared_at = "endpoints"
    filterable = (
        "id",
        "created_at",
        "description",
        "metadata",
        "principal.id",
        "type",
        "binding",
        "url",
        "pooling_enabled",
        "scheme",
        "region",
        "name",
    )
    codes = {
        "url": 18015,
        "type": NOT_CLOUD,
        "traffic_policy": NO_POLICY,
        "description": 18012,
        "metadata": 18013,
        "bindings": 18007,
        "pooling_enabled": 18014,
        "{}": 18004,
    }

    def __init__(self) -> None:
        self._views = EndpointViews()
        self._edge_endpoints = EdgeEndpoints()

    # -- cloud endpoints -----------------------------------------------------------------------------------------------

    def about(self, body: Any) -> str:
        """Collection."""
        return str(body.url)

    def make(self, making: Making, body: Any) -> Endpoint:
        """Collection."""
        if body.type != "cloud":
            raise InvalidConfig([Problem("type", "can only be cloud: agents open theirs themselves", code=NOT_CLOUD)])
        random_bytes = None if making.declared else making.random_bytes
        where = _where(body.url, body.bindings, making.settings, random_bytes)
        return Endpoint(
            **self.common(making, body),
            **_placed(where),
            type="cloud",
            pooling_enabled=body.pooling_enabled,
            traffic_policy=body.traffic_policy,
            owner_id=making.owner_id,
            updated_at=making.created_at,
        )

    def changed(self, call: Call, record: Any, body: Any, records: Snapshot) -> Endpoint:
        """Collection."""
        _require_cloud(record)
        values = given_values(body)
        url, bindings = values.pop("url", None), values.pop("bindings", None)
        if values.get("traffic_policy") == "":
            raise InvalidConfig([Problem("traffic_policy", "is required", code=NO_POLICY)])
        if url is not None or bindings is not None:
            wanted = bindings if bindings is not None else (record.binding,) if url is None else ()
            where = _where(record.url if url is None else url, wanted, call.parts.settings, call.parts.random_bytes)
            if where.proto != record.proto:
                message = f"cannot change its scheme, which is {record.proto}; make another endpoint"
                raise InvalidConfig([Problem("url", message, code=OTHER_SCHEME)])
            values |= _placed(where)
        return replace(record, **values, updated_at=call.parts.now())

    def removed(self, call: Call, record: Any, records: Snapshot) -> Changes:
        """Collection."""
        _require_cloud(record)
        return (Delete(Endpoint, record.id),)

    # -- everything ----------------------------------------------------------------------------------------------------

    def owned(self, call: Call, records: Snapshot) -> Iterator[Any]:
        """Collection."""
        live = call.parts.live().values()
        edges = self._edge_endpoints.of(records).values()
        for group in (records.all(Endpoint), live, edges):
            for endpoint in group:
                if endpoint.account_id == call.account_id:
                    yield endpoint

    def find(self, call: Call, records: Snapshot, id: str) -> Any:
        """Collection."""
        self.check_id(id)
        places: tuple[Mapping[str, Any], ...] = (call.parts.live(), self._edge_endpoints.of(records))
        found = records.get(Endpoint, id) or next((place[id] for place in places if id in place), None)
        if found is None or found.account_id != call.account_id:
            raise NotFound(self.noun, id, self.codes.get(""))
        return found

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        for method in super().methods():
            yield replace(method, query=(*method.query, "id", "url")) if method.action == "list" else method

    async def _list(self, call: Call) -> Answer:
        together = pools(self.owned(call, call.records))
        shown = lambda record: schema.dump(self._views.show(call, record, together))
        body = await paging.page(
            call, self.path, self.list_key, self._asked_for(call), shown, self.filterable, _SPELLINGS, _filtered
        )
        return Answer(200, body)

    def _asked_for(self, call: Call) -> Iterator[Any]:
        """Those that the query names by id or URL, or all."""
        ids, urls = set(call.query.id), set(call.query.url)
        for record in self.owned(call, call.records):
            if (not ids or record.id in ids) and (not urls or shown_url(call, record) in urls):
                yield record

    def view(self, call: Call, record: Any) -> EndpointView:
        """Collection."""
        return self._views.show(call, record, pools(self.owned(call, call.records) if is_pooled(record) else ()))


def _where(url: str, bindings: tuple[str, ...], settings: Any, random_bytes: Any) -> CloudURL:
    """
    :raises InvalidConfig: there is no such place.
    """
    field = "bindings"
    try:
        binding = bindings_of(bindings)
        field = "url"
        return cloud_url(url, binding, settings, random_bytes)
    except Refused as refused:
        raise InvalidConfig([Problem(field, refused.message, code=refused.code or 0)]) from None


def _placed(where: CloudURL) -> dict[str, Any]:
    return {
        "url": where.text,
        "proto": where.proto,
        "host": where.host,
        "port": where.port,
        "binding": where.binding,
    }


def _require_cloud(record: Any) -> None:
    if isinstance(record, EdgeEndpoint):
        raise Refused(None, f"{record.id} belongs to the edge {record.edge_id}: change the edge.")
    if record.type != "cloud":
        raise Refused(None, f"{record.id} belongs to an agent, and lives as long as the agent keeps it.")


def _filtered(shown: dict[str, Any]) -> dict[str, Any]:
    """What a filter sees: there the one binding has a name of its own."""
    return {**shown, "binding": shown["bindings"][0]}


endpoints = Endpoints()
