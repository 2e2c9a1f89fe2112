"""
`H2Client`: an HTTP/2 connection to the edge that a test drives frame by frame, on h2.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import GoAwayFrame

from tests.functional.clients import open_tls, tls_context
from tests.functional.descriptors import readable
from tests.functional.edge import Edge
from tests.functional.service import PATIENCE

Fields = list[tuple[str, str]]


class Stream:
    """
    One request, and what came for it.

    :ivar heads: the fields of each header block: informational ones, the response's, trailers.
    :ivar body: all of the body.
    :ivar ended: the end came.
    :ivar reset: the code that the stream was reset with, or ``None``.
    :ivar reads: what comes is taken: the window opens again.
    """

    def __init__(self, number: int, reads: bool) -> None:
        self.number = number
        self.heads: list[dict[str, str]] = []
        self.body = bytearray()
        self.ended = False
        self.reset: int | None = None
        self.reads = reads

    @property
    def statuses(self) -> list[int]:
        """The status of each head that has one."""
        return [int(head[":status"]) for head in self.heads if ":status" in head]

    @property
    def over(self) -> bool:
        """Nothing more can come."""
        return self.ended or self.reset is not None


class H2Client:
    """
    :ivar h2: the protocol's state, for tests that want something special.
    :ivar goaways: the codes of the GOAWAYs, in order.
    :ivar closed: the edge has closed the connection.
    """

    def __init__(
        self, edge: Edge, host: str, window: int | None = None, connection_window: int = 2**30, certificate: str = ""
    ) -> None:
        """
        :param window: what each stream may send before it is read, if not the usual 64 KB.
        :param connection_window: what all of them may, beyond the usual 64 KB.
        :param certificate: the path of the visitor's own, with its key.
        """
        self.host = host
        self._edge = edge
        context = tls_context(edge, ("h2",))
        if certificate:
            context.load_cert_chain(certificate)
        self._socket = open_tls(edge, host, context=context)
        assert self._socket.selected_alpn_protocol() == "h2"
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        if window is not None:
            self.h2.local_settings.initial_window_size = window
            self.h2.local_settings.acknowledge()
        self.h2.decoder.max_header_list_size = 1024 * 1024
        self.h2._frame_dispatch_table[GoAwayFrame] = self._told_to_go  # for h2 the connection would be over
        self.h2.initiate_connection()
        if connection_window:
            self.h2.increment_flow_control_window(connection_window)
        self.streams: dict[int, Stream] = {}
        self.goaways: list[int] = []
        self.closed = False
        self.flush()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def flush(self) -> None:
        """Send what h2 wants to say."""
        data = self.h2.data_to_send()
        if data:
            self.raw(data)

    def raw(self, data: bytes) -> None:
        """Send bytes; an edge that has hung up is no error here."""
        try:
            self._socket.sendall(data)
        except OSError:
            self.closed = True

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        fields: Fields | None = None,
        body: bytes | None = None,
        *,
        end: bool = True,
        reads: bool = True,
        authority: str = "",
        pseudo: Fields | None = None,
    ) -> Stream:
        """
        Begin a request.

        :param end: it ends with what is here.
        :param reads: its answer is read.
        :param pseudo: more pseudo-header fields.
        """
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream(number, reads)
        head = [
            (":method", method),
            (":scheme", "https"),
            (":authority", authority or f"{self.host}:{self._edge.https}"),
            (":path", path),
            *(pseudo or []),
            *(fields or []),
        ]
        self.h2.send_headers(number, head, end_stream=end and body is None)
        self.flush()
        if body is not None:
            self.send(stream, body, end)
        return stream

    def send(self, stream: Stream, data: bytes, end: bool = False) -> None:
        """Send some of a body, as fast as the edge takes it; the rest is kept where it wants no more of it."""
        view = memoryview(data)
        while len(view) and stream.reset is None and not self.closed:
            room = min(self.h2.local_flow_control_window(stream.number), self.h2.max_outbound_frame_size, len(view))
            if room:
                self.h2.send_data(stream.number, view[:room])
                view = view[room:]
                self.flush()
            else:
                self.read()
        if end and stream.reset is None and not self.closed:
            self.h2.end_stream(stream.number)
            self.flush()

    def read(self, seconds: float = PATIENCE) -> bool:
        """
        Read once.

        :return: whether anything came.
        """
        if not self._socket.pending() and not readable(seconds, self._socket):
            return False
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            self._note(event)
        self.flush()
        return True

    def wait(self, done: Callable[[], Any], what: str = "what was waited for", seconds: float = PATIENCE) -> None:
        """
        Read until something is true.

        :raises AssertionError: it does not come about.
        """
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            assert left > 0 and not self.closed, f"{what} did not come; closed: {self.closed}"
            self.read(left)

    def answer(self, *words: Any, **options: Any) -> Stream:
        """A request, and all of its answer."""
        stream = self.ask(*words, **options)
        self.wait(lambda: stream.over, f"the answer to {words}")
        return stream

    def _told_to_go(self, frame: Any) -> Any:
        self.goaways.append(int(frame.error_code))
        return [], []

    def _note(self, event: Any) -> None:
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if stream is None:
            return
        if isinstance(event, (events.ResponseReceived, events.InformationalResponseReceived, events.TrailersReceived)):
            stream.heads.append(dict(event.headers))
        elif isinstance(event, events.DataReceived):
            stream.body += event.data
            if stream.reads and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            stream.ended = True
        elif isinstance(event, events.StreamReset):
            stream.reset = int(event.error_code)
