"""
Tests for ``ngrok_twisted.upstream.http2_connection``, ``http2_session``, ``http2_sending`` and ``http2_pulse``: services that
go silent, leave, or mean harm.
"""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

from h2.events import ConnectionTerminated, PingReceived, SettingsAcknowledged
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_connection import MAX_BROKEN_OFF
from ngrok_twisted.upstream.http2_hpack import MAX_LIST, encode
from ngrok_twisted.upstream.http2_pulse import LINGER, PING_AFTER, PING_INTERVAL, PING_TIMEOUT, SETTINGS_TIMEOUT
from ngrok_twisted.upstream.http2_session import CONNECTION_WINDOW, MAX_OTHER_FRAMES, STREAM_WINDOW
from tests.edge.wire import statuses
from tests.upstream.http2_wire import OK, HTTP2Service
from tests.upstream.test_http2 import GET, POST, HTTP2TestCase

#: Seconds that a timer may be late.
LATE = 3


class ConnectionTestCase(HTTP2TestCase):
    """One visitor who has asked, and one connection."""

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        self.service = HTTP2Service(**self.options)
        self.visitor = self.start(self.service)
        self.visitor.send(GET)
        self.peer = self.service.connection

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds) + LATE):
            self.clock.advance(1)


class PulseTests(ConnectionTestCase):
    """Whether the service is still there."""

    def test_settings(self) -> None:
        """The service gets to know what we take, and we say that we have read what it takes."""
        settings = self.peer.h2.remote_settings
        self.peer.read()
        self.assertEqual(settings.enable_push, 0)
        self.assertEqual(settings.header_table_size, 0)
        self.assertEqual(settings.initial_window_size, STREAM_WINDOW)
        self.assertEqual(self.peer.h2.outbound_flow_control_window, CONNECTION_WINDOW)
        self.assertEqual(len(self.peer.taken(SettingsAcknowledged)), 1)

    def test_silence(self) -> None:
        """A service that owes an answer and is silent is asked; one that does not say anything is no longer there."""
        self.wait(PING_AFTER)
        self.assertEqual(len(self.peer.taken(PingReceived)), 1)
        self.peer.wire.clear()
        self.wait(PING_TIMEOUT)
        self.assertTrue(self.peer.wire.aborted)
        self.assertEqual(statuses(self.visitor.take()), [504])

    def test_silence_after_answers(self) -> None:
        """Who did not answer in time is not asked the same again, also if the connection had been good before."""
        self.peer.answer()
        self.visitor.take()
        self.visitor.send(GET)
        self.wait(PING_AFTER + PING_TIMEOUT + LATE)
        self.assertEqual((statuses(self.visitor.take()), len(self.service.connections)), ([504], 1))

    def test_forgotten(self) -> None:
        """A connection that is over is not kept by what it keeps."""
        self.peer.answer()
        reference = ref(self.peer.protocol)
        self.peer.close()
        self.visitor.leave()
        gc.disable()
        self.addCleanup(gc.enable)
        self.service.factories.clear()
        self.peer.wire.unregisterProducer()
        self.peer.protocol = None
        self.peer = self.visitor = self.service = self.forward = None  # type: ignore[assignment]
        self.assertIsNone(reference())

    def test_answered(self) -> None:
        """A service that answers has all the time it wants, and is not asked again before its patience is out."""
        pings = 0
        for _ in range(int(PING_INTERVAL) - 40):
            self.clock.advance(1)
            pings += len(self.peer.taken(PingReceived))
            self.peer.flush()
        self.assertEqual(pings, 1)
        self.assertFalse(self.peer.wire.disconnecting)

    def test_answering(self) -> None:
        """A service that sends something now and then may be asked again after it."""
        self.peer.answer(end=False)
        pings = 0
        for _ in range(5):
            self.peer.more(1, b"x")
            self.wait(PING_AFTER)
            pings += len(self.peer.taken(PingReceived))
            self.peer.flush()
        self.assertEqual(pings, 5)

    def test_rest(self) -> None:
        """A connection that nobody uses is not asked anything, and says goodbye after a while."""
        self.peer.answer()
        self.wait(LINGER - 2 * LATE)
        self.assertEqual((self.peer.taken(PingReceived), self.peer.wire.disconnecting), ([], False))
        self.visitor.send(GET)
        self.peer.answer(3)
        self.wait(LINGER - 2 * LATE)
        self.assertFalse(self.peer.wire.disconnecting)
        self.wait(LATE)
        self.assertTrue(self.peer.wire.disconnecting)
        (goodbye,) = self.peer.taken(ConnectionTerminated)
        self.assertEqual(goodbye.error_code, 0)
        self.visitor.send(GET)
        self.assertEqual(len(self.service.connections), 2)

    def test_rest_and_work(self) -> None:
        """After a rest the service is watched again."""
        self.peer.answer()
        self.wait(LINGER - 2 * LATE)
        self.visitor.send(GET)
        self.wait(PING_AFTER)
        self.assertEqual(len(self.peer.taken(PingReceived)), 1)


class SilentTests(ConnectionTestCase):
    """A service that says nothing at all."""

    options = {"settled": False}

    def test_no_settings(self) -> None:
        """Who does not begin to speak HTTP/2 is given up soon."""
        self.wait(SETTINGS_TIMEOUT)
        self.assertTrue(self.peer.wire.aborted)
        self.assertEqual(statuses(self.visitor.take()), [504])

    def test_http_1(self) -> None:
        """Who answers in HTTP/1.1 is told apart from others, so that its owner knows what to change."""
        self.peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [502])
        self.assertIn(b"speaks HTTP/1.1", answer)

    def test_other(self) -> None:
        """Who begins with anything else is no service."""
        self.peer.send(b"220 mail.example ESMTP\r\n")
        self.assertEqual(statuses(self.visitor.take()), [502])
        self.assertTrue(self.peer.wire.aborted)


class HostileTests(ConnectionTestCase):
    """Services that mean harm. The visitor gets a 502, and nothing grows."""

    def broken(self, code: int) -> None:
        """The connection ended with this code."""
        self.assertTrue(self.peer.wire.aborted)
        (goodbye,) = [event for event in self.peer.read() if isinstance(event, ConnectionTerminated)]
        self.assertEqual(goodbye.error_code, code)
        self.assertEqual(statuses(self.visitor.take()), [502])
        self.visitor.send(GET)
        self.assertEqual(len(self.service.connections), 2)

    def test_frames_that_cannot_be(self) -> None:
        """Frames that break the protocol end the connection, each with its code."""
        block = encode(OK)
        for code, frames in (
            (h2.PROTOCOL_ERROR, [(h2.PUSH_PROMISE, 4, 1, bytes(4) + block)]),
            (h2.PROTOCOL_ERROR, [(h2.HEADERS, 4, 2, block)]),
            (h2.PROTOCOL_ERROR, [(h2.HEADERS, 4, 99, block)]),
            (h2.PROTOCOL_ERROR, [(h2.DATA, 0, 0, b"x")]),
            (h2.PROTOCOL_ERROR, [(h2.CONTINUATION, 4, 1, block)]),
            (h2.PROTOCOL_ERROR, [(h2.HEADERS, 0, 1, block), (h2.PING, 0, 0, bytes(8))]),
            (h2.PROTOCOL_ERROR, [(h2.HEADERS, 0, 1, block), (h2.CONTINUATION, 4, 3, b"")]),
            (h2.PROTOCOL_ERROR, [(h2.HEADERS, 4 | 8, 1, b"\xff" + block)]),
            (h2.FRAME_SIZE_ERROR, [(h2.HEADERS, 4 | 32, 1, b"abc")]),
            (h2.COMPRESSION_ERROR, [(h2.HEADERS, 4, 1, b"\xbe")]),
            (h2.FRAME_SIZE_ERROR, [(h2.SETTINGS, 1, 0, bytes(6))]),
            (h2.PROTOCOL_ERROR, [(h2.SETTINGS, 0, 1, b"")]),
            (h2.PROTOCOL_ERROR, [(h2.PING, 0, 1, bytes(8))]),
            (h2.FRAME_SIZE_ERROR, [(h2.PING, 0, 0, bytes(7))]),
            (h2.FRAME_SIZE_ERROR, [(h2.RST_STREAM, 0, 1, bytes(3))]),
            (h2.FLOW_CONTROL_ERROR, [(h2.WINDOW_UPDATE, 0, 0, bytes(4))]),
            (h2.FLOW_CONTROL_ERROR, [(h2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")]),
            (h2.FLOW_CONTROL_ERROR, [(h2.SETTINGS, 0, 0, b"\0\x04\x80\0\0\0")]),
            (h2.FRAME_SIZE_ERROR, [(h2.GOAWAY, 0, 0, bytes(4))]),
        ):
            self.setUp()
            for frame in frames:
                self.peer.frame(*frame)
            self.broken(code)

    def test_overflown_stream(self) -> None:
        """Settings that overflow the window of a stream end the connection."""
        self.peer.frame(h2.WINDOW_UPDATE, 0, 1, b"\x7f\xff\0\0")
        self.peer.frame(h2.SETTINGS, 0, 0, b"\0\x04\x7f\xff\xff\xff")
        self.broken(h2.FLOW_CONTROL_ERROR)

    def test_too_much_data(self) -> None:
        """Who sends more than the connection's window is cut off, whatever the streams' say."""
        self.peer.answer(end=False)
        self.visitor.take()
        self.peer.protocol._room = 10
        self.peer.frame(h2.DATA, 0, 1, b"x" * 11)
        self.assertTrue(self.peer.wire.aborted)
        self.assertTrue(self.visitor.wire.aborted)

    def test_floods(self) -> None:
        """Frames that say nothing are taken for a while, and then not any more."""
        for kind, flags, stream, payload in (
            (h2.PING, 0, 0, bytes(8)),
            (h2.PING, h2.ACK, 0, bytes(8)),
            (h2.SETTINGS, 0, 0, b""),
            (h2.SETTINGS, h2.ACK, 0, b""),
            (h2.PRIORITY, 0, 1, bytes(5)),
            (h2.WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"),
            (0x99, 0, 1, b""),
        ):
            self.setUp()
            for _ in range(MAX_OTHER_FRAMES - 10):
                self.peer.frame(kind, flags, stream, payload)
            self.assertFalse(self.peer.wire.aborted)
            for _ in range(50):
                self.peer.frame(kind, flags, stream, payload)
            self.assertTrue(self.peer.wire.aborted, kind)
            self.assertEqual(statuses(self.visitor.take()), [502])

    def test_empty_data(self) -> None:
        """Data without a byte is a flood as well, with padding or without."""
        for flags, payload in ((0, b""), (h2.PADDED, b"\x05" + bytes(5))):
            self.setUp()
            self.peer.answer(end=False)
            for _ in range(MAX_OTHER_FRAMES + 50):
                self.peer.frame(h2.DATA, flags, 1, payload)
            self.assertTrue(self.peer.wire.aborted)

    def test_for_the_dead(self) -> None:
        """So are frames for streams that are over."""
        self.peer.answer()
        for _ in range(MAX_OTHER_FRAMES + 50):
            self.peer.frame(h2.HEADERS, 4, 1, b"\x88")
        self.assertTrue(self.peer.wire.aborted)

    def test_slow_flood(self) -> None:
        """The same number over many seconds is nothing."""
        for _ in range(20):
            self.clock.advance(1)
            for _ in range(1000):
                self.peer.frame(h2.PING, 0, 0, bytes(8))
        self.assertFalse(self.peer.wire.aborted)

    def test_endless_header(self) -> None:
        """A header that does not end is cut off when it is larger than any may be."""
        self.peer.frame(h2.HEADERS, 0, 1, bytes(h2.FRAME))
        for _ in range(MAX_LIST // h2.FRAME):
            self.assertFalse(self.peer.wire.aborted)
            self.peer.frame(h2.CONTINUATION, 0, 1, bytes(h2.FRAME))
        self.peer.frame(h2.CONTINUATION, 0, 1, bytes(h2.FRAME))
        self.broken(h2.ENHANCE_YOUR_CALM)

    def test_endless_empty_header(self) -> None:
        """So is one whose parts are empty."""
        self.peer.frame(h2.HEADERS, 0, 1)
        for _ in range(100):
            self.peer.frame(h2.CONTINUATION, 0, 1)
        self.broken(h2.ENHANCE_YOUR_CALM)

    def test_bomb(self) -> None:
        """A header that is short and stands for much is cut off."""
        self.peer.frame(h2.HEADERS, 4, 1, b"\x88" + b"\x90" * 10000)
        self.broken(h2.ENHANCE_YOUR_CALM)

    def test_does_not_read(self) -> None:
        """Who asks and does not read what it is told is cut off before it is much."""
        self.peer.protocol.pauseProducing()
        for _ in range(20000):
            self.clock.advance(0.01)
            self.peer.frame(h2.PING, 0, 0, bytes(8))
            if self.peer.wire.aborted:
                break
        self.assertTrue(self.peer.wire.aborted)
        self.assertLess(len(self.peer.wire.value()), 300000)


class MalformedTests(ConnectionTestCase):
    """Streams that break the protocol: they end, and the others do not notice."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.another_visitor()
        self.other.send(GET)

    def broken(self, code: int = h2.PROTOCOL_ERROR) -> None:
        self.assertEqual(statuses(self.visitor.take()), [502])
        self.assertEqual(self.peer.resets(), [(1, code)])
        self.peer.answer(3, body=b"fine")
        self.assertTrue(self.other.take().endswith(b"fine"))

    def test_heads(self) -> None:
        """A response that is none is a bad gateway."""
        for fields in (
            [(b"a", b"b")],
            [(b":status", b"200"), (b"A", b"b")],
            [(b":status", b"200"), (b"a", b"b\r\nc: d")],
            [(b":status", b"200"), (b"connection", b"close")],
            [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
            [(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")],
            [(b":status", b"101")],
        ):
            self.setUp()
            self.peer.frame(h2.HEADERS, 4, 1, encode(fields))
            self.broken()

    def test_order(self) -> None:
        """So is a body without a head, and a head that is informational and the end."""
        self.peer.frame(h2.DATA, 0, 1, b"x")
        self.broken()
        self.setUp()
        self.peer.frame(h2.HEADERS, 5, 1, encode([(b":status", b"100")]))
        self.broken()

    def test_many_informational(self) -> None:
        """So are informational responses without end."""
        for _ in range(33):
            self.peer.frame(h2.HEADERS, 4, 1, encode([(b":status", b"103")]))
        self.assertEqual(set(statuses(self.visitor.wire.value())), {103, 502})
        self.assertEqual(self.peer.resets(), [(1, h2.PROTOCOL_ERROR)])

    def cut(self, *frames: tuple[int, int, int, bytes], code: int = h2.PROTOCOL_ERROR) -> None:
        """These frames behind a head break the visitor's answer."""
        for frame in frames:
            self.peer.frame(*frame)
        self.assertTrue(self.visitor.wire.aborted)
        self.assertEqual(self.peer.resets(), [(1, code)])
        self.peer.answer(3, body=b"fine")
        self.assertTrue(self.other.take().endswith(b"fine"))

    def test_lengths(self) -> None:
        """A body that is longer or shorter than it said is not taken for the whole."""
        head = encode([(b":status", b"200"), (b"content-length", b"3")])
        for frames in (
            [(h2.DATA, 0, 1, b"four")],
            [(h2.DATA, 0, 1, b"thr"), (h2.DATA, 0, 1, b"e")],
            [(h2.DATA, 1, 1, b"tw")],
            [(h2.DATA, 0, 1, b"tw"), (h2.HEADERS, 5, 1, encode([(b"a", b"b")]))],
        ):
            self.setUp()
            self.peer.frame(h2.HEADERS, 4, 1, head)
            self.cut(*frames)

    def test_short_head(self) -> None:
        """A head that ends the response although it told of a body is no response."""
        self.peer.frame(h2.HEADERS, 5, 1, encode([(b":status", b"200"), (b"content-length", b"3")]))
        self.broken()

    def test_body_where_none_is(self) -> None:
        """A response to HEAD has no body."""
        self.other.send(b"")
        visitor = self.another_visitor()
        visitor.send(GET.replace(b"GET", b"HEAD"))
        self.peer.frame(h2.HEADERS, 4, 5, encode([(b":status", b"200")]))
        self.peer.frame(h2.DATA, 1, 5, b"x")
        self.assertEqual(self.peer.resets(), [(5, h2.PROTOCOL_ERROR)])

    def test_trailers(self) -> None:
        """Trailers that are none break the answer."""
        for block, flags in (
            (encode([(b":status", b"200")]), 5),
            (encode([(b"connection", b"x")]), 5),
            (encode([(b"a", b"b")]), 4),
        ):
            self.setUp()
            self.peer.answer(end=False)
            self.cut((h2.HEADERS, flags, 1, block))

    def test_window(self) -> None:
        """Who sends more than the stream's window breaks the stream."""
        self.peer.answer(end=False)
        self.visitor.channel.pauseProducing()
        for _ in range(STREAM_WINDOW // h2.FRAME):
            self.peer.frame(h2.DATA, 0, 1, bytes(h2.FRAME))
        self.cut((h2.DATA, 0, 1, b"x"), code=h2.FLOW_CONTROL_ERROR)

    def test_window_updates(self) -> None:
        """A window that is opened by nothing, or beyond all bounds, breaks its stream."""
        for payload in (bytes(4), b"\x7f\xff\xff\xff"):
            self.setUp()
            self.peer.frame(h2.WINDOW_UPDATE, 0, 1, payload)
            self.broken(h2.FLOW_CONTROL_ERROR)

    def test_padding(self) -> None:
        """Padding is counted and not passed on; what stands for priorities is not looked at."""
        self.peer.frame(h2.HEADERS, 4 | 8 | 32, 1, b"\x02" + bytes(5) + encode(OK) + bytes(2))
        self.peer.frame(h2.DATA, 1 | 8, 1, b"\x03hello\0\0\0")
        self.assertTrue(self.visitor.take().endswith(b"5\r\nhello\r\n0\r\n\r\n"))


#: Payloads that are nearly right.
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"", bytes(4), bytes(5), bytes(8), b"\x88", encode(OK), encode([(b"grpc-status", b"0")]), b"\0\0\0\1"]
    ),
)
FRAMES = st.lists(
    st.tuples(
        st.integers(0, 11), st.sampled_from([0, 1, 4, 5, 8, 12, 32, 255]), st.sampled_from([0, 1, 2, 3, 5]), PAYLOADS
    ),
    max_size=25,
)


class AnythingTests(HTTP2TestCase):
    """Whatever a service sends."""

    @given(FRAMES, st.booleans())
    def test_any_frames(self, frames: list[tuple[int, int, int, bytes]], goes: bool) -> None:
        """Each visitor gets one answer at most, nothing of ours fails, and nobody waits for ever."""
        service = HTTP2Service()
        visitors = [self.start(service, idle_timeout=30), self.another_visitor()]
        visitors[0].send(GET)
        visitors[1].send(POST + b"he")
        first = service.connection
        for frame in frames:
            if not first.wire.disconnecting:
                first.frame(*frame)
        if goes:
            first.close()
        for _ in range(120):
            self.clock.advance(1)
        for visitor in visitors:
            final = [status for status in statuses(visitor.wire.value()) if status >= 200]
            self.assertTrue(len(final) == 1 or visitor.wire.aborted, final)
        self.assertEqual(first.protocol.streams, {})

    @given(st.integers(1, 60))
    def test_any_cut(self, step: int) -> None:
        """However the bytes of answers are cut, they are the same."""
        service = HTTP2Service()
        visitors = [self.start(service), self.another_visitor()]
        for visitor in visitors:
            visitor.send(GET)
        peer = service.connection
        peer.read()
        for stream in (1, 3):
            peer.h2.send_headers(stream, OK)
        for index in range(5):
            for stream in (1, 3):
                peer.h2.send_data(stream, b"%d.%d " % (stream, index), pad_length=index)
        peer.h2.end_stream(3)
        peer.h2.send_headers(1, [(b"x-sum", b"1")], end_stream=True)
        data = peer.h2.data_to_send()
        for start in range(0, len(data), step):
            peer.send(data[start : start + step])
        got = [b"".join(line for line in visitor.take().split(b"\r\n") if b"." in line) for visitor in visitors]
        self.assertEqual(
            [b"1.0 1.1 1.2 1.3 1.4 ", b"3.0 3.1 3.2 3.3 3.4 "], [text.replace(b"HTTP/1.1 200 OK", b"") for text in got]
        )


class SharingTests(HTTP2TestCase):
    """How many requests a connection takes."""

    def test_limit(self) -> None:
        """More requests than a service takes at a time go to another connection, and later ones wherever there is room."""
        service = HTTP2Service(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
        visitors = [self.start(service)]
        visitors += [self.another_visitor() for _ in range(3)]
        for visitor in visitors:
            visitor.send(GET)
        self.assertEqual([peer.streams() for peer in service.connections], [[1, 3], [1, 3]])
        service.connections[1].answer(1)
        visitors[2].send(GET)
        self.assertEqual(service.connections[1].streams(), [5])

    def test_refusals(self) -> None:
        """A service that refuses is given fewer at a time, and more again when it answers."""
        service = HTTP2Service()
        visitors = [self.start(service)]
        visitors += [self.another_visitor() for _ in range(3)]
        for visitor in visitors[:3]:
            visitor.send(GET)
        first = service.connection
        self.assertEqual(first.streams(), [1, 3, 5])
        first.reset_stream(5, 7)
        self.assertEqual(len(service.connections), 2)
        service.connection.answer(1)
        first.answer(1)
        first.answer(3)
        visitors[0].send(GET)
        visitors[1].send(GET)
        visitors[3].send(GET)
        self.assertEqual(first.streams(), [7, 9, 11])

    def test_rapid_resets(self) -> None:
        """When visitors break off much, the others move to a new connection before the service loses its patience."""
        service = HTTP2Service()
        patient = self.start(service)
        patient.send(POST)
        for _ in range(MAX_BROKEN_OFF + 1):
            visitor = self.another_visitor()
            visitor.send(GET)
            visitor.leave()
        self.assertEqual(len(service.connections), 1)
        self.another_visitor().send(GET)
        self.assertEqual(len(service.connections), 2)
        self.assertFalse(service.connections[0].wire.disconnecting)
        patient.send(b"hello")
        service.connections[0].answer(1, body=b"patient")
        self.assertTrue(patient.take().endswith(b"patient"))
        self.assertTrue(service.connections[0].wire.disconnecting)

    def test_last_stream(self) -> None:
        """A connection whose numbers are used up is followed by another."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(GET)
        peer = service.connection
        peer.answer()
        peer.protocol._last = h2.MAX_STREAM_ID - 2
        visitor.send(GET)
        peer.answer(h2.MAX_STREAM_ID)
        self.assertTrue(peer.wire.disconnecting)
        visitor.send(GET)
        self.assertEqual(len(service.connections), 2)
