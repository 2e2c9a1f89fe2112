"""
`Attempt`: one of a stream's targets is dialled, and `Target` is its side if it answers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectingCancelledError, TimeoutError as ConnectTimeout
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.upstream.side import Side


@implementer(IFlowFactory)
class Attempt:
    """
    The factory that one target is dialled with.

    :ivar flow: whose stream it is.
    :ivar target: what is dialled.
    :ivar side: the target's side, once there is a connection.
    :ivar waited: the target did not answer at once.
    :ivar failed: it was given up.
    """

    noisy = False

    def __init__(self, visitor: Any, target: Any) -> None:
        """:param visitor: the `ngrok_twisted.upstream.stream.Visitor`."""
        self.flow = visitor.flow
        self.target = target
        self.side = Target(visitor)
        self.failed = self._late = False
        self._connecting: Deferred[Any] | None = None

    @property
    def waited(self) -> bool:
        """See above."""
        return self._connecting is not None

    def buildProtocol(self, addr: Any) -> Side:
        """IProtocolFactory."""
        return self.side

    def doStart(self) -> None:
        """IProtocolFactory."""

    def doStop(self) -> None:
        """IProtocolFactory."""

    def waits_for(self, connecting: Deferred[Any]) -> None:
        """
        The target has not answered at once.

        :param connecting: will tell.
        """
        self._connecting = connecting

    def error_of(self, result: Any) -> Exception | None:
        """
        :param result: what the target's Deferred has fired with.
        :return: why there is no connection, or ``None`` if there is one.
        """
        if self._late:
            return UpstreamTimeout()
        if isinstance(result, Failure):
            return result.value if isinstance(result.value, Exception) else UpstreamUnreachable()
        return UpstreamUnreachable() if self.side.lost or self.side.transport is None else None

    def time_out(self) -> None:
        """The target has not answered in time."""
        self._late = True
        self.cancel()

    def cancel(self) -> None:
        """No answer is waited for any more."""
        if self._connecting is not None:
            self._connecting.cancel()

    def abandon(self) -> None:
        """It is not wanted any more: a connection that exists, or comes all the same, is reset."""
        self.failed = True
        self.side.unwanted = True
        self.side.abort()


class Target(Side):
    """
    The target's side.

    :ivar unwanted: the attempt was given up before it was joined.
    """

    unwanted = False

    def __init__(self, visitor: Any) -> None:
        super().__init__()
        self.watch = visitor.watch
        self._visitor = visitor

    def connectionMade(self) -> None:
        """IProtocol."""
        if self.unwanted:
            self.transport.abortConnection()
            return
        give_to = getattr(self.transport, "give_to", None)
        if give_to is not None:
            give_to(self)  # past the wrapper that client endpoints put between

    def ended(self) -> None:
        """See `Side`."""
        self._visitor.side_lost(self)


def convert_error(error: Exception) -> EdgeError:
    """Whatever kept a target from connecting, in the vocabulary of the house."""
    if isinstance(error, EdgeError):
        return error
    if isinstance(error, (DeferredTimeout, ConnectTimeout, ConnectingCancelledError)):
        return UpstreamTimeout()
    return UpstreamUnreachable()
