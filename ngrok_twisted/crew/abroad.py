"""
Keeps the tables of tunnels of all processes in step: each has the tunnels of the others as `ElsewhereTunnel` objects.

A worker tells the main process of its tunnels, the main process tells all others; and what one process has to say to the
tunnel of another goes the same way.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping

from twisted.logger import Logger

from ngrok_twisted.crew.elsewhere import Advert, ElsewhereTunnel, Seen
from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.crew.relayed import Call, Relays
from ngrok_twisted.crew.wire import Handler
from ngrok_twisted.edge.homes import MAIN

#: Tunnels that a new worker is told of in one turn of the reactor: a few milliseconds.
TOLD_AT_ONCE = 200

#: What all others are told of a tunnel; whatever else is said is for the process that has it.
_TO_ALL = ("tunnel", "tunnel-gone", "tunnel-amended", "tunnel-full")


class Abroad:
    """
    What a process knows of the tunnels of others, and answers to the others.

    :ivar relays: connections of other processes to tunnels of this one.
    """

    _log = Logger()

    def __init__(self, here: int, tunnels: Any, reactor: Any) -> None:
        """
        :param here: the number of this process.
        :param tunnels: its `ngrok_twisted.tunnels.Tunnels`.
        """
        self.relays = Relays(tunnels, reactor)
        self._spare: Callable[[Any], bool] = lambda tunnel: False
        self._here = here
        self._tunnels = tunnels
        self._reactor = reactor
        tunnels.subscribe(self._changed)

    def handlers(self) -> Mapping[str, Handler]:
        """What another process may say to this one."""
        return {
            "tunnel": lambda advert, _: self.online(advert),
            "tunnel-gone": lambda gone, _: self.offline(*gone),
            "place-gone": lambda place, _: self.all_offline(place),
            "tunnel-amended": lambda advert, _: self.amended(advert),
            "tunnel-full": lambda id, _: self.full(id),
            "relay": self._relay,
            "observe": self._observe,
            "close-tunnel": self._close,
        }

    def tell(self, kind: str, value: Any, descriptor: int = NO_DESCRIPTOR) -> None:
        """Tell everyone who should know of a tunnel of this process, or bring something to a tunnel of another."""
        raise NotImplementedError

    def online(self, advert: Advert) -> None:
        """Another process has a tunnel. Whoever had one under this id before has it no longer, and will say so."""
        before = self._tunnels.get(advert.id)
        if before is not None:
            if before.started_at > advert.started_at:
                return
            self._tunnels.offline(before)
        self._tunnels.online(ElsewhereTunnel(advert, self.tell, self._reactor))

    def amended(self, advert: Advert) -> None:
        """What another process says of its tunnel has changed."""
        tunnel = self._tunnels.get(advert.id)
        if getattr(tunnel, "place", None) == advert.place:
            tunnel.be(advert)

    def full(self, id: str) -> None:
        """A visitor waits for a connection to end that another process has with its tunnel."""
        tunnel = self._tunnels.get(id)
        if isinstance(tunnel, ElsewhereTunnel) and not self._spare(tunnel):
            tunnel.owe()

    def share(self, serving: Any) -> None:
        """
        Let the others ask for what this process has.

        :param serving: the `ngrok_twisted.serving.Serving`.
        """
        self._spare = serving.pool.spare
        serving.spare_elsewhere = self._spare_elsewhere

    def _spare_elsewhere(self, tunnel: Any) -> bool:
        """See `Serving`. Whoever has a connection to spare closes it, though not at once."""
        if self.relays.reach(tunnel.id):
            self.tell("tunnel-full", tunnel.id)
        return False

    def offline(self, place: int, id: str) -> None:
        """Another process does not have a tunnel any more."""
        tunnel = self._tunnels.get(id)
        if tunnel is not None and getattr(tunnel, "place", None) == place:
            self._tunnels.offline(tunnel)

    def all_offline(self, place: int) -> None:
        """Another process is gone, and all of its tunnels with it."""
        for tunnel in self._tunnels:
            if getattr(tunnel, "place", None) == place:
                self._tunnels.offline(tunnel)

    def _changed(self, what: str, tunnel: Any) -> None:
        if isinstance(tunnel, ElsewhereTunnel):
            return
        if what == "online":
            self.tell("tunnel", Advert.of(tunnel, self._here))
        elif what == "amended":
            self.tell("tunnel-amended", Advert.of(tunnel, self._here))
        else:
            self.tell("tunnel-gone", (self._here, tunnel.id))

    def _relay(self, call: Call, descriptor: int) -> None:
        self.relays.answer(Call(*call), descriptor)

    def _observe(self, value: tuple[str, Seen], descriptor: int) -> None:
        id, seen = value
        tunnel = self._tunnels.get(id)
        if tunnel is not None:
            tunnel.observe(seen.flow())

    def _close(self, value: tuple[str, str], descriptor: int) -> None:
        id, reason = value
        tunnel = self._tunnels.get(id)
        if tunnel is not None:
            tunnel.close(reason)


class AbroadOfWorker(Abroad):
    """
    Of a worker: all others are behind the main process.
    """

    def __init__(self, here: int, tunnels: Any, reactor: Any, wire: Any) -> None:
        """
        :param wire: the `ngrok_twisted.crew.wire.Wire` to the main process.
        """
        super().__init__(here, tunnels, reactor)
        self._wire = wire

    def tell(self, kind: str, value: Any, descriptor: int = NO_DESCRIPTOR) -> None:
        """See `Abroad`. That a tunnel is there leaves before its agent can tell anybody, see `AbroadOfMain.hear`."""
        self._wire.send(kind, value, descriptor)
        if kind == "tunnel":
            self._wire.flush()


class AbroadOfMain(Abroad):
    """
    Of the main process, through which all others speak to each other.
    """

    def __init__(self, tunnels: Any, reactor: Any) -> None:
        super().__init__(MAIN, tunnels, reactor)
        self._wires: dict[int, Any] = {}  # of those too that are about to leave: visitors of their tunnels still come
        self._told: set[int] = set()

    def ready(self, place: int, wire: Any) -> None:
        """
        A worker is there: tell it of all tunnels.

        :param wire: the `ngrok_twisted.crew.wire.Wire` to it.
        """
        self._wires[place] = wire
        self._introduce(place, list(self._tunnels))

    def has_told(self, place: int) -> bool:
        """Whether a worker knows of all tunnels: what is sent to it now comes behind them."""
        return place in self._told

    def hear(self) -> None:
        """Take what workers have said by now, before it is this process's turn to read it."""
        for wire in tuple(self._wires.values()):
            wire.hear()

    def gone(self, place: int) -> None:
        """A worker is gone, and all of its tunnels with it."""
        self._wires.pop(place, None)
        self._told.discard(place)
        self.all_offline(place)
        self._tell_others(place, "place-gone", place)

    def _introduce(self, place: int, tunnels: list[Any]) -> None:
        wire = self._wires.get(place)
        if wire is None:
            return
        for tunnel in tunnels[:TOLD_AT_ONCE]:
            if self._tunnels.get(tunnel.id) is tunnel:
                wire.send("tunnel", Advert.of(tunnel, getattr(tunnel, "place", MAIN)))
        if len(tunnels) > TOLD_AT_ONCE:
            self._reactor.callLater(0, self._introduce, place, tunnels[TOLD_AT_ONCE:])
        else:
            self._told.add(place)

    def handlers_for(self, place: int) -> Mapping[str, Handler]:
        """What a worker may say."""
        told = self.handlers()

        def of_tunnel(kind: str) -> Handler:
            def handle(value: Any, descriptor: int) -> None:
                told[kind](value, descriptor)
                self._tell_others(place, kind, value)

            return handle

        def to_tunnel(kind: str) -> Handler:
            def handle(value: Any, descriptor: int) -> None:
                other = getattr(self._tunnels.get(value[0]), "place", MAIN)
                if other == MAIN:
                    told[kind](value, descriptor)
                else:
                    self._send(other, kind, value, descriptor)

            return handle

        return {
            **{kind: of_tunnel(kind) for kind in _TO_ALL},
            **{kind: to_tunnel(kind) for kind in ("relay", "observe", "close-tunnel")},
        }

    def tell(self, kind: str, value: Any, descriptor: int = NO_DESCRIPTOR) -> None:
        """See `Abroad`."""
        if kind in _TO_ALL:
            self._tell_others(MAIN, kind, value)
        else:
            self._send(getattr(self._tunnels.get(value[0]), "place", MAIN), kind, value, descriptor)

    def _send(self, place: int, kind: str, value: Any, descriptor: int) -> None:
        wire = self._wires.get(place)
        if wire is not None:
            wire.send(kind, value, descriptor)
        elif descriptor != NO_DESCRIPTOR:
            os.close(descriptor)  # whoever has the other end sees that nobody is there

    def _tell_others(self, place: int, kind: str, value: Any) -> None:
        for other, wire in tuple(self._wires.items()):  # who is too far behind is lost
            if other != place:
                wire.send(kind, value)
