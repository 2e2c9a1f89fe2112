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
from time import monotonic
from typing import Any, Callable

from twisted.internet import error
from twisted.internet.epollreactor import EPOLLIN, EPOLLOUT, EPollReactor
from twisted.internet.main import installReactor
from twisted.internet.posixbase import _NO_FILEDESC
from twisted.logger import Logger
from twisted.python import log

from ngrok_twisted.net.accepting import EagerPort
from ngrok_twisted.net.eager import EagerConnector, EagerServer
from ngrok_twisted.net.stalls import BOUNDS, Stalls

_log = Logger()
_unexpected = _log.failureHandler("Unexpected error in main loop")

#: Seconds of a turn after which the rest of its events has to wait, so that timed calls are made and what was put off
#: for others' sake gets its share. A crowd that comes or goes in one moment would make a turn of a second.
TURN = 0.005

#: How many peers of a turn may wait for what is written to them, until it leaves: so many visitors take a millisecond.
BURST = 64

#: The part of its time that a loop rests at least, lately, which has time to spare: then what is written in a turn leaves at once.
#: A peer that is woken early has the first answer in its hands while the second is made, which at half load takes a sixth off
#: the median; the wake-ups cost the loop what it does not need.
RESTING = 0.3

#: Turns that count as lately, and the most seconds that one rest counts: an hour of silence must not outweigh the rush after it.
LATELY = 20
REST = 0.01

#: Seconds that epoll_wait(2) is given at most.
LONGEST = 24 * 60 * 60.0

#: Timed calls that were called off, and are to be cleared away.
CANCELLED = 50

_NOTED = BOUNDS[0]

# An event that has one of the two is served by one call; whatever else it tells, such as that the peer has gone, follows.
_EITHER = EPOLLIN | EPOLLOUT


class LeanEPollReactor(EPollReactor):
    """
    See the module.

    :ivar stalls: how long its turns take.
    :ivar burst: what leaves at the end of the turn, by transports, see `ngrok_twisted.net.eager`; ``None`` between turns, and
        where there is time to spare.
    :ivar slack: how much longer a turn was waited for, lately, than `RESTING` asks for, in seconds; above nothing there is time
        to spare.
    """

    burst: dict[Any, bytes] | None = None
    slack = 0.0

    def __init__(self) -> None:
        self.stalls = Stalls()
        self._unserved: list[tuple[int, int]] = []
        self._soon: list[Callable[[], object]] = []
        super().__init__()

    def mainLoop(self) -> None:
        """Run until `stop`."""
        self.stalls.woken = monotonic()  # what was started before is no turn
        while self._started:
            with (
                _unexpected
            ):  # around all turns up to the next error: to enter and to leave it takes as long as an empty turn
                while self._started:
                    self.runUntilCurrent()
                    timeout = self.timeout()
                    self.doIteration(self.running and timeout)
        _log.info("Main loop terminated.")

    def stop(self) -> None:
        """IReactorCore. A second stop while the first is under way, such as another Ctrl-C, changes nothing."""
        if not (self._started and self._stopped):
            super().stop()

    def soon(self, call: Callable[[], object]) -> None:
        """
        Call something at the end of this turn, when its events are served: as ``callLater(0, …)``, in a tenth of its time. It
        cannot be called off. What it raises is logged.
        """
        self._soon.append(call)

    def _run_soon(self) -> None:
        """What is asked for meanwhile waits for the next turn, as with timed calls."""
        due, self._soon = self._soon, []
        for call in due:
            try:
                call()
            except BaseException:
                log.err()

    def timeout(self) -> float | None:
        """ReactorBase: how long to wait. As usual, nothing was put off in this turn."""
        if self._soon:
            return 0
        waiting = self._pendingTimedCalls
        if self._newTimedCalls or not waiting:
            return super().timeout()
        left = waiting[0].time - self.seconds()
        return 0 if left < 0 else left if left < LONGEST else LONGEST

    def runUntilCurrent(self) -> None:
        """ReactorBase: as usual, there is nothing to run."""
        waiting = self._pendingTimedCalls
        if (
            self.threadCallQueue
            or self._newTimedCalls
            or self._cancellations > CANCELLED
            or self._justStopped
            or (waiting and waiting[0].time <= self.seconds())
        ):
            super().runUntilCurrent()

    def addReader(self, reader: Any) -> None:
        """IReactorFDSet, as usual: nothing is known of the descriptor yet."""
        fd = reader.fileno()
        if fd < 0 or fd in self._reads or fd in self._writes:
            super().addReader(reader)
            return
        try:
            self._poller.register(fd, EPOLLIN)
        except OSError:
            super().addReader(reader)  # such as a file: it knows what to do
        else:
            self._reads.add(fd)
            self._selectables[fd] = reader

    def removeReader(self, reader: Any) -> None:
        """IReactorFDSet, as usual: it is there, and read from alone; or it is gone already."""
        fd = reader.fileno()
        if fd in self._reads and fd not in self._writes:
            del self._selectables[fd]
            self._poller.unregister(fd)
            self._reads.remove(fd)
        elif fd < 0 or fd in self._reads or self._continuousPolling.isReading(reader):
            super().removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """IReactorFDSet, as usual: it is not written to."""
        fd = writer.fileno()
        if fd < 0 or fd in self._writes or self._continuousPolling.isWriting(writer):
            super().removeWriter(writer)

    def forget(self, descriptor: Any) -> None:
        """As `removeReader` and `removeWriter`, for one that is about to be closed."""
        fd = descriptor.fileno()
        if fd in self._selectables:
            del self._selectables[fd]
            self._poller.unregister(fd)
            self._reads.discard(fd)
            self._writes.discard(fd)
        elif fd < 0 or self._continuousPolling._readers or self._continuousPolling._writers:
            super().removeReader(descriptor)
            super().removeWriter(descriptor)

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most ``timeout`` seconds (``None``: for ever), and serve them."""
        stalls = self.stalls
        begun = monotonic()
        spent = begun - stalls.woken
        stalls.turns += 1
        stalls.seconds += spent
        if spent > _NOTED:
            stalls.note(spent)
        try:
            if self._unserved:
                events = self._still_due()
            else:
                events = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as failed:
            if failed.errno == EINTR:
                return
            raise
        finally:
            stalls.woken = woken = monotonic()
        selectables = self._selectables
        until = woken + TURN
        waiting = iter(events)
        self.slack = slack = slack_after(self.slack, spent, woken - begun)
        burst: dict[Any, bytes] = {}
        self.burst = burst if slack <= 0 else None
        for fd, event in waiting:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # gone, by what an earlier event of this round did
            if event != EPOLLOUT and event & _EITHER != EPOLLIN:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
                continue
            why: Any
            reading = False
            try:
                if selectable.fileno() == -1:
                    why = _NO_FILEDESC
                elif event != EPOLLOUT:
                    why = selectable.doRead()
                    reading = True
                else:
                    why = selectable.doWrite()
            except BaseException:
                why = sys.exc_info()[1]
                log.callWithLogger(selectable, log.err)
            if why:
                try:
                    self._disconnectSelectable(selectable, why, reading)
                except BaseException:
                    log.callWithLogger(selectable, log.err)
            if len(burst) >= BURST:
                self._send_burst(burst)
            if monotonic() > until:
                self._unserved = list(waiting)
                break
        if self._soon:
            self._run_soon()
        if burst:
            self._send_burst(burst)
        self.burst = None

    doIteration = doPoll

    def _send_burst(self, burst: dict[Any, bytes]) -> None:
        """A source is stopped where a peer is full, and may write to somebody when it is: such is sent as well."""
        while burst:
            for transport in list(burst):
                data = burst.pop(transport, None)
                if data is None:
                    continue  # has left with what was written then, or is not to leave any more
                try:
                    transport.send_now(data)
                except BaseException:
                    log.err()

    def _still_due(self) -> list[tuple[int, int]]:
        """
        What the turn before left, as far as it is still wanted: first come, first served. Errors are left to the next poll,
        which tells them again: by now the descriptor may be another connection's.
        """
        unserved, self._unserved = self._unserved, []
        wanted = {EPOLLIN: self._reads, EPOLLOUT: self._writes}
        return [(fd, event) for fd, event in unserved if fd in wanted.get(event, ())]

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


def slack_after(slack: float, spent: float, waited: float) -> float:
    """
    An average over some turns, the last of which counts most.

    :param slack: what it was.
    :param spent: seconds that the last turn worked.
    :param waited: seconds until there was something to do again.
    :return: what it is now; see `LeanEPollReactor`.
    """
    rest = waited if waited < REST else REST
    return slack + (rest - RESTING * (spent + rest) - slack) / LATELY


def install() -> None:
    """Make a `LeanEPollReactor` the reactor of this process."""
    installReactor(LeanEPollReactor())


__all__ = ["LeanEPollReactor", "install"]
