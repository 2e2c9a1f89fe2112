"""
Agents' endpoints as the edge sees them: `AgentBackend`, the choice behind one alone or behind a pool; and which of them can
be served.
"""

from __future__ import annotations

from random import Random
from typing import Any, Callable, Hashable, Iterator, Sequence, TypeVar

from zope.interface import implementer

from ngrok_twisted.choosing import Chooser, Load
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.references import lost_references
from ngrok_twisted.tunnels import Tunnels

K = TypeVar("K", bound=Hashable)


class Unservable(LookupError):
    """
    An agent's endpoint cannot be served.

    :ivar record_id: the endpoint.
    """

    def __init__(self, record_id: str, why: object) -> None:
        super().__init__(str(why))
        self.record_id = record_id


def grouped(snapshot: Snapshot, binding: str, key: Callable[[Endpoint], K]) -> dict[K, tuple[Endpoint, ...]]:
    """
    The endpoints of one binding by their URLs, pools together.

    An endpoint one of whose modules refers to what is gone is left out: without the module it must not be served, and one
    agent must not keep others from changing their records. Its agent is told by the reservations.

    :param key: gives what stands for the URL.
    """
    found: dict[K, tuple[Endpoint, ...]] = {}
    pools: dict[K, list[Endpoint]] = {}
    for endpoint in snapshot.all(Endpoint):
        if endpoint.binding == binding and (not endpoint.modules or is_whole(endpoint, snapshot)):
            place = key(endpoint)
            if found.setdefault(place, alone := (endpoint,)) is not alone:
                pools.setdefault(place, [*found[place]]).append(endpoint)
    found.update((place, tuple(members)) for place, members in pools.items())
    return found


def is_whole(endpoint: Endpoint, snapshot: Snapshot) -> bool:
    """Whether all that the modules of an endpoint refer to is there."""
    return next(lost_references(endpoint.modules, endpoint.account_id, snapshot), None) is None


def told(members: Sequence[Endpoint], error: LookupError) -> LookupError:
    """The error of a URL that cannot be served, with the agent's endpoint that came last to it, or changed last."""
    agents = [member for member in members if member.type != "cloud"]
    if not agents:
        return error
    return Unservable(max(reversed(agents), key=lambda member: member.updated_at or member.created_at).id, error)


@implementer(IBackend)
class AgentBackend:
    """
    One online tunnel; of several one that is not busy, see `ngrok_twisted.choosing`. A pool does not retry elsewhere when
    the chosen member fails: its members are equals, but each speaks for itself. It is left alone for a while.
    """

    __slots__ = ("_endpoint_ids", "_tunnels", "_chooser", "_online", "_only", "_revision")

    def __init__(self, endpoint_ids: tuple[str, ...], tunnels: Tunnels, random: Random) -> None:
        """
        :param endpoint_ids: the endpoint, or all members of its pool.
        """
        self._endpoint_ids = endpoint_ids
        self._tunnels = tunnels
        self._chooser = Chooser(random)
        self._online: tuple[Load, ...] = ()
        self._only: Load | None = None  # the one that is online, where no other is
        self._revision = -1

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        if self._revision != self._tunnels.revision:
            self._revision = self._tunnels.revision
            loads = map(self._tunnels.load_of, self._endpoint_ids)
            self._online = tuple(load for load in loads if load is not None)
            self._only = self._online[0] if len(self._online) == 1 else None
        load = self._only
        if load is None:
            if not self._online:
                return iter(())
            load = self._chooser.first(self._online, flow.started)
        flow.go_to(load)
        return iter((load.target,))


class Pool:
    """
    Endpoints with one URL of which each has modules or a policy of its own: one of them is chosen, and then runs its own.

    Agents are chosen among as in `AgentBackend`. With a cloud endpoint in their midst chance decides, since nobody knows how
    busy that is which its policy leads to.
    """

    def __init__(self, members: Sequence[tuple[str | None, Any]], tunnels: Tunnels, random: Random) -> None:
        """
        :param members: pairs of the id of an agent's endpoint, ``None`` for a cloud endpoint, and of what there is to choose.
        """
        self._members = members
        self._always = {Load(None): behind for endpoint_id, behind in members if endpoint_id is None}
        self._tunnels = tunnels
        chooser = Chooser(random)
        self._choose = chooser.any if self._always else chooser.first
        self._behind: dict[Load, Any] = {}
        self._online: tuple[Load, ...] = ()
        self._revision = -1

    def chosen(self, now: float) -> Any:
        """
        What belongs to one of those that are online; ``None`` if nobody is.

        :param now: seconds on the clock.
        """
        if self._revision != self._tunnels.revision:
            self._look()
        return self._behind[self._choose(self._online, now)] if self._online else None

    def _look(self) -> None:
        self._revision = self._tunnels.revision
        self._behind = dict(self._always)
        for endpoint_id, behind in self._members:
            load = None if endpoint_id is None else self._tunnels.load_of(endpoint_id)
            if load is not None:
                self._behind[load] = behind
        self._online = tuple(self._behind)
