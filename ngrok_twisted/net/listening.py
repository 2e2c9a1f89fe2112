"""
`Listener`: one public listener by its Twisted endpoint string, bound at one moment and accepting from another.

Its socket may outlive the server: systemd may have opened it, and a restart in place hands it on.
"""

from __future__ import annotations

import errno
import re
import socket
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from ngrok_twisted.net.activation import NotActivated, activated_socket, is_activated

# A machine without IPv6 has no ::1 to listen on.
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

# What separates the arguments of an endpoint string; a colon that belongs to an argument has a backslash before it.
_SEPARATOR = re.compile(r"(?<!\\):")

# The arguments of the kinds that we look into, as Twisted's parsers order them.
_PLACES = {"tcp": ("port", "interface", "backlog"), "tcp6": ("port", "backlog", "interface")}

# How many visitors may wait in the kernel to be accepted; Twisted's 50 is little for a burst.
BACKLOG = 511


class CannotListen(Exception):
    """A listener cannot be bound; the message names it and the cause."""


class Listener:
    """
    :ivar description: the endpoint string, such as ``tcp:443``.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, what: str, description: str, factory: IProtocolFactory, optional: bool = False
    ) -> None:
        """
        :param what: names the listener for people, such as ``https``.
        :param optional: an address that this machine does not have is passed over.
        """
        self._reactor = reactor
        self._what = what
        self.description = description
        self._factory = factory
        self._optional = optional
        self._port: Any = None
        self._number: int | None = None

    @property
    def public_port(self) -> int | None:
        """The port number that was bound; ``None`` before, and for what has no number."""
        if self._number is None and self._port is not None:
            self._number = getattr(self._port.getHost(), "port", None)  # asked for whenever a service is dialled
        return self._number

    def adopt(self, inherited: Any) -> None:
        """
        Take the socket from the server that this process was before, if it had it. `bind` does nothing then.

        :param inherited: the `ngrok_twisted.net.inherited.InheritedSockets`.
        """
        found = None if is_activated(self.description) else inherited.take(self.description)
        if found is not None:
            backlog = _argument(with_backlog(self.description), "backlog") or ""
            found.listen(int(backlog) if backlog.isdigit() else BACKLOG)  # it may be another than before
            self._listen_with(found)

    def bind(self) -> None:
        """
        Take the address. Visitors wait in the kernel until `accept`.

        :raises CannotListen: it cannot be had.
        """
        if self._port is not None:
            return
        if is_activated(self.description):
            try:
                self._listen_with(activated_socket(self.description))
            except NotActivated as error:
                raise CannotListen(f"listen.{self._what} ({self.description}): {error}") from None
        else:
            self._open()

    def _listen_with(self, found: socket.socket) -> None:
        self._port = adopt(self._reactor, found, self._factory)
        self._port.stopReading()

    def _open(self) -> None:
        results: list[Any] = []
        try:
            listening = serverFromString(self._reactor, with_backlog(self.description)).listen(self._factory)
        except (ValueError, TypeError) as error:
            raise CannotListen(f"listen.{self._what} ({self.description}): {error}") from None
        listening.addBoth(results.append)
        if not results:
            listening.cancel()
            raise CannotListen(
                f"listen.{self._what} ({self.description}): this kind of endpoint takes too long to start"
            )
        if IListeningPort.providedBy(results[0]):
            self._port = results[0]
            self._port.stopReading()
        else:
            self._refused(results[0].value)

    def _refused(self, error: Exception) -> None:
        cause = getattr(error, "socketError", error)
        if self._optional and getattr(cause, "errno", None) in _NO_SUCH_ADDRESS:
            self._log.info("not listening on {description}: no such address here", description=self.description)
            return
        reason = getattr(cause, "strerror", None) or cause
        raise CannotListen(f"listen.{self._what} ({self.description}): {reason}")

    def accept(self) -> None:
        """Let in whoever waits."""
        if self._port is not None:
            self._port.startReading()

    def rest(self) -> None:
        """Let in nobody for now: visitors wait in the kernel."""
        if self._port is not None:
            self._port.stopReading()

    def hand_over(self) -> int | None:
        """
        The socket for whoever comes after this server in the same process; it stays open, and is not to be closed here.

        :return: its descriptor; ``None`` where there is none to be handed over, since nothing was bound, systemd has it
            anyway, or it is of a kind that can only be opened anew.
        """
        return self._port.fileno() if self._port is not None and port_of(self.description) is not None else None

    def close(self) -> Deferred[Any]:
        """
        Accept nobody any more. Connections that were accepted go on.

        :return: a Deferred that fires with ``None``.
        """
        port, self._port, self._number = self._port, None, None
        return maybeDeferred(lambda: None if port is None else port.stopListening())


def adopt(reactor: Any, found: socket.socket, factory: IProtocolFactory) -> Any:
    """
    Serve a listening socket that is open already.

    :param found: it is closed: what is served is a duplicate of it.
    :return: the ``IListeningPort``. It accepts at once.
    """
    with found:
        found.setblocking(False)
        return reactor.adoptStreamPort(found.fileno(), found.family, factory)


def why_not(description: str) -> str:
    """
    Try to take the address of an endpoint string for a moment.

    :return: why it cannot be had; empty if it can, or if that cannot be tried.
    """
    port, interface = port_of(description), interface_of(description)
    if port is None or interface is None:
        return ""
    with socket.socket(socket.AF_INET6 if ":" in interface else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((interface, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def with_backlog(description: str) -> str:
    """The endpoint string with room for as many waiting visitors as our own ports have, unless it says how many."""
    if _kind(description) in _PLACES and _argument(description, "backlog") is None:
        return f"{description}:backlog={BACKLOG}"
    return description


def port_of(description: str) -> int | None:
    """
    The TCP port that an endpoint string names.

    :return: ``None`` for what has no number of its own, such as an inherited socket.
    """
    port = _argument(description, "port")
    return int(port) if port is not None and port.isascii() and port.isdigit() else None


def interface_of(description: str) -> str | None:
    """
    The address that an endpoint string listens on.

    :return: an IP address, empty for all of the machine's; ``None`` for what has none, such as an inherited socket.
    """
    if port_of(description) is None:
        return None
    everywhere = "::" if _kind(description) == "tcp6" else ""
    return (_argument(description, "interface") or everywhere).replace("\\", "")


def _kind(description: str) -> str:
    return description.partition(":")[0]


def _argument(description: str, name: str) -> str | None:
    """An argument of a TCP endpoint string, by its name or by its place."""
    kind, *arguments = _SEPARATOR.split(description)
    if kind not in _PLACES:
        return None
    named = [argument[len(name) + 1 :] for argument in arguments if argument.startswith(name + "=")]
    if named:
        return named[0]
    plain = [argument for argument in arguments if "=" not in argument]
    place = _PLACES[kind].index(name)
    return plain[place] if len(plain) > place else None
