"""
`Flow`: one connection or request on its way through the edge.

A flow is made where a connection arrives, handed along by every step, and ends once. Whoever wants to know of the end
(the access log, the tunnel's console, metrics) is an *observer*: a callable that gets the flow.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.logger import Logger

from ngrok_twisted.choosing import Load

_log = Logger()

_numbers = count(1)

#: A process has fewer flows than this.
NUMBERS_OF_ONE = 10**12


def number_flows(process: int) -> None:
    """
    From now on the numbers are others than those of every other process of the same server.

    :param process: its number among them, which no other one ever has.
    """
    global _numbers
    _numbers = count(process * NUMBERS_OF_ONE + 1)


class Flow:
    """
    :ivar number: an integer, unique in the process, and with `number_flows` in the server; it names the flow in logs.
    :ivar peer_host: the visitor's IP address, text form.
    :ivar peer_port: the visitor's port.
    :ivar proto: ``https``, ``http``, ``tls`` or ``tcp``.
    :ivar edge: what serves it (an object with a ``name``), or ``None`` before it is known.
    :ivar tunnel: the `ITunnel` that answers, or ``None``.
    :ivar backend_id: the configured backend that was asked; empty where there is none.
    :ivar dialled: seconds that it took to connect to who was asked last; 0.0 if a connection was there already; ``None``
        before, and where none is needed.
    :ivar started: seconds on the reactor's clock when it began.
    :ivar ended: seconds on the reactor's clock when it ended, or ``-1.0`` before.
    :ivar method: the HTTP method, empty for streams.
    :ivar target: the HTTP request target (path and query), empty for streams.
    :ivar version: the visitor's version of HTTP, such as ``b"HTTP/2.0"``; empty for streams.
    :ivar host: the requested host name, lower case, without port.
    :ivar status: the HTTP status answered, 0 for streams and before the head was sent.
    :ivar bytes_in: bytes from the visitor (bodies for HTTP, all for streams).
    :ivar bytes_out: bytes to the visitor, likewise.
    :ivar error: the `ngrok_twisted.errors.EdgeError` that ended it, or ``None``.
    :ivar tried: the targets that failed, in order.
    :ivar load: the `ngrok_twisted.choosing.Load` that counts it, or ``None`` where nobody counts.
    :ivar variables: what modules note for those behind them; made on first use by `remember`.
    """

    __slots__ = (
        "number",
        "peer_host",
        "peer_port",
        "proto",
        "edge",
        "tunnel",
        "backend_id",
        "dialled",
        "started",
        "ended",
        "method",
        "target",
        "version",
        "host",
        "status",
        "bytes_in",
        "bytes_out",
        "error",
        "tried",
        "load",
        "variables",
        "observers",
    )

    def __init__(
        self,
        peer_host: str,
        peer_port: int,
        proto: str,
        started: float,
        observers: tuple[Any, ...] = (),
        method: bytes = b"",
        target: bytes = b"",
        host: str = "",
        version: bytes = b"",
    ) -> None:
        self.number = next(_numbers)
        self.peer_host = peer_host
        self.peer_port = peer_port
        self.proto = proto
        self.started = started
        self.observers = observers
        self.edge: Any = None
        self.tunnel: Any = None
        self.backend_id = ""
        self.dialled: float | None = None
        self.ended = -1.0
        self.method = method
        self.target = target
        self.version = version
        self.host = host
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.error: Any = None
        self.tried: tuple[Any, ...] = ()
        self.load: Load | None = None
        self.variables: dict[str, Any] | None = None

    def remember(self, name: str, value: Any) -> None:
        """Note a value for the steps behind this one."""
        if self.variables is None:
            self.variables = {}
        self.variables[name] = value

    def go_to(self, load: Load) -> None:
        """Be counted with this target, and no longer with the one before."""
        if self.ended < 0:
            if self.load is not None:
                self._leave()
            self.load = load
            load.flows += 1

    def reached(self) -> None:
        """The target has just been connected to."""
        if self.load is not None:
            self.load.reached()

    def missed(self, target: Any, now: float) -> None:
        """
        A target could not be reached.

        :param now: seconds on the reactor's clock.
        """
        self.tried += (target,)
        self.tunnel = None
        if self.load is not None and self.load.target is target:
            self.load.missed_at = now
            self._leave()

    def _leave(self) -> None:
        if self.load is not None:
            self.load.flows -= 1
            self.load = None

    def finish(self, now: float) -> None:
        """
        The flow is over: tell its tunnel and every observer, once. One that fails is logged, and the others are told.

        :param now: seconds on the reactor's clock.
        """
        if self.ended >= 0:
            return
        self.ended = now
        load, tunnel = self.load, self.tunnel
        if load is not None:
            self.load = None
            load.flows -= 1
        if tunnel is not None:
            tunnel.observe(self)  # which never raises
        for observer in self.observers:
            try:
                observer(self)
            except Exception:
                _log.failure("an observer of flow {flow} failed", flow=self.number)
