"""
`InheritedSockets`: the listening sockets of the server that this process was before it was restarted in place.

They stay open meanwhile, so that the kernel lets whoever connects wait instead of refusing; see `ngrok_twisted.restart`.
"""

from __future__ import annotations

import socket
from typing import Iterable

from twisted.logger import Logger

from ngrok_twisted.net.listening import interface_of, port_of

#: Addresses that stand for all of the machine's.
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})

_Entry = tuple[str, socket.socket]


class InheritedSockets:
    """
    What was open before, until somebody takes it or it is closed.

    A public TCP port has no endpoint string: nobody configured it, and whoever wants it asks by its number.
    """

    _log = Logger()

    def __init__(self, sockets: Iterable[tuple[str, int]] = ()) -> None:
        """
        :param sockets: endpoint strings, empty for public TCP ports, with the descriptors, which are this object's from now
            on. A descriptor that is no listening socket is left alone.
        """
        self._sockets: list[_Entry] = []
        for description, descriptor in sockets:
            found = listening_socket(descriptor)
            if found is None:
                self._log.error("descriptor {number} is no listening socket", number=descriptor)
            else:
                self._sockets.append((description, found))

    def __len__(self) -> int:
        return len(self._sockets)

    def descriptors(self) -> list[int]:
        """What is still here, and stays open."""
        return [found.fileno() for _, found in self._sockets]

    def take(self, description: str) -> socket.socket | None:
        """
        The socket of a configured listener: that of the same endpoint string, or else of the same address.

        :return: a socket that is the caller's, or ``None``. Then nothing here is in the way of opening it.
        """
        for entry in self._sockets:
            if entry[0] == description:
                return self._give(entry)
        port, interface = port_of(description), interface_of(description)
        return self.take_port(interface, port) if port and interface is not None else None

    def take_port(self, interface: str, port: int) -> socket.socket | None:
        """
        As `take`, for an address.

        :param interface: an IP address; empty for all of IPv4.
        """
        taken = None
        for entry in [entry for entry in self._sockets if entry[1].getsockname()[1] == port]:
            host = entry[1].getsockname()[0]
            if host == (interface or "0.0.0.0"):
                taken = self._give(entry)
            elif host in _EVERYWHERE or interface in _EVERYWHERE:
                self._close(entry)  # the kernel would let nobody have the one beside the other
        return taken

    def close_configured(self) -> None:
        """No listener wants those with an endpoint string that are still here."""
        for entry in [entry for entry in self._sockets if entry[0]]:
            self._close(entry)

    def close(self) -> None:
        """Nobody wants what is still here."""
        for entry in tuple(self._sockets):
            self._close(entry)

    def _give(self, entry: _Entry) -> socket.socket:
        self._sockets.remove(entry)
        return entry[1]

    def _close(self, entry: _Entry) -> None:
        name = entry[0] or f"TCP port {entry[1].getsockname()[1]}"
        self._log.info("{name} was taken over, and nobody wants it any more", name=name)
        self._give(entry).close()


def listening_socket(descriptor: int) -> socket.socket | None:
    """
    :return: the listening socket that a descriptor stands for, not to be inherited again; ``None`` if it is none.
    """
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError
        found.set_inheritable(False)
    except OSError:
        found.detach()
        return None
    return found
