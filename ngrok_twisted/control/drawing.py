"""
`Drawing`: random names and ports that nobody has.
"""

from __future__ import annotations

from random import Random
from typing import Callable

from ngrok_twisted.control.ownership import Ownership, Place, ReservationSettings
from ngrok_twisted.control.random_names import random_label
from ngrok_twisted.control.slots import SlotMemory
from ngrok_twisted.control.wishes import DEFAULT_PORTS
from ngrok_twisted.errors import Refused

#: Blind draws before every port of the range is looked at, or no name is found: in a range that is half full, one in a
#: thousand misses ten times.
DRAWS = 10


class Drawing:
    """Picks places; it keeps none."""

    def __init__(
        self,
        settings: ReservationSettings,
        random: Random,
        memory: SlotMemory,
        owned: Callable[[], Ownership],
        is_wanted: Callable[[str, Place], bool],
    ) -> None:
        """
        :param memory: who may come back for which place.
        :param owned: gives what the current records say.
        :param is_wanted: whether somebody has a place, or is about to get it: asked with the protocol and the place.
        """
        self._settings = settings
        self._random = random
        self._memory = memory
        self._owned = owned
        self._is_wanted = is_wanted

    def name(self, proto: str) -> Place:
        """
        :param proto: ``https``, ``tls`` or ``http``; a name is drawn that is free for all of them.
        :raises Refused: none was found.
        """
        for _ in range(DRAWS):
            host = f"{random_label(self._random)}.{self._settings.base_domain}"
            wanted = any(self._is_wanted(scheme, Place("", host, port)) for scheme, port in DEFAULT_PORTS.items())
            if not wanted and not self._owned().is_reserved(host):
                return Place("", host, DEFAULT_PORTS[proto])
        raise Refused(None, "No free random name was found. Please try again, or ask for a name.")

    def port(self) -> Place:
        """
        A free port that nobody has reserved; those that somebody may come back for only when there are no others.

        :raises Refused: the range is exhausted.
        """
        ports = self._settings.tcp_ports
        for _ in range(DRAWS if ports else 0):
            place = self._place(self._random.choice(ports))
            if self._is_free(place) and not self._was_just_left(place):
                return place
        free = [place for place in map(self._place, ports) if self._is_free(place)]
        if not free:
            raise Refused(None, f"All {len(ports)} public TCP ports of this server are in use. Please try again later.")
        fresh = [place for place in free if not self._was_just_left(place)]
        return self._random.choice(fresh or free)

    def _place(self, port: int) -> Place:
        return Place("", self._settings.tcp_host, port)

    def _is_free(self, place: Place) -> bool:
        owned = self._owned()
        return not (
            self._is_wanted("tcp", place)
            or owned.is_reserved_address(place.host, place.port)
            or owned.is_edge(place)
            or owned.cloud_endpoints(place)
        )

    def _was_just_left(self, place: Place) -> bool:
        return self._memory.was_just_left(place.host, place.port)
