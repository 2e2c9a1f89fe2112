"""
`Visitors`: who is connected right now, so that a shutdown can let them finish.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.python.failure import Failure

from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.http2 import HTTP2Connection
from ngrok_twisted.edge.site import Site
from ngrok_twisted.tls.options import HTTP2


def _let_be() -> None:
    """In the place of ``shut_down``."""


def _is_arriving(protocol: Any) -> bool:
    return bool(getattr(protocol, "arriving", False))


def _is_busy(protocol: Any) -> bool:
    return not getattr(protocol, "lingering", False) or _unsent(protocol.transport)


def _unsent(transport: Any) -> bool:
    """Whether the kernel has not taken everything that was written; a transport over another one leaves that to it."""
    while transport is not None and not getattr(transport, "unsent", 0):
        transport = getattr(transport, "transport", None)
    return transport is not None


class Visitors:
    """
    The open connections of visitors.

    :ivar by_proto: how many there are, by ``https``, ``http``, ``tls`` and ``tcp``.
    """

    def __init__(self) -> None:
        self.by_proto: Counter[str] = Counter()
        self._open: dict[Any, str] = {}  # what each of them speaks, and no object more: there are ten thousands of them
        self._asked: set[Any] = set()
        self._draining = self._patient = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def arriving(self) -> bool:
        """Whether anyone is here who has not said yet what it wants."""
        return any(_is_arriving(protocol) for protocol in self._open)

    @property
    def busy(self) -> bool:
        """Whether anyone is here for whom there is still something to do."""
        return any(_is_busy(protocol) for protocol in self._open)

    def arrived(self, protocol: Any, proto: str = "") -> None:
        """
        A visitor is here.

        :param protocol: has ``abort()``, which ends the connection now; and ``shut_down()``, which ends it as soon as nothing is
            in flight, if anything in what it speaks says when that is. Nothing in a stream of bytes does.
        :param proto: what it speaks, as a flow has it.
        """
        self._open[protocol] = proto
        self.by_proto[proto] += 1
        if self._draining and not self._patient:
            self._ask(protocol)

    def left(self, protocol: Any) -> None:
        """A visitor is gone."""
        proto = self._open.pop(protocol, None)
        if proto is not None:
            self.by_proto[proto] -= 1
            if self._asked:
                self._asked.discard(protocol)

    def drain(self, patient: bool = False) -> None:
        """
        Ask everyone to finish what is in flight and to leave, those too who were still shaking hands and arrive later. Nobody
        is asked twice.

        :param patient: leave those alone who have not said yet what they want; they are asked the next time.
        """
        self._draining, self._patient = True, patient
        for protocol in tuple(self._open):
            if not (patient and _is_arriving(protocol)):
                self._ask(protocol)

    def _ask(self, protocol: Any) -> None:
        if protocol in self._open and protocol not in self._asked:  # another one's leave may have taken it along
            self._asked.add(protocol)
            getattr(protocol, "shut_down", _let_be)()

    def abort(self) -> None:
        """Send everyone away, but for those who may still be reading the last of what they asked for."""
        for protocol in tuple(self._open):
            if _is_busy(protocol):
                protocol.abort()


class VisitorChannel(HTTPChannel):
    """An HTTP connection that is counted among the visitors."""

    __slots__ = ("_visitors",)

    def __init__(self, site: Site, visitors: Visitors) -> None:
        super().__init__(site)
        self._visitors = visitors

    def connectionMade(self) -> None:
        """IProtocol."""
        self._visitors.arrived(self, self.site.proto)

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._visitors.left(self)
        super().connectionLost(reason)

    def abort(self) -> None:
        """Break the connection, with all that is in flight."""
        self._drop()


class VisitorConnection(HTTP2Connection):
    """An HTTP/2 connection that is counted among the visitors."""

    def __init__(self, site: Site, visitors: Visitors) -> None:
        super().__init__(site)
        self._visitors = visitors

    def connectionMade(self) -> None:
        """IProtocol."""
        self._visitors.arrived(self, self.site.proto)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._visitors.left(self)
        super().connectionLost(reason)


def visitor_protocol(negotiated: bytes | None, site: Site, visitors: Visitors) -> Any:
    """
    :param negotiated: what ALPN chose.
    :return: the `IProtocol` that speaks with the visitor.
    """
    return (VisitorConnection if negotiated == HTTP2 else VisitorChannel)(site, visitors)
