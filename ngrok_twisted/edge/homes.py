"""
`Homes`: in which process the tunnels behind an edge are.

Several processes serve, and any of them can answer any visitor; but one that holds the tunnels itself answers in half the
time. Where an edge needs none, they may take turns.
"""

from __future__ import annotations

from random import Random
from typing import Any, Callable, Sequence
from weakref import WeakKeyDictionary

from ngrok_twisted.choosing import Load
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Record
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.tunnels import Tunnels

#: The process that accepts visitors; the others count from here.
MAIN = 0

#: An edge that leads to no tunnels: whoever has time.
ANYWHERE = -1


class Homes:
    """
    The place of an edge, by the tunnels that are online now.
    """

    def __init__(self, tunnels: Tunnels, random: Random, hear: Callable[[], object] = lambda: None) -> None:
        """
        :param tunnels: of all processes; one of another has a ``place``.
        :param hear: takes what other processes have said by now. An agent there may have told its user a URL that this process
            is about to learn of.
        """
        self._tunnels = tunnels
        self._hear = hear
        self._random = random.random
        self._known: WeakKeyDictionary[Any, tuple[int, tuple[int, ...]]] = WeakKeyDictionary()

    def place_of(self, edge: Any) -> int:
        """
        :param edge: an edge of the router's, or ``None``.
        :return: the number of the process to give its next visitor to, or `ANYWHERE`. Where the tunnels are in several, each
            is drawn as often as it has tunnels; where nobody is online, and for the server's own names, it is `MAIN`.
        """
        if edge is None:
            return MAIN
        records = getattr(edge, "came_from", ())
        places = self._places(edge, records)
        if not places and records:
            self._hear()
            places = self._places(edge, records)
        if len(places) > 1:
            return places[int(self._random() * len(places))]
        return places[0] if places else MAIN

    def _places(self, edge: Any, records: Sequence[Record]) -> tuple[int, ...]:
        revision, places = self._known.get(edge, (-1, ()))
        if revision != self._tunnels.revision:
            places = self._look(records)
            self._known[edge] = (self._tunnels.revision, places)
        return places

    def _look(self, records: Sequence[Record]) -> tuple[int, ...]:
        groups = [group for record in records if (group := self._group(record)) is not None]
        if records and not groups:
            return (ANYWHERE,)
        return tuple(getattr(load.target, "place", MAIN) for group in groups for load in group)

    def _group(self, record: Record) -> tuple[Load, ...] | None:
        """The tunnels that are online for a record; ``None`` if it wants none."""
        if isinstance(record, Endpoint) and record.type != "cloud":
            load = self._tunnels.load_of(record.id)
            return () if load is None else (load,)
        if isinstance(record, Backend) and record.kind == "tunnel_group":
            return self._tunnels.group((record.account_id, frozenset(record.config.labels.items())))
        return None
