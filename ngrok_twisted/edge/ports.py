"""
`Ports`: one public listener for each TCP address, opened and closed as snapshots change.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Collection, Iterable

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.net.listening import BACKLOG, adopt

SECONDS = 1.0

#: Until a port that somebody else had is tried again.
RETRY = 10 * SECONDS


class Ports:
    """
    :ivar interface: the address to listen on.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        interface: str,
        owner: Callable[[int], Any],
        around: Callable[[Any], Any] = lambda factory: factory,
        inherited: InheritedSockets | None = None,
        hold: Callable[[int, Any, Callable[[], Any]], bool] = lambda port, owner, go_on: False,
    ) -> None:
        """
        :param reactor: an ``IReactorTCP``.
        :param owner: gives the `IProtocolFactory` that owns a port now, or ``None``.
        :param around: what stands around the factory of each port.
        :param inherited: sockets that are open already: visitors may wait there, and are let in when the port has an owner.
        :param hold: says whether an agent is expected that will serve a port which its owner has, and calls back then; as
            `ngrok_twisted.edge.returning.Returning.hold_port`.
        """
        self._reactor = reactor
        self.interface = interface
        self._owner = owner
        self._around = around
        self._inherited = inherited or InheritedSockets()
        self._hold = hold
        self._resting: set[int] = set()
        self._expected: set[int] = set()  # of those that rest, the ones that stay though nobody owns them
        self._open: dict[int, Any] = {}
        self._handed_over: list[Any] = []
        self._missing: set[int] = set()
        self._retry: IDelayedCall | None = None

    def __contains__(self, port: int) -> bool:
        return port in self._open

    def prepare(self, port: int) -> str | None:
        """
        Open the port if it is not open yet. Until an edge owns it, whoever connects is dropped.

        :return: ``None``, or why it cannot be opened.
        """
        if port in self._open or port in self._missing:
            return None
        try:
            self._open[port] = self._listen(port, self._around(PortFactory(port, self._owner)))
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            return f"port {port} cannot be opened on {self.interface or 'any address'}: {reason}"
        self._log.info("listening on TCP port {port}", port=port)
        return None

    def _listen(self, port: int, factory: Any) -> Any:
        found = self._inherited.take_port(self.interface, port)
        if found is not None:
            listening = adopt(self._reactor, found, factory)
            listening.stopReading()
            self._resting.add(port)
            return listening
        return self._reactor.listenTCP(port, factory, backlog=BACKLOG, interface=self.interface)

    def keep(self, wanted: Collection[int]) -> None:
        """
        Close every port that is not among the wanted ones, which have owners now, unless it rests for an agent that comes back.
        Connections that were accepted go on.
        """
        self._missing.intersection_update(wanted)
        for port in [port for port in self._open if port not in wanted and port not in self._expected]:
            self._close(port)
        for port in tuple(self._resting):
            self._go_on_resting(port)

    def rest(self, ports: Iterable[int]) -> None:
        """
        The agents of these are about to go and to come back: whoever connects meanwhile waits in the kernel.
        """
        for port in ports:
            if port in self._open and port not in self._resting:
                self._open[port].stopReading()
                self._expected.add(port)
                self._resting.add(port)
                self._go_on_resting(port)

    def _go_on_resting(self, port: int) -> None:
        if not self._hold(port, self._owner(port), partial(self._accept, port)):
            self._accept(port)

    def _accept(self, port: int) -> None:
        if port in self._resting and port in self._open:
            self._resting.discard(port)
            self._expected.discard(port)
            self._open[port].startReading()

    def close_inherited(self) -> None:
        """Nobody will want what is still open from before."""
        self._inherited.close()
        for port in [port for port in self._open if self._owner(port) is None and port not in self._resting]:
            self._close(port)

    def do_without(self, port: int) -> None:
        """A port that cannot be opened is no trouble any more: it is tried again and again while it is wanted."""
        self._missing.add(port)
        if self._retry is None:
            self._retry = self._reactor.callLater(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        missing, self._missing = self._missing, set()
        for port in missing:
            if self.prepare(port) is not None:
                self.do_without(port)

    def hand_over(self) -> list[int]:
        """
        Leave the sockets to whoever comes after this server in the same process: nobody is let in any more, visitors wait in
        the kernel, and nothing here closes them.

        :return: their descriptors, which are valid for as long as this object is there.
        """
        self._stop_retrying()
        self._handed_over += self._open.values()
        self._open.clear()
        for listening in self._handed_over:
            listening.stopReading()
        return [*self._inherited.descriptors(), *(listening.fileno() for listening in self._handed_over)]

    def close(self) -> Deferred[Any]:
        """
        Close all ports.

        :return: a Deferred that fires with ``None`` when the kernel has them back.
        """
        self._stop_retrying()
        return gatherResults([self._close(port) for port in list(self._open)]).addCallback(lambda _: None)

    def _stop_retrying(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _close(self, port: int) -> Deferred[Any]:
        self._log.info("closing TCP port {port}", port=port)
        self._resting.discard(port)
        self._expected.discard(port)
        closed = maybeDeferred(self._open.pop(port).stopListening)
        return closed.addErrback(lambda failure: self._log.failure("closing port {port}", failure, port=port))


class PortFactory(Factory):
    """
    Hands each connection to whoever owns the port at that moment.

    :ivar port: its number.
    """

    noisy = False

    def __init__(self, port: int, owner: Callable[[int], Any]) -> None:
        self.port = port
        self._owner = owner

    @property
    def owner(self) -> Any:
        """The edge that has the port now, or ``None``."""
        return self._owner(self.port)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        edge = self.owner
        return None if edge is None else edge.buildProtocol(addr)
