"""
`TLSFront` and `PlainFront`: the public listeners for names.

The TLS front reads one ClientHello, asks the router who owns the name, hands the connection to that edge and steps aside.
The plain front speaks HTTP at once, since the name comes with each request.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.byte_transports import ITakesSocket
from ngrok_twisted.edge.address import VisitorAddress
from ngrok_twisted.edge.respond import raw_response
from ngrok_twisted.edge.visitors import VisitorChannel, Visitors
from ngrok_twisted.errors import BadRequest
from ngrok_twisted.net.clienthello import BadClientHello, ClientHelloParser, NotTLS, whole_hello
from ngrok_twisted.net.giving import first_bytes, give, give_transport, reset
from ngrok_twisted.net.timeouts import IdleWatch

SECONDS = 1

# A visitor sends its ClientHello at once; ten seconds allow for a lost packet or two on a bad line. (And one more, by which an
# `IdleWatch` may be late.)
CLIENT_HELLO_TIMEOUT = 10 * SECONDS

# In the place of a protocol: what there is of a ClientHello does not suffice.
_NOT_YET = object()

# A fatal alert in a TLS 1.0 record, which every version understands (RFC 8446 section 6): decode_error.
_DECODE_ERROR = b"\x15\x03\x01\x00\x02\x02\x32"


class TLSFront(Factory):
    """
    The factory of the listener for https and tls names.
    """

    noisy = False

    #: What somebody reads who comes with plain HTTP.
    purpose = "This port speaks HTTPS"

    def __init__(self, plane: Any, clock: Any) -> None:
        """
        :param plane: has ``secure_owner(server_name)``, which always gives an `IProtocolFactory`.
        :param clock: an ``IReactorTime``.
        """
        self.plane = plane
        self.clock = clock

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """IProtocolFactory."""
        return _Glance(self, addr)

    def hold(self, server_name: str | None, go_on: Callable[[], Any]) -> bool:
        """
        Whether a connection has to wait, since an agent that will serve it is expected any moment.

        :param go_on: called when it has waited long enough.
        """
        returning = self.plane.returning
        return returning is not None and returning.hold_name(server_name, self.plane.secure_owner(server_name), go_on)

    def owner(self, server_name: str | None, transport: Any) -> Any:
        """
        The `IProtocolFactory` that is to have a connection.

        :param server_name: the name in the ClientHello, lower case, or ``None``.
        :param transport: the connection's; ``None`` if it has none yet.
        """
        return self.plane.secure_owner(server_name)


class Peek(Protocol):
    """
    Reads a ClientHello, then is gone.

    :ivar arriving: it is not known yet what the visitor wants.
    """

    arriving = True
    _log = Logger()
    _gone = False
    _parser: ClientHelloParser | None = None
    _seen = b""

    def __init__(self, front: TLSFront) -> None:
        self._front = front

    def makeConnection(self, transport: Any) -> None:
        """IProtocol. Start the clock."""
        self.transport = transport
        self._parser = ClientHelloParser()
        self._watch = IdleWatch(self._front.clock, CLIENT_HELLO_TIMEOUT, self._too_slow)

    def dataReceived(self, data: bytes) -> None:
        """Read on until the ClientHello is whole."""
        if self._parser is None:
            return
        self._seen += data
        try:
            hello = self._parser.feed(data)
        except NotTLS as error:
            self._not_tls(error)
        except BadClientHello as error:
            self._refuse(str(error), _DECODE_ERROR)
        else:
            if hello is not None:
                self._stop()
                self._find_owner(hello.server_name)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The visitor left before anybody had it."""
        self._gone = True
        self._stop()

    def hand_over(self, protocol: Any, data: bytes) -> None:
        """Make ``protocol`` the owner of the transport, and give it the bytes that were already read."""
        transport: Any = self.transport
        transport.protocol = protocol
        protocol.makeConnection(transport)
        protocol.dataReceived(data)

    def _find_owner(self, server_name: str | None) -> None:
        transport: Any = self.transport
        if self._front.hold(server_name, lambda: self._go_on(server_name)):
            transport.pauseProducing()
        else:
            self._step_aside(server_name)

    def _go_on(self, server_name: str | None) -> None:
        transport: Any = self.transport
        if not self._gone:
            transport.resumeProducing()
            self._find_owner(server_name)

    def _step_aside(self, server_name: str | None) -> None:
        seen, self._seen = self._seen, b""
        transport: Any = self.transport
        peer = transport.getPeer()
        address = VisitorAddress(peer.host, peer.port, server_name)
        try:
            protocol = self._front.owner(server_name, transport).buildProtocol(address)
        except OSError as error:  # no descriptor left to read a certificate through
            self._refuse(f"no TLS context: {error.strerror}", b"")
            return
        if protocol is None:
            transport.abortConnection()
        else:
            self.hand_over(protocol, seen)

    def _not_tls(self, error: NotTLS) -> None:
        if error.looks_like_http:
            refusal = BadRequest(f"{self._front.purpose}, but the request came as plain HTTP.")
            self._refuse("plain HTTP on the TLS port", raw_response(refusal))
        else:
            self._refuse(str(error), b"")

    def _refuse(self, why: str, answer: bytes) -> None:
        self._stop()
        transport: Any = self.transport
        self._log.warn("refused {peer}: {why}", peer=transport.getPeer().host, why=why)
        if answer:
            transport.write(answer)
        transport.loseConnection()

    def _too_slow(self) -> None:
        self._refuse("no ClientHello in time", b"")

    def _stop(self) -> None:
        self._parser = None
        self._watch.stop()


@implementer(ITakesSocket)
class _Glance(Peek):
    """Needs no transport for a ClientHello that is here already, as it is wherever there is much to do."""

    def __init__(self, front: TLSFront, addr: Any) -> None:
        """:param addr: the visitor's."""
        self._front = front
        self._address = addr

    def take_socket(self, sock: Any, client: Any, data: bytes) -> None:
        """ITakesSocket. Whatever is unusual is left to the ways of a transport, which meet it again."""
        data += first_bytes(sock)
        found = self._owner_of(data) if data else _NOT_YET
        clock = self._front.clock
        if found is _NOT_YET:
            give_transport(self, sock, client, clock, data)
        elif found is None:
            reset(sock)
        else:
            give(found, sock, client, clock, data)

    def _owner_of(self, data: bytes) -> Any:
        """
        :return: the protocol of the name's owner, ``None`` if that does not want the visitor, or `_NOT_YET`.
        """
        front, peer = self._front, self._address
        if front.plane.returning is not None:
            return _NOT_YET
        try:
            hello = whole_hello(data)
            if hello is None:
                return _NOT_YET
            name = hello.server_name
            return front.owner(name, None).buildProtocol(VisitorAddress(peer.host, peer.port, name))
        except (BadClientHello, OSError):
            return _NOT_YET


class PlainFront(Factory):
    """
    The factory of the listener for http names.
    """

    noisy = False

    def __init__(self, site: Any, visitors: Visitors) -> None:
        """
        :param site: the `ngrok_twisted.edge.site.Site` that finds a resource by each request's host.
        :param visitors: where to count the connections.
        """
        self.site = site
        self.visitors = visitors

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        return VisitorChannel(self.site, self.visitors)
