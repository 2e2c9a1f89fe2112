"""
A visitor that speaks HTTP/2, without sockets.
"""

from __future__ import annotations

from random import Random
from typing import Any, Sequence

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from hpack import Encoder
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ngrok_twisted.edge.http2 import HTTP2Connection
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.upstream import http2_frames as h2
from tests.edge.wire import RecordingSite, Wire

Fields = list[tuple[bytes, bytes]]

GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/")]
POST: Fields = [(b":method", b"POST"), *GET[1:]]

#: An acknowledged, empty exchange of settings, for visitors that write their own frames.
HELLO = h2.PREFACE + h2.frame_head(h2.SETTINGS, 0, 0, 0) + h2.SETTINGS_ACK


def get(path: str = "/", *fields: tuple[bytes, bytes], host: str = "a.example") -> Fields:
    """The fields of a GET."""
    return [*GET[:2], (b":authority", host.encode()), (b":path", path.encode()), *fields]


class HTTP2Wire(Wire):
    """A transport whose other end knows frames."""

    def take(self) -> bytes:
        data = self.value()
        self.clear()
        return data


class Bare:
    """
    A visitor that writes what it likes, and gets frames.

    :ivar connection: the edge's.
    :ivar wire: its transport.
    """

    def __init__(
        self, resource: Any, limits: HTTPLimits = HTTPLimits(), clock: Any = None, hello: bytes = HELLO
    ) -> None:
        self.clock = clock or Clock()
        self.site = RecordingSite(resource, self.clock, limits)
        self.site.random = Random(7)
        self.connection = HTTP2Connection(self.site)
        self.wire = HTTP2Wire()
        self.connection.makeConnection(self.wire)
        self.encoder = Encoder()
        self._reader = h2.FrameReader()
        if hello:
            self.send(hello)
            self.frames()

    def send(self, *pieces: bytes) -> None:
        """Bytes, in one read; the edge may take several turns for them."""
        self.connection.dataReceived(b"".join(pieces))
        while self.connection._waiting is not None:
            self.clock.advance(0)

    def take(self) -> bytes:
        """The bytes that came since the last call; those that wait for the end of the turn as well."""
        self.connection.output.flush()
        return self.wire.take()

    def headers(self, stream: int, fields: Sequence[tuple[bytes, bytes]], end: bool = True) -> bytes:
        """A HEADERS frame."""
        return self.block(stream, self.encoder.encode(fields), end)

    def block(self, stream: int, block: bytes, end: bool = True) -> bytes:
        """A HEADERS frame of a block that is encoded already."""
        flags = h2.END_HEADERS | (h2.END_STREAM if end else 0)
        return h2.frame_head(h2.HEADERS, flags, stream, len(block)) + block

    def data(self, stream: int, data: bytes, end: bool = False) -> bytes:
        """A DATA frame."""
        return h2.frame_head(h2.DATA, h2.END_STREAM if end else 0, stream, len(data)) + data

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """What came since the last call."""
        found = self._reader.feed(self.take())
        return [(kind, flags, stream, bytes(payload)) for kind, flags, stream, payload in found]

    def kinds(self) -> list[int]:
        """The kinds of the frames since the last call."""
        return [frame[0] for frame in self.frames()]

    def resets(self) -> dict[int, int]:
        """Streams that were reset since the last call, and with which code."""
        return {
            stream: h2.read_number(kind, payload) for kind, _, stream, payload in self.frames() if kind == h2.RST_STREAM
        }

    def goaway(self) -> int | None:
        """The code of the last GOAWAY since the last call; ``None`` if there was none."""
        codes = [h2.read_goaway(payload)[1] for kind, _, _, payload in self.frames() if kind == h2.GOAWAY]
        return codes[-1] if codes else None

    def leave(self) -> None:
        """The visitor is gone."""
        self.connection.connectionLost(Failure(ConnectionAborted()))

    @property
    def request(self) -> Any:
        return self.site.requests[-1]

    @property
    def flows(self) -> list[Any]:
        return self.site.flows


class Answered:
    """
    What came on one stream.

    :ivar heads: the fields of each header block, in order: informational ones, the response's, trailers.
    :ivar ended: the stream's end came.
    :ivar reset: the code that it was reset with, or ``None``.
    """

    def __init__(self) -> None:
        self.heads: list[dict[bytes, bytes]] = []
        self.body = b""
        self.pieces: list[int] = []
        self.ended = False
        self.reset: int | None = None

    @property
    def statuses(self) -> list[int]:
        return [int(head[b":status"]) for head in self.heads if b":status" in head]

    @property
    def status(self) -> int:
        return self.statuses[-1]


class Visitor(Bare):
    """
    A visitor as h2 has it: strict with what it gets.

    :ivar client: h2's connection.
    :ivar acknowledges: it opens windows as it reads.
    """

    def __init__(
        self, resource: Any, limits: HTTPLimits = HTTPLimits(), clock: Any = None, window: int | None = None
    ) -> None:
        super().__init__(resource, limits, clock, hello=b"")
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        if window is not None:
            self.client.local_settings.initial_window_size = window
            self.client.local_settings.acknowledge()
        self.client.initiate_connection()
        self.answers: dict[int, Answered] = {}
        self.events: list[Any] = []
        self.acknowledges = True
        self.run()

    def ask(self, fields: Fields, body: bytes | None = None, end: bool = True) -> Answered:
        """A request on a new stream."""
        stream = self.client.get_next_available_stream_id()
        answer = self.answers[stream] = Answered()
        self.client.send_headers(stream, fields, end_stream=end and body is None)
        if body is not None:
            self.client.send_data(stream, body, end_stream=end)
        self.run()
        return answer

    def run(self) -> None:
        """Carry bytes to and fro until there are none."""
        while True:
            out = self.client.data_to_send()
            if out:
                self.send(out)
            came = self.take()
            for event in self.client.receive_data(came) if came else ():
                self._note(event)
            if not came and not out:
                return

    def _note(self, event: Any) -> None:
        self.events.append(event)
        answer = self.answers.get(getattr(event, "stream_id", 0))
        if answer is None:
            return
        if isinstance(event, (events.ResponseReceived, events.InformationalResponseReceived, events.TrailersReceived)):
            answer.heads.append(dict(event.headers or ()))
        elif isinstance(event, events.DataReceived):
            answer.body += event.data
            answer.pieces.append(len(event.data))
            if self.acknowledges and event.flow_controlled_length:
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            answer.ended = True
        elif isinstance(event, events.StreamReset):
            answer.reset = int(event.error_code)
