"""
Internal endpoints: those of one account that only its own ``forward-internal`` reaches. They are served like public ones,
but no listener leads to them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ngrok_twisted.edge import cloud
from ngrok_twisted.edge.agents import grouped, told
from ngrok_twisted.edge.context import EdgeContext, inside_of
from ngrok_twisted.edge.router import NameTable
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint

# Account, scheme, host and port.
Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class InternalEndpoint:
    """
    What serves an internal URL.

    :ivar members: the records that it came from.
    :ivar edge: an `HTTPEdge`, or the factory of streams.
    :ivar online: whether anybody would answer now.
    :ivar used: the records that their modules came from.
    """

    members: tuple[Endpoint, ...]
    edge: Any
    online: Callable[[], bool]
    used: tuple[Record, ...] = ()

    def is_of(self, members: tuple[Endpoint, ...], snapshot: Snapshot) -> bool:
        """Whether it came from these records, and the others are as they were."""
        return self.members == members and all(snapshot.get(type(one), one.id) == one for one in self.used)

    @property
    def resource(self) -> Any:
        """The `IResource` that answers requests."""
        return self.edge.resource

    @property
    def factory(self) -> Any:
        """The `IProtocolFactory` that takes streams."""
        return self.edge


class InternalEndpoints:
    """
    All of them, immutable.

    :ivar live: by account, scheme, host and port.
    """

    def __init__(self, live: Mapping[Key, InternalEndpoint] | None = None) -> None:
        self.live = live or {}
        tables: dict[tuple[str, str, int], dict[str, InternalEndpoint]] = defaultdict(dict)
        for (account_id, proto, host, port), endpoint in self.live.items():
            tables[account_id, proto, port][host] = endpoint
        self._tables = {key: NameTable(owners) for key, owners in tables.items()}

    def find(self, account_id: str, proto: str, host: str, port: int) -> InternalEndpoint | None:
        """The endpoint of the account that has this URL, or a wildcard over it."""
        table = self._tables.get((account_id, proto, port))
        found: InternalEndpoint | None = None if table is None else table.get(host)
        return found


def compile_internal(
    snapshot: Snapshot, previous: InternalEndpoints | None, plane: Any, context: EdgeContext
) -> InternalEndpoints:
    """
    :param previous: those in force, if there are any; what did not change is kept.
    :raises LookupError: a module or a policy cannot be run.
    """
    previous = previous or InternalEndpoints()
    live: dict[Key, InternalEndpoint] = {}
    for key, members in grouped(snapshot, "internal", _key).items():
        known = previous.live.get(key)
        if known is None or not known.is_of(members, snapshot):
            known = _made(members, snapshot, plane, context)
        live[key] = known
    return previous if live == previous.live else InternalEndpoints(live)


def _key(endpoint: Endpoint) -> Key:
    return endpoint.account_id, endpoint.proto, endpoint.host, endpoint.port


def _made(members: tuple[Endpoint, ...], snapshot: Snapshot, plane: Any, context: EdgeContext) -> InternalEndpoint:
    first = members[0]
    inside = inside_of(snapshot, plane, context)
    name = f"{first.proto}://{first.host}:{first.port}"
    make: Any = cloud.http_edge if first.proto in ("http", "https") else cloud.stream_edge
    serving = context.tunnels.serving
    online = lambda: any(member.type == "cloud" or serving(member.id) is not None for member in members)
    try:
        edge = make(name, members, plane, context, inside)
    except LookupError as error:
        raise told(members, error) from None
    return InternalEndpoint(members, edge, online, tuple(inside.used))
