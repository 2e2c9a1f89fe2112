"""
Tests for `ngrok_twisted.compressing`: a service's answers, on their way through the filter to a visitor.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.compressing import ALGORITHM, SAVED, SMALLEST, Compressing
from ngrok_twisted.content_codings import PREFERENCE
from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Filtered
from tests.edge.wire import Backend, Service, Visitor
from tests.test_content_codings import decoder

TEXT = b"a text that is long enough to be worth it, and repeats itself. " * 10


class Answer:
    """A response, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.status, *lines = head.split(b"\r\n")
        self.fields = [tuple(line.split(b": ", 1)) for line in lines]

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a field."""
        return [value for key, value in self.fields if key.lower() == name]

    def get(self, name: bytes) -> bytes | None:
        """The only value of a field, or ``None``."""
        found = self.all(name)
        assert len(found) < 2, found
        return found[0] if found else None

    def whole_body(self) -> bytes:
        """The body without its framing."""
        if self.get(b"transfer-encoding") is None:
            assert int(self.get(b"content-length") or 0) == len(self.body), self.body
            return self.body
        made, rest = b"", self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            made, rest = made + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return made


class CompressingCase(SynchronousTestCase):
    """One visitor, one service."""

    def ask(
        self, accept: bytes | None = b"gzip", method: bytes = b"GET", more: bytes = b"", minor: bytes = b"1"
    ) -> None:
        """A request arrives."""
        self.service = Service()
        clock = Clock()
        self.visitor = Visitor(
            Filtered(Forward(Backend(self.service), clock), lambda request: Compressing()), clock=clock
        )
        wants = b"" if accept is None else b"Accept-Encoding: " + accept + b"\r\n"
        self.visitor.send(method + b" / HTTP/1." + minor + b"\r\nHost: a.example\r\n" + wants + more + b"\r\n")

    def say(self, *fields: bytes, body: bytes = TEXT, status: bytes = b"200 OK", length: bool = True) -> Answer:
        """The service answers, whole."""
        lines = [b"HTTP/1.1 " + status, *fields]
        if length:
            lines.append(b"Content-Length: %d" % len(body))
        self.service.connection.send(b"\r\n".join([*lines, b"", b""]) + body)
        return Answer(self.visitor.take())

    def answer(self, *fields: bytes, accept: bytes | None = b"gzip", more: bytes = b"", **settings: Any) -> Answer:
        """What the visitor gets of a text."""
        self.ask(accept, more=more)
        return self.say(*(fields or (b"Content-Type: text/plain",)), **settings)

    def assertPlain(self, answer: Answer, body: bytes = TEXT) -> None:
        """Nothing was compressed."""
        self.assertEqual(answer.get(b"content-encoding"), None)
        self.assertEqual(answer.whole_body(), body)

    def assertPacked(self, answer: Answer, coding: bytes = b"gzip", body: bytes = TEXT) -> None:
        """It was compressed once, and smaller."""
        self.assertEqual(answer.get(b"content-encoding"), coding)
        packed = answer.whole_body()
        self.assertEqual(decoder(coding.decode()).feed(packed), body)


class HeadTests(CompressingCase):
    """What changes in a head, and when."""

    def test_filter(self) -> None:
        """It is a response filter."""
        self.assertTrue(verifyObject(IResponseFilter, Compressing()))

    def test_codings(self) -> None:
        """Every coding is told, and can be read by others."""
        for coding in PREFERENCE:
            answer = self.answer(accept=coding.encode())
            self.assertPacked(answer, coding.encode())
            self.assertLess(len(answer.whole_body()), len(TEXT) / 2)

    def test_fields(self) -> None:
        """The length is that of what is sent; a strong tag becomes a weak one; ranges are no longer offered."""
        answer = self.answer(
            b"Content-Type: text/html; charset=utf-8", b'ETag: "1"', b"Accept-Ranges: bytes", b"X-Other: 1"
        )
        self.assertPacked(answer)
        self.assertEqual(answer.get(b"etag"), b'W/"1"')
        self.assertEqual(answer.get(b"vary"), b"Accept-Encoding")
        self.assertEqual(answer.get(b"accept-ranges"), None)
        self.assertEqual(answer.get(b"x-other"), b"1")
        self.assertEqual(answer.get(b"content-length"), b"%d" % len(answer.body))

    def test_weak_tag(self) -> None:
        """A weak tag stays as it is."""
        self.assertEqual(self.answer(b"Content-Type: text/css", b'ETag: W/"1"').get(b"etag"), b'W/"1"')

    def test_vary(self) -> None:
        """``Vary`` is completed, not repeated."""
        for there, expected in (
            ([b"Vary: Origin"], [b"Origin, Accept-Encoding"]),
            ([b"Vary: accept-encoding"], [b"accept-encoding"]),
            ([b"Vary: *"], [b"*"]),
            ([b"Vary: Origin", b"Vary: Accept-Encoding"], [b"Origin", b"Accept-Encoding"]),
        ):
            self.assertEqual(self.answer(b"Content-Type: text/css", *there).all(b"vary"), expected)

    def test_vary_for_others(self) -> None:
        """Caches learn of the choice from answers to those who do not compress, too."""
        for accept in (None, b"identity", b"gzip;q=0"):
            answer = self.answer(accept=accept)
            self.assertPlain(answer)
            self.assertEqual(answer.get(b"vary"), b"Accept-Encoding")

    def test_several_headers(self) -> None:
        """Several ``Accept-Encoding`` count together."""
        self.assertPacked(self.answer(accept=b"compress", more=b"Accept-Encoding: deflate\r\n"), b"deflate")

    def test_notes(self) -> None:
        """The flow tells what was done, and what was saved."""
        answer = self.answer()
        noted = self.visitor.flows[-1].variables
        self.assertEqual((noted[ALGORITHM], noted[SAVED]), ("gzip", len(TEXT) - len(answer.body)))
        self.assertEqual(self.visitor.flows[-1].bytes_out, len(answer.body))
        self.answer(accept=None)
        self.assertEqual(self.visitor.flows[-1].variables, {ALGORITHM: "none"})


class UntouchedTests(CompressingCase):
    """What is never compressed."""

    def assertUntouched(self, answer: Answer, *fields: bytes, body: bytes = TEXT) -> None:
        """Not a byte of the response was changed."""
        self.assertPlain(answer, body)
        self.assertEqual(answer.get(b"vary"), None)
        self.assertEqual([b": ".join(field) for field in answer.fields][: len(fields)], list(fields))

    def test_packed_already(self) -> None:
        """A body that is encoded already."""
        packed = gzip.compress(TEXT)
        answer = self.answer(b"Content-Type: text/plain", b"Content-Encoding: gzip", b'ETag: "1"', body=packed)
        self.assertEqual((answer.get(b"content-encoding"), answer.whole_body()), (b"gzip", packed))
        self.assertEqual((answer.get(b"etag"), answer.get(b"vary")), (b'"1"', None))

    def test_identity(self) -> None:
        """That it is not encoded may be said."""
        self.assertPacked(self.answer(b"Content-Type: text/plain", b"Content-Encoding: identity"))

    def test_types(self) -> None:
        """Types that pack their contents themselves, and unknown ones."""
        for media in (
            b"image/png image/webp video/mp4 audio/ogg font/woff2 application/zip application/gzip application/pdf "
            b"application/octet-stream application/grpc application/grpc+json multipart/form-data text json"
        ).split():
            field = b"Content-Type: " + media
            self.assertUntouched(self.answer(field), field)
        self.assertUntouched(self.answer(b"X-No-Type: 1"), b"X-No-Type: 1")

    def test_worth_it(self) -> None:
        """Types that are text, whatever they are called."""
        for media in (
            b"text/html TEXT/CSS text/javascript application/json application/ld+json application/javascript "
            b"application/xml application/xhtml+xml image/svg+xml application/wasm font/ttf image/bmp "
            b"application/vnd.api+json application/x-ndjson application/manifest+json image/x-icon"
        ).split():
            self.assertPacked(self.answer(b"Content-Type: " + media + b";charset=utf-8"))

    def test_no_transform(self) -> None:
        """Service or visitor forbid it."""
        fields = (b"Content-Type: text/plain", b"Cache-Control: public, No-Transform")
        self.assertUntouched(self.answer(*fields), *fields)
        self.assertUntouched(self.answer(more=b"Cache-Control: no-transform\r\n"))

    def test_parts(self) -> None:
        """A part of something, or a body with a digest of its bytes."""
        for more, status in (
            (b"Content-Range: bytes 0-639/2000", b"206 Partial Content"),
            (b"Content-Range: bytes 0-639/2000", b"200 OK"),
            (b"X: y", b"206 Partial Content"),
            (b"Content-Digest: sha-256=:x:", b"200 OK"),
            (b"Repr-Digest: sha-256=:x:", b"200 OK"),
            (b"Content-MD5: x", b"200 OK"),
            (b"Trailer: X-Sum, Repr-Digest", b"200 OK"),
            (b"Trailer: content-md5", b"200 OK"),
        ):
            fields = (b"Content-Type: text/plain", more)
            self.assertUntouched(self.answer(*fields, status=status), *fields)

    def test_no_body(self) -> None:
        """Responses without a body: to HEAD, 204 and 304."""
        self.ask(method=b"HEAD")
        answer = self.say(b"Content-Type: text/plain", b'ETag: "1"', body=b"", length=False)
        self.assertEqual((answer.get(b"content-encoding"), answer.get(b"etag")), (None, b'"1"'))
        self.assertEqual((answer.get(b"content-length"), answer.get(b"vary")), (None, b"Accept-Encoding"))
        for status in (b"204 No Content", b"304 Not Modified"):
            answer = self.answer(b"Content-Type: text/plain", b'ETag: "1"', body=b"", status=status, length=False)
            self.assertEqual((answer.get(b"content-encoding"), answer.get(b"etag"), answer.body), (None, b'"1"', b""))

    def test_head_keeps_length(self) -> None:
        """The length of the plain body may be told in answer to HEAD."""
        self.ask(method=b"HEAD")
        self.service.connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 900\r\n\r\n")
        self.assertEqual(Answer(self.visitor.take()).get(b"content-length"), b"900")

    def test_small(self) -> None:
        """Small bodies, unless plain ones are refused."""
        small = TEXT[: SMALLEST - 1]
        self.assertUntouched(self.answer(body=small), body=small)
        self.assertPacked(self.answer(body=TEXT[:SMALLEST]), body=TEXT[:SMALLEST])
        self.assertPacked(self.answer(body=small, accept=b"gzip, identity;q=0"), body=small)
        self.assertPlain(self.answer(body=b"", accept=b"gzip, identity;q=0"), body=b"")

    def test_small_chunked(self) -> None:
        """A small chunked body is small, if it is all there at once."""
        self.ask()
        chunked = b"5\r\nsmall\r\n0\r\n\r\n"
        answer = self.say(b"Content-Type: text/plain", b"Transfer-Encoding: chunked", body=chunked, length=False)
        self.assertPlain(answer, b"small")

    def test_upgrade(self) -> None:
        """A connection that becomes something else."""
        self.ask(more=b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
        self.service.connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + TEXT)
        arrived = self.visitor.take()
        self.assertNotIn(b"ncoding", arrived)
        self.assertTrue(arrived.endswith(b"\r\n\r\n" + TEXT))


class NotModifiedTests(CompressingCase):
    """304 for a copy that was compressed here."""

    def test_weak(self) -> None:
        """The tag is that of the visitor's copy."""
        for known, expected in ((b'W/"1"', b'W/"1"'), (b'"1"', b'"1"'), (b'W/"0", W/"1"', b'W/"1"')):
            self.ask(more=b"If-None-Match: " + known + b"\r\n")
            answer = self.say(b'ETag: "1"', body=b"", status=b"304 Not Modified", length=False)
            self.assertEqual(answer.get(b"etag"), expected)
            self.assertEqual(answer.get(b"vary"), b"Accept-Encoding" if expected.startswith(b"W") else None)


class StreamTests(CompressingCase):
    """Bodies that come piece by piece."""

    def stream(self, accept: bytes, *fields: bytes) -> Any:
        """A chunked response has begun; a decoder for it."""
        self.ask(accept)
        lines = [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", *fields]
        self.service.connection.send(b"\r\n".join([*lines, b"", b""]))
        answer = Answer(self.visitor.take())
        self.assertEqual(answer.get(b"content-encoding"), accept)
        return decoder(accept.decode())

    def chunk(self, data: bytes) -> bytes:
        """The service sends a chunk; what of the body arrives at the visitor at once."""
        self.service.connection.send(b"%x\r\n%b\r\n" % (len(data), data))
        return self.taken()

    def taken(self) -> bytes:
        """What of the body has arrived."""
        return Answer(b"x\r\ntransfer-encoding: chunked\r\n\r\n" + self.visitor.take()).whole_body()

    def test_events(self) -> None:
        """Every event can be read as soon as it was sent, in every coding."""
        for coding in PREFERENCE:
            back = self.stream(coding.encode(), b"Content-Type: text/event-stream")
            for number in range(5):
                self.assertEqual(back.feed(self.chunk(b"data: %d\n\n" % number)), b"data: %d\n\n" % number, coding)
            self.service.connection.send(b"0\r\n\r\n")
            back.feed(self.taken())
            self.assertTrue(back.complete)

    def test_known_length(self) -> None:
        """A body of known length does not wait either, and ends with its coding's end."""
        self.ask()
        self.service.connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(TEXT)
        )
        back = zlib.decompressobj(31)
        got = b""
        for start in range(0, len(TEXT), 100):
            self.service.connection.send(TEXT[start : start + 100])
            data = self.visitor.take()
            got += back.decompress(Answer(data).whole_body() if data.startswith(b"HTTP") else self.unchunked(data))
            self.assertEqual(got, TEXT[: start + 100])
        self.assertTrue(back.eof)

    def unchunked(self, data: bytes) -> bytes:
        """The contents of chunks."""
        return Answer(b"x\r\ntransfer-encoding: chunked\r\n\r\n" + data).whole_body()

    def test_cut_off(self) -> None:
        """A body that breaks off is not completed by us."""
        back = self.stream(b"gzip", b"Content-Type: text/plain")
        back.feed(self.chunk(TEXT))
        self.service.connection.close()
        self.assertFalse(back.complete)
        self.assertTrue(self.visitor.wire.aborted)

    def test_slow_visitor(self) -> None:
        """Who does not read holds the service back."""
        self.stream(b"gzip", b"Content-Type: text/plain")
        self.visitor.channel.pauseProducing()
        self.assertTrue(self.service.connection.wire.paused)

    def test_old_visitor(self) -> None:
        """HTTP/1.0 gets a body that ends with the connection."""
        self.ask(minor=b"0")
        self.service.connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self.service.connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEXT), TEXT))
        answer = Answer(self.visitor.take())
        self.assertEqual((answer.get(b"content-length"), answer.get(b"transfer-encoding")), (None, None))
        self.assertEqual(gzip.decompress(answer.body), TEXT)
        self.assertTrue(self.visitor.wire.disconnecting)

    @settings(max_examples=50, deadline=None)
    @given(st.sampled_from(PREFERENCE), st.lists(st.binary(min_size=1, max_size=2000), max_size=8))
    def test_any_pieces(self, coding: str, pieces: list[bytes]) -> None:
        """However a body is cut, the visitor can read each piece at once, and all of it in the end."""
        back = self.stream(coding.encode(), b"Content-Type: application/json")
        for piece in pieces:
            self.assertEqual(back.feed(self.chunk(piece)), piece)
        self.service.connection.send(b"0\r\n\r\n")
        back.feed(self.taken())
        self.assertTrue(back.complete)
