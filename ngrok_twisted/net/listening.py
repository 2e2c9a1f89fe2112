"""
`Listener`: one public listener by its Twisted endpoint string, bound at one moment and accepting from another.
"""

from __future__ import annotations

import errno
import re
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

# A machine without IPv6 has no ::1 to listen on.
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

# What separates the arguments of an endpoint string; a colon that belongs to an argument has a backslash before it.
_SEPARATOR = re.compile(r"(?<!\\):")


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

    @property
    def public_port(self) -> int | None:
        """The port number that was bound; ``None`` before, and for what has no number."""
        return None if self._port is None else getattr(self._port.getHost(), "port", None)

    def bind(self) -> None:
        """
        Take the address. Visitors wait in the kernel until `accept`.

        :raises CannotListen: it cannot be had.
        """
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

    def close(self) -> Deferred[Any]:
        """
        Accept nobody any more. Connections that were accepted go on.

        :return: a Deferred that fires with ``None``.
        """
        port, self._port = self._port, None
        return maybeDeferred(lambda: None if port is None else port.stopListening())


def with_backlog(description: str) -> str:
    """The endpoint string with room for as many waiting visitors as our own ports have, unless it says how many."""
    if description.startswith(("tcp:", "tcp6:")) and ":backlog=" not in description:
        return f"{description}:backlog={BACKLOG}"
    return description


def port_of(description: str) -> int | None:
    """
    The TCP port that an endpoint string names.

    :return: ``None`` for what has no number of its own, such as an inherited socket.
    """
    port = _argument(description, "port", 0)
    return int(port) if port is not None and port.isascii() and port.isdigit() else None


def interface_of(description: str) -> str | None:
    """
    The address that an endpoint string listens on.

    :return: an IP address, empty for all of the machine's; ``None`` for what has none, such as an inherited socket.
    """
    if port_of(description) is None:
        return None
    return (_argument(description, "interface", 1) or "").replace("\\", "")


def _argument(description: str, name: str, place: int) -> str | None:
    """An argument of a TCP endpoint string, by its name or by its place."""
    kind, *arguments = _SEPARATOR.split(description)
    if kind not in ("tcp", "tcp6"):
        return None
    named = [argument[len(name) + 1 :] for argument in arguments if argument.startswith(name + "=")]
    if named:
        return named[0]
    plain = [argument for argument in arguments if "=" not in argument]
    return plain[place] if len(plain) > place else None
