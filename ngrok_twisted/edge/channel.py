"""
`IRequestChannel`: the line between a request and the HTTP version that it came by.
"""

from __future__ import annotations

from zope.interface import Interface


class IRequestChannel(Interface):
    """
    What a request needs from the connection, or the stream of a connection, that it came on.

    The request checks the order of the calls; a channel only writes. None of them waits.
    """

    def clock():
        """
        :return: the `IReactorTime`.
        """

    def write_head(request, head, buffers, last, trailers):
        """
        Send the head, chosen framing included, with the first bytes of the body in the same write.

        :param head: the `ResponseHead` after all filters.
        :param buffers: a list of bytes-like objects, valid during the call.
        :param last: nothing more comes: the message ends here.
        :param trailers: sent after the body if ``last``, where the framing has a place for them.
        """

    def write_as_told(request, told, body):
        """
        Send a whole response as its service told it, if this visitor gets the same bytes as most.

        :param told: a `ngrok_twisted.upstream.response.Said` that has the length of the body.
        :param body: ``bytes``, as long as that.
        :return: whether it was sent; if not, it is to be written in the ordinary way.
        """

    def write_body(request, buffers):
        """
        Send bytes of the body; the framing is the channel's.

        :param buffers: a list of bytes-like objects, valid during the call.
        """

    def end(request, trailers):
        """Send the end of the body."""

    def inform(request, status, reason, fields):
        """Send an informational response (1xx but 101), where the visitor's version has them."""

    def done(request):
        """The response is complete and its flow has ended: the channel may go on to the next request."""

    def body_wanted(request):
        """
        The request's ``receiver`` was set: deliver what is there, and what comes.

        The channel calls ``receiver.bodyReceived``, ``bodyFinished`` and, before `EdgeRequest.lost`, ``bodyFailed``.
        """

    def pause_body(request):
        """Stop reading the request's body. What was read already may still be delivered."""

    def resume_body(request):
        """Go on reading it."""

    def upgrade(request, head, protocol):
        """
        Send a 101 head; from now on the bytes belong to ``protocol``, which gets ``makeConnection`` with the visitor's
        transport, then `IProtocol` and, if it provides them, `IHalfCloseableProtocol` calls.
        """

    def shut_down():
        """Take no more requests: when those in flight are answered, the connection ends."""

    def break_off(request):
        """Break the connection or stream, so that the visitor cannot take what it got for the whole."""

    def hang_up(request):
        """Break the connection, with every other request on it."""

    def is_secure():
        """
        :return: whether the visitor speaks TLS.
        """

    def get_host():
        """
        :return: the local `IAddress`.
        """

    def get_peer():
        """
        :return: the visitor's `IAddress`.
        """

    def opened():
        """
        :return: when the connection came, in seconds on the clock.
        """

    def server_name():
        """
        :return: the name that the visitor asked for in its ClientHello, or empty.
        """

    def get_tls():
        """
        :return: the `ngrok_twisted.net.tls.TLSConnection` to the visitor, or ``None`` without TLS.
        """

    def get_peer_certificate():
        """
        :return: the certificate that the visitor showed in its handshake, in DER, or ``None``.
        """
