"""
`EagerPort`: a listening port whose connections are eager transports.
"""

from __future__ import annotations

from errno import EAGAIN, ECONNABORTED, EPERM, EWOULDBLOCK, errorcode
from socket import IPPROTO_TCP, NI_NUMERICHOST, NI_NUMERICSERV, SOCK_STREAM, TCP_NODELAY, SocketType, getnameinfo
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, succeed
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.net.eager import plain_address
from ngrok_twisted.net.giving import give

SECONDS = 1.0

# How long a port stops accepting when the process or the system has no descriptor left. A listening socket stays readable
# meanwhile, so that without a pause the reactor would spin.
ACCEPT_PAUSE = 1 * SECONDS

# Exhaustion that comes back within this time belongs to the same episode and is not logged again.
EXHAUSTION_EPISODE = 60 * SECONDS

_NOTHING_TO_ACCEPT = frozenset({EAGAIN, EWOULDBLOCK})
_VISITOR_LEFT = frozenset({ECONNABORTED, EPERM})

# How many more connections a port accepts in one go once it has reached its limit; the limit adapts to the traffic. Each
# takes up to 0.3 ms, since a ClientHello that is here already is answered at once, and nobody else is served meanwhile;
# another go costs a hundredth of that.
_ACCEPT_STEP = 8
_ACCEPT_MOST = 16


class EagerPort(tcp.Port):
    """
    A listening port whose connections are `EagerServer` transports.

    When descriptors run out the port rests for `ACCEPT_PAUSE` seconds; visitors wait in the kernel's queue. (The stock port
    accepts and drops them with three log lines each when the process has none left, and spins when the system has none.)
    """

    _log = Logger()
    factory: Any
    reactor: Any
    socket: Any
    _exhausted_at: float | None = None
    _resting: Any = None

    def startListening(self) -> None:
        """IListeningPort."""
        super().startListening()
        self.numberAccepts = _ACCEPT_MOST
        # Linux hands the option down to accepted sockets: one system call for all of them.
        self.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def doRead(self) -> None:
        """IReadDescriptor."""
        accepted = 0
        for accepted in range(1, self.numberAccepts + 1):
            try:
                # Beneath the socket module's own, which puts names on numbers and a class around it: ten calls in Python.
                descriptor, address = self.socket._accept()
            except OSError as error:
                if error.errno in _VISITOR_LEFT:
                    continue
                if error.errno not in _NOTHING_TO_ACCEPT:
                    self._rest(error)
                self.numberAccepts = max(1, accepted - 1)
                return
            try:
                self._welcome(SocketType(self.addressFamily, SOCK_STREAM, IPPROTO_TCP, descriptor), address)
            except Exception:
                self._log.failure("a connection from {peer} could not be set up", peer=address[0])
            if self.disconnecting or not self.connected:
                return
        self.numberAccepts = min(accepted + _ACCEPT_STEP, _ACCEPT_MOST)

    def loseConnection(self, connDone: Any = CONNECTION_DONE) -> Deferred[None] | None:
        """
        IListeningPort.

        The address is free when this returns. (The stock port keeps it for another turn, and whoever wants it back in that
        turn cannot have it.)
        """
        if not self.connected:
            return None
        self.disconnecting = True
        self.connectionLost(Failure(connDone))
        return succeed(None)

    stopListening = loseConnection

    def stopReading(self) -> None:
        """IReadDescriptor: nobody is accepted until `startReading`, not after a rest either."""
        self._stop_resting()
        super().stopReading()

    def connectionLost(self, reason: Any) -> None:
        """IReadDescriptor."""
        self._stop_resting()
        super().connectionLost(reason)

    def _welcome(self, sock: Any, address: Any) -> None:
        """Build the protocol and the transport of one accepted socket."""
        if len(address) == 4 and address[3]:  # link-local: the scope belongs to the host's name
            host = getnameinfo(address, NI_NUMERICHOST | NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        try:
            protocol = self.factory.buildProtocol(plain_address(address))
        except Exception:
            sock.close()
            raise
        if protocol is None:
            sock.close()
        else:
            sock.setblocking(False)
            give(protocol, sock, address, self.reactor)

    def _rest(self, error: OSError) -> None:
        """Stop accepting for a while."""
        now = self.reactor.seconds()
        if self._exhausted_at is None or now - self._exhausted_at > EXHAUSTION_EPISODE:
            self._log.warn(
                "port {port} cannot accept ({error}); it tries again every {pause} s",
                port=self._realPortNumber,
                error=errorcode.get(error.errno or 0, str(error)),
                pause=ACCEPT_PAUSE,
            )
        self._exhausted_at = now
        self.stopReading()
        self._resting = self.reactor.callLater(ACCEPT_PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        if self.connected and not self.disconnecting:
            self.startReading()

    def _stop_resting(self) -> None:
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()
