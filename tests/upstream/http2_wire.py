"""
A service that speaks HTTP/2, at the other end of a connection without sockets. What it understands is python-h2's judgement.
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes, Settings
from twisted.internet.defer import succeed

from ngrok_twisted.records.endpoint import Upstream
from tests.edge.wire import Connection, Service

OK = ((b":status", b"200"), (b"x-service", b"h2"))


class Peer(Connection):
    """
    One connection at the service's end.

    :ivar events: what came and was not taken yet.
    """

    def __init__(self, protocol: Any, settings: dict[Any, int] | None = None, settled: bool = True) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        if settings:
            self.h2.local_settings = Settings(client=False, initial_values=settings)
        self.events: list[Any] = []
        super().__init__(protocol)
        if settled:
            self.settle()

    def settle(self) -> None:
        """Say the settings, which is the first thing a server does."""
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what was said."""
        data = self.h2.data_to_send()
        if data:
            self.send(data)

    def read(self) -> list[Any]:
        """Understand what came. :return: the events that nobody has taken."""
        data = self.take()
        if data:
            self.events += self.h2.receive_data(data)
        return self.events

    def taken(self, kind: Any) -> list[Any]:
        """The events of this kind; they are taken."""
        found = [event for event in self.read() if isinstance(event, kind)]
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found

    def request(self) -> Any:
        """The one request that came."""
        (event,) = self.taken(RequestReceived)
        return event

    def streams(self) -> list[int]:
        """The streams of all requests that came."""
        return [event.stream_id for event in self.taken(RequestReceived)]

    def body(self) -> bytes:
        """The bytes of bodies that came; the windows are not opened for them."""
        return b"".join(event.data for event in self.taken(DataReceived))

    def ended(self) -> list[int]:
        """The streams on which requests have ended."""
        return [event.stream_id for event in self.taken(StreamEnded)]

    def resets(self) -> list[tuple[int, int]]:
        """The streams that were reset, with the codes."""
        return [(event.stream_id, int(event.error_code)) for event in self.taken(StreamReset)]

    def trailers(self) -> list[tuple[bytes, bytes]]:
        """The trailers that came."""
        (event,) = self.taken(TrailersReceived)
        return [tuple(field) for field in event.headers]

    def answer(
        self, stream: int = 1, fields: Any = OK, body: bytes = b"", trailers: Any = None, end: bool = True
    ) -> None:
        """A response, or as much of it as is given, in one piece."""
        self.read()
        self.h2.send_headers(stream, fields, end_stream=end and not body and trailers is None)
        if body:
            self.h2.send_data(stream, body, end_stream=end and trailers is None)
        if trailers is not None:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()

    def more(self, stream: int, body: bytes, end: bool = False) -> None:
        """More of a body."""
        self.read()
        self.h2.send_data(stream, body, end_stream=end)
        self.flush()

    def reset_stream(self, stream: int, code: int) -> None:
        """Break a stream off."""
        self.read()
        self.h2.reset_stream(stream, code)
        self.flush()

    def open_window(self, size: int, stream: int | None = None) -> None:
        """Take more."""
        self.read()
        self.h2.increment_flow_control_window(size, stream)
        self.flush()

    def frame(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        """Any frame at all."""
        self.send(
            len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload,
        )


class HTTP2Service(Service):
    """
    A target that speaks HTTP/2.

    :ivar settings: what each connection says at first.
    :ivar settled: whether it says so at once.
    """

    def __init__(self, upstream: Upstream = Upstream(protocol="http2"), **options: Any) -> None:
        self.settings: dict[Any, int] = options.pop("settings", {})
        self.settled: bool = options.pop("settled", True)
        super().__init__(upstream, **options)

    def connect(self, factory: Any) -> Any:
        """IStreamClientEndpoint."""
        if self.error is not None or self.waits:
            return super().connect(factory)
        self.factories.append(factory)
        return succeed(self.open(factory))

    def open(self, factory: Any) -> Any:
        """:return: the protocol of a new connection."""
        peer = Peer(factory.buildProtocol(None), self.settings, self.settled)
        self.connections.append(peer)
        return peer.protocol

    @property
    def connection(self) -> Any:
        """The newest connection."""
        return self.connections[-1]


FEW = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
