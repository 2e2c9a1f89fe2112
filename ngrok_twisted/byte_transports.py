"""
The interfaces of transports and protocols that move bytes without copying them.
"""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol, ITransport


class IBatchReceiver(IProtocol):
    """
    A protocol that takes several buffers in one call, without a copy.

    A transport that has decrypted many packets at once calls ``batchReceived`` where the protocol provides this
    interface, and ``dataReceived`` with joined ``bytes`` where it does not.
    """

    def batchReceived(buffers):
        """
        :param buffers: a list of bytes-like objects, none empty. **They are valid only during the call**: what is kept
            longer is copied.
        """


class IBatchTransport(ITransport):
    """A transport that takes several buffers in one call, without a copy where the kernel takes them at once."""

    def writeBatch(buffers):
        """
        :param buffers: a list of bytes-like objects. When the call returns they are free to be reused: whatever could
            not be sent at once has been copied.
        """


class ILanding(IBatchTransport):
    """A transport with places that bytes may be read into, to leave from there without a copy."""

    def landing():
        """
        :return: writable ``memoryview`` objects, to be filled in their order at once, or ``None`` where something is in the way.
        """

    def landed(count):
        """:param count: how many bytes, at least one, were written to what `landing` gave last."""


class IFillable(IProtocol):
    """
    A protocol that owns the buffer its transport reads into (the stream counterpart of asyncio's ``BufferedProtocol``).

    An eager transport reads with ``recv_into``; any other transport calls ``dataReceived``, which the protocol must
    serve too.
    """

    def fillable():
        """
        :return: a writable, non-empty ``memoryview``, or a list of such that are filled in their order. They may be shared by
            all connections of the process, since they are used only until `filled` returns.
        """

    def filled(count):
        """:param count: how many bytes, at least one, were written at the start of what `fillable` gave last."""


class ITakesSocket(IProtocol):
    """
    A protocol that can do without a transport, which is what a short connection costs most of: see
    `ngrok_twisted.net.giving.give`. It serves transports, too, for connections that have one already.
    """

    def take_socket(sock, client, data):
        """
        Serve a connection in place of ``makeConnection``.

        :param sock: an accepted TCP socket that does not block; it is the protocol's from now on, in any case.
        :param client: the peer's address, as the socket module has it.
        :param data: what was read of it already, maybe nothing.
        """
