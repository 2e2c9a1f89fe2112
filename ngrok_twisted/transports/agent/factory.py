"""
`AgentConnectionFactory`: one `AgentConnection` for each agent, and what they share.
"""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import implementer

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ngrok_twisted.net.shares import Shares
from ngrok_twisted.net.strangers import Strangers
from ngrok_twisted.net.turn import Turn
from ngrok_twisted.transports.agent.connection import AgentConnection, Owner
from ngrok_twisted.transports.agent.limits import AgentLimits


@implementer(IProtocolFactory)
class AgentConnectionFactory(Factory):
    """
    Accepts agents. It stands behind TLS: a protocol is built when the handshake is over.

    :ivar make_owner: see `__init__`.
    :ivar limits: the bounds of each connection.
    :ivar turn: what ends a turn of the reactor, for all of them.
    :ivar shares: what agents ask for may take long, and none is to wait for another: see `AgentConnection.do`.
    """

    noisy = False
    _log = Logger()

    def __init__(self, make_owner: Callable[[AgentConnection], Owner], clock: Any, limits: AgentLimits) -> None:
        """
        :param make_owner: called with each connection when it is there.
        :param clock: an `IReactorTime`.
        """
        self.make_owner = make_owner
        self.clock = clock
        self.limits = limits
        self.turn = Turn(clock)
        self.shares = Shares(clock)
        self._strangers = Strangers(limits.unauthenticated_total, limits.unauthenticated_per_network)

    def buildProtocol(self, addr: Any) -> AgentConnection | None:
        """`IProtocolFactory`. ``None``, which closes the connection, when too many others have not logged in yet."""
        if self._strangers.crowded(addr):
            self._log.warn("agent: too many connections without a login, refused {address}", address=addr)
            return None
        connection = AgentConnection(self)
        self._strangers.add(connection, addr)
        return connection

    def logged_in(self, connection: AgentConnection) -> None:
        """An agent is no stranger any more."""
        self._strangers.discard(connection)

    def ended(self, connection: AgentConnection) -> None:
        """A connection is gone."""
        self._strangers.discard(connection)
