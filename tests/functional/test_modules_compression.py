"""
Compression through a real tunnel, judged by curl, by Python's decoders, and by Chromium.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import socket
import threading
import time
import zlib
from collections import defaultdict
from typing import Any

from tests.functional import test_browser
from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, keep_open, open_tls
from tests.functional.edge import DOMAIN
from tests.functional.management import MANAGED, Management
from tests.functional.service import PATIENCE
from tests.functional.web import Asked, Web
from tests.test_content_codings import decoder

HOST = full_name("small")
CODINGS = ("zstd", "br", "gzip", "deflate")


def text(size: int) -> bytes:
    """So many bytes of text."""
    return b"".join(b"<p>line %d of a page</p>\n" % number for number in range(size // 15))[:size]


class Pages(Web):
    """
    A service with pages.

    :ivar beats: by name; see `do_beats`.
    """

    def __init__(self) -> None:
        self.beats: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))
        super().__init__()

    def do_text(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/text/N``: a page of so many bytes; only its head for HEAD."""
        body = text(int(argument))
        headers = [("Content-Type", "text/html; charset=utf-8"), ("ETag", '"1"'), ("Accept-Ranges", "bytes")]
        if request.all("if-none-match"):
            connection.sendall(self.head("304 Not Modified", [("ETag", '"1"')]))
        elif request.all("range"):
            self.send(
                connection, body[:100], "206 Partial Content", [*headers, ("Content-Range", f"bytes 0-99/{len(body)}")]
            )
        elif request.method == "HEAD":
            connection.sendall(self.head("200 OK", [*headers, ("Content-Length", argument)]))
        else:
            self.send(connection, body, headers=headers)

    def do_stream(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/stream/N``: so many bytes of text in chunks, and a trailer."""
        head = [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked"), ("Trailer", "X-Count")]
        connection.sendall(self.head("200 OK", head))
        body = text(int(argument))
        for start in range(0, len(body), 50_000):
            piece = body[start : start + 50_000]
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(f"0\r\nX-Count: {argument}\r\n\r\n".encode())

    def do_beats(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """``/beats/NAME``: an event for each release of the semaphore of that name."""
        connection.sendall(self.head("200 OK", [("Content-Type", "text/event-stream")]))
        for number in itertools.count():
            if not self.beats[argument].acquire(timeout=PATIENCE):
                break
            connection.sendall(b"data: %d\n\n" % number)
        return False

    def do_packed(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """A page that is packed already."""
        headers = [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")]
        self.send(connection, gzip.compress(text(5000)), headers=headers)

    def do_script(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """A page that writes what a browser made of another one, and of how it came."""
        script = (
            "<script>fetch('/text/50000').then(r => r.text().then(t => document.body.textContent = "
            "t.length + ' ' + r.headers.get('content-encoding') + ' ' + r.headers.get('etag')))</script>"
        )
        self.send(connection, f"<body>{script}{'x' * 300}</body>".encode(), headers=[("Content-Type", "text/html")])


class CompressionCase(EdgeTestCase):
    """An edge with one compressed route."""

    config: Any = {
        **MANAGED,
        "reserved_domains": [{"domain": f"*.{DOMAIN}"}],
        "backends": {"tunnel_group": [{"name": "web", "labels": {"app": "web"}}]},
        "edges": {
            "https": [
                {
                    "name": "small",
                    "hostports": [f"{HOST}:443"],
                    "routes": [
                        {
                            "match_type": "path_prefix",
                            "match": "/",
                            "backend": {"backend_id": "web"},
                            "compression": {},
                        }
                    ],
                }
            ]
        },
    }

    def setUp(self) -> None:
        super().setUp()
        self.service = Pages()
        self.addCleanup(self.service.close)
        agent = self.ssh(f"0:127.0.0.1:{self.service.port}", command="tunnel --label app=web")
        self.eventually(lambda: "app=web" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())
        self.url = f"https://{HOST}:{self.edge.https}"

    def fetched(self, path: str, accept: str, **headers: str) -> Any:
        """An answer, its body as it came."""
        return self.get(f"https://{HOST}{path}", headers={"Accept-Encoding": accept, **headers})


class CodingTests(CompressionCase):
    """Every coding, by other people's decoders."""

    def test_curl(self) -> None:
        """curl reads each coding, alone and by its own preference, in one piece and in chunks."""
        for path, size in (("/text/300", 300), ("/text/200000", 200_000), ("/stream/3000000", 3_000_000)):
            for accept in (*CODINGS, ""):
                words = ["-H", f"Accept-Encoding: {accept}"] if accept else []
                got = curl(self.edge, "--compressed", *words, self.url + path, text=False)
                self.assertEqual(got, text(size), (path, accept))
        head = curl(self.edge, "--compressed", "-D", "-", "-o", "/dev/null", self.url + "/text/200000").lower()
        self.assertIn("content-encoding: zstd", head)

    def test_python(self) -> None:
        """Python's decoders read each coding; the heads are right, and there is much less to carry."""
        for coding in CODINGS:
            answer = self.fetched("/text/200000", coding)
            self.assertEqual(answer.headers["content-encoding"], coding)
            self.assertEqual(decoder(coding).feed(answer.body), text(200_000))
            self.assertLess(len(answer.body), 40_000)
            self.assertEqual((answer.headers["vary"], answer.headers["etag"]), ("Accept-Encoding", 'W/"1"'))
            self.assertNotIn("accept-ranges", answer.headers)

    def test_weights(self) -> None:
        """Weights and refusals are respected."""
        for accept, expected in (("gzip;q=0, deflate", "deflate"), ("gzip;q=0.5, br;q=0.4", "gzip"), ("*;q=0", None)):
            self.assertEqual(self.fetched("/text/5000", accept).headers.get("content-encoding"), expected)

    def test_trailers(self) -> None:
        """Trailers arrive behind what was compressed."""
        connection = open_tls(self.edge, HOST)
        self.addCleanup(connection.close)
        request = f"GET /stream/1000 HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        self.assertTrue(received.endswith(b"\r\n0\r\nX-Count: 1000\r\n\r\n"))

    def test_kept_alive(self) -> None:
        """One connection serves compressed and plain responses, one after the other."""
        connection = keep_open(self.edge, HOST)
        self.addCleanup(connection.close)
        for path, accept, size in (
            ("/text/5000", "gzip", 5000),
            ("/text/100", "gzip", 100),
            ("/text/5000", "", 5000),
        ) * 3:
            connection.request("GET", path, headers={"Accept-Encoding": accept})
            response = connection.getresponse()
            body = response.read()
            packed = response.getheader("content-encoding") == "gzip"
            self.assertEqual(
                (gzip.decompress(body) if packed else body, packed), (text(size), bool(accept) and size > 255)
            )


class UntouchedTests(CompressionCase):
    """What stays as it is."""

    def test_plain(self) -> None:
        """Packed bodies, parts, small ones, answers to HEAD, and what nobody asked for."""
        self.assertEqual(gzip.decompress(self.fetched("/packed", "gzip, br").body), text(5000))
        part = self.fetched("/text/5000", "gzip", Range="bytes=0-99")
        self.assertEqual((part.status, part.body, part.headers["etag"]), (206, text(5000)[:100], '"1"'))
        self.assertEqual(self.fetched("/text/255", "gzip").body, text(255))
        self.assertEqual(self.fetched("/text/5000", "identity").body, text(5000))
        self.assertEqual(self.fetched("/size/5000", "gzip").headers["content-length"], "5000")
        head = self.get(f"https://{HOST}/text/5000", method="HEAD", headers={"Accept-Encoding": "gzip"})
        self.assertEqual((head.headers["content-length"], head.headers.get("content-encoding")), ("5000", None))

    def test_not_modified(self) -> None:
        """The copy that was compressed is confirmed with its own tag."""
        tag = self.fetched("/text/5000", "gzip").headers["etag"]
        answer = self.fetched("/text/5000", "gzip", **{"If-None-Match": tag})
        self.assertEqual((answer.status, answer.headers["etag"], answer.body), (304, tag, b""))


class StreamTests(CompressionCase):
    """What must not wait."""

    def test_events(self) -> None:
        """Each event can be read before the next one is sent, in every coding."""
        for coding in CODINGS:
            connection = keep_open(self.edge, HOST)
            connection.request("GET", f"/beats/{coding}", headers={"Accept-Encoding": coding})
            response = connection.getresponse()
            self.assertEqual(response.getheader("content-encoding"), coding)
            back = decoder(coding)
            for number in range(3):
                self.service.beats[coding].release()
                got = b""
                while not got.endswith(b"\n\n"):
                    got += back.feed(response.read1())
                self.assertEqual(got, b"data: %d\n\n" % number)
            connection.close()

    def test_slow_visitor(self) -> None:
        """A visitor who stops reading holds the service back, and gets everything in the end."""
        connection = open_tls(self.edge, HOST)
        self.addCleanup(connection.close)
        size = 40_000_000
        request = f"GET /noise/{size} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        self.service.do_noise = self._noise  # type: ignore[attr-defined]
        self._sent = 0
        connection.sendall(request.encode())
        self.eventually(lambda: self._sent, "the first bytes")
        before = -1
        while before != self._sent:
            before = self._sent
            time.sleep(1)
        self.assertLess(self._sent, size / 2)
        received = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        head, _, rest = received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Encoding: gzip", head)
        back, total = zlib.decompressobj(31), 0
        while rest:
            length, _, rest = rest.partition(b"\r\n")
            total += len(back.decompress(rest[: int(length, 16)]))
            rest = rest[int(length, 16) + 2 :] if int(length, 16) else b""
        self.assertEqual((total, back.eof), (size, True))

    def _noise(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """Bytes that no coding makes smaller, said to be text."""
        size = int(argument)
        head = [("Content-Type", "text/plain"), ("Content-Length", argument)]
        connection.sendall(self.service.head("200 OK", head))
        noise = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2000))
        while self._sent < size:
            piece = noise[: min(len(noise), size - self._sent)]
            connection.sendall(piece)
            self._sent += len(piece)


class BrowserTests(CompressionCase, test_browser.BrowserCase):
    """Chromium."""

    def test_page(self) -> None:
        """The browser asks for Brotli or zstd, reads it, and sees the weak tag."""
        shown = self.dump(f"{self.url}/script")
        self.assertRegex(shown, r'50000 (zstd|br) W/"1"')


class ManagedTests(CompressionCase):
    """Over the API, and by the flag of ``ssh``."""

    def test_api(self) -> None:
        """The module is set, and the next response is compressed."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        host = self.new_name()
        backend = api.make("/backends/tunnel_group", labels={"app": "web"})
        edge = api.make("/edges/https", hostports=[f"{host}:443"])
        self.addCleanup(api, "DELETE", f"/backends/tunnel_group/{backend}")
        self.addCleanup(api, "DELETE", f"/edges/https/{edge}")
        route = api.make(
            f"/edges/https/{edge}/routes", match_type="path_prefix", match="/", backend={"backend_id": backend}
        )
        path = f"/edges/https/{edge}/routes/{route}/compression"
        coding = lambda: self.get(f"https://{host}/text/5000", headers={"Accept-Encoding": "gzip"}).headers.get(
            "content-encoding"
        )
        self.assertEqual(coding(), None)
        self.assertEqual(api("PUT", path, {}), {"enabled": True})
        self.assertEqual(coding(), "gzip")
        self.assertEqual(api("PUT", path, {"enabled": False}), {"enabled": False})
        self.assertEqual(coding(), None)
        api("DELETE", path)

    def test_flag(self) -> None:
        """``--compression``."""
        url = self.publish(self.service, command="http --compression")
        answer = self.get(f"{url}/text/5000", headers={"Accept-Encoding": "deflate"})
        self.assertEqual(zlib.decompress(answer.body), text(5000))
        self.assertEqual(json.loads(self.get(f"{url}/echo").body)["method"], "GET")
