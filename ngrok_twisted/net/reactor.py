"""
An epoll reactor with less ceremony for each event, whose TCP transports write at once.

The stock reactor enters a logging context for every readable or writable descriptor; here the context exists only where
there is something to log. Its ports and connections come from `ngrok_twisted.net.eager`, so that stock endpoint strings
(``tcp:443``, ``systemd:domain=INET:index=0``) get them too.

``twistd`` can choose it with ``--reactor``; `install` is for programs. Every other reactor works as well, slower.
"""

from __future__ import annotations

import sys
from errno import EINTR
from socket import AF_UNIX
from typing import Any

from twisted.internet import error
from twisted.internet.epollreactor import EPOLLIN, EPOLLOUT, EPollReactor
from twisted.internet.main import installReactor
from twisted.internet.posixbase import _NO_FILEDESC
from twisted.python import log

from ngrok_twisted.net.eager import EagerConnector, EagerPort, EagerServer


class LeanEPollReactor(EPollReactor):
    """See the module."""

    def stop(self) -> None:
        """IReactorCore. A second stop while the first is under way, such as another Ctrl-C, changes nothing."""
        if not (self._started and self._stopped):
            super().stop()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most ``timeout`` seconds (``None``: for ever), and serve them."""
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as failed:
            if failed.errno == EINTR:
                return
            raise
        selectables = self._selectables
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # gone, by what an earlier event of this round did
            if event != EPOLLIN and event != EPOLLOUT:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
                continue
            why: Any
            reading = False
            try:
                if selectable.fileno() == -1:
                    why = _NO_FILEDESC
                elif event == EPOLLIN:
                    why = selectable.doRead()
                    reading = True
                else:
                    why = selectable.doWrite()
            except BaseException:
                why = sys.exc_info()[1]
                log.callWithLogger(selectable, log.err)
            if why:
                log.callWithLogger(selectable, self._disconnectSelectable, selectable, why, reading)

    doIteration = doPoll

    def listenTCP(self, port: Any, factory: Any, backlog: int = 50, interface: str = "") -> EagerPort:
        """IReactorTCP."""
        listening = EagerPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30.0, bindAddress: Any = None
    ) -> EagerConnector:
        """IReactorTCP."""
        connector = EagerConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """IReactorSocket."""
        if addressFamily == AF_UNIX:
            return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        if addressFamily not in self._supportedAddressFamilies:
            raise error.UnsupportedAddressFamily(addressFamily)
        listening = EagerPort._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        listening.startListening()
        return listening

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """IReactorSocket."""
        if addressFamily == AF_UNIX:
            return super().adoptStreamConnection(fileDescriptor, addressFamily, factory)
        if addressFamily not in self._supportedAddressFamilies:
            raise error.UnsupportedAddressFamily(addressFamily)
        return EagerServer._fromConnectedSocket(fileDescriptor, addressFamily, factory, self)


def install() -> None:
    """Make a `LeanEPollReactor` the reactor of this process."""
    installReactor(LeanEPollReactor())


__all__ = ["LeanEPollReactor", "install"]
