"""
Any HTTP message through the edge and a tunnel, there and back.
"""

from __future__ import annotations

import hashlib
import json
import socket

from tests.functional.clients import keep_open, read_all
from tests.functional.http_case import HTTPTestCase
from tests.functional.web import BLOCK, checksum


class RequestTests(HTTPTestCase):
    """The way to the service."""

    def test_methods(self) -> None:
        """Methods pass unchanged, unknown ones included."""
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "BREW"):
            self.assertEqual(self.echoed(method=method)["method"], method)

    def test_target(self) -> None:
        """Path and query pass byte for byte."""
        target = "/echo/a%2Fb//c/../d;p=1?q=%20+x&y=[1]&z='\"<>"
        self.assertEqual(self.echoed(target)["target"], target)

    def test_headers(self) -> None:
        """Headers keep order, duplicates and values; hop-by-hop ones stop here."""
        connection = self.connect()
        self.say(
            connection,
            "GET /echo HTTP/1.1",
            "X-One: 1",
            "x-two: a, b",
            "X-One: 2",
            "Cookie: a=b; c=d",
            "Connection: close, X-Hop",
            "X-Hop: secret",
            "Keep-Alive: timeout=5",
            "Proxy-Authorization: Basic Zm9v",
            "TE: gzip",
            "X-Latin: caf\u00e9",
        )
        seen = json.loads(read_all(connection).partition(b"\r\n\r\n")[2])["headers"]
        pairs = [(name.lower(), value) for name, value in seen]
        self.assertEqual([value for name, value in pairs if name == "x-one"], ["1", "2"])
        self.assertIn(("x-two", "a, b"), pairs)
        self.assertIn(("cookie", "a=b; c=d"), pairs)
        names = {name for name, _ in pairs}
        self.assertFalse({"x-hop", "keep-alive", "proxy-authorization"} & names, names)

    def test_host(self) -> None:
        """The service sees the public name as Host, port included."""
        host = dict((name.lower(), value) for name, value in self.echoed()["headers"])["host"]
        self.assertEqual(host, f"{self.host}:{self.edge.https}")

    def test_forwarded(self) -> None:
        """The service learns who asks, by which scheme and under which host."""
        seen = dict((name.lower(), value) for name, value in self.echoed()["headers"])
        self.assertEqual(seen["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(seen["x-forwarded-proto"], "https")
        self.assertEqual(seen["x-forwarded-host"], f"{self.host}:{self.edge.https}")

    def test_forwarded_before(self) -> None:
        """What a visitor claims in front of that stays, and the truth is appended."""
        sent = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "elsewhere", "X-Forwarded-Proto": "http"}
        seen: dict[str, list[str]] = {}
        for name, value in self.echoed(headers=sent)["headers"]:
            seen.setdefault(name.lower(), []).append(value)
        self.assertEqual(", ".join(seen["x-forwarded-for"]), "1.2.3.4, 127.0.0.1")
        self.assertEqual(", ".join(seen["x-forwarded-proto"]).rpartition(", ")[2], "https")
        self.assertEqual(seen["x-forwarded-host"], ["elsewhere"])

    def test_body_with_length(self) -> None:
        """A body with a length arrives whole."""
        body = BLOCK * 40
        seen = self.echoed(method="POST", body=body)
        self.assertEqual((seen["length"], seen["sha1"]), (len(body), hashlib.sha1(body).hexdigest()))

    def test_body_in_chunks(self) -> None:
        """A chunked body arrives whole, and is streamed as it comes."""
        body = BLOCK * 40
        pieces = (body[at : at + 7919] for at in range(0, len(body), 7919))
        seen = self.echoed(method="POST", body=pieces, chunked=True, headers={"Transfer-Encoding": "chunked"})
        self.assertEqual((seen["length"], seen["sha1"]), (len(body), hashlib.sha1(body).hexdigest()))

    def test_body_streams(self) -> None:
        """The service gets the start of a body before its end is sent."""
        connection = self.connect()
        self.say(connection, "POST /echo HTTP/1.1", "Content-Length: 10", "Connection: close", body=b"01234")
        self.eventually(lambda: self.service.arrived == 5, "first half at the service")
        connection.sendall(b"56789")
        self.assertEqual(json.loads(read_all(connection).partition(b"\r\n\r\n")[2])["length"], 10)

    def test_request_trailers(self) -> None:
        """Trailers of a chunked request pass, or are dropped as RFC 9110 section 6.5.1 allows; the body is whole."""
        connection = self.connect()
        body = b"5;ext=1\r\nhello\r\n0\r\nX-Trail: end\r\n\r\n"
        self.say(
            connection,
            "POST /echo HTTP/1.1",
            "Transfer-Encoding: chunked",
            "Trailer: X-Trail",
            "Connection: close",
            body=body,
        )
        seen = json.loads(read_all(connection).partition(b"\r\n\r\n")[2])
        self.assertEqual(seen["length"], 5)
        self.assertIn(seen["trailers"], ([], [["X-Trail", "end"]]))

    def test_expect(self) -> None:
        """Who waits for 100 Continue gets it, exactly once, and then the answer."""
        connection = self.expect("/continue")
        self.assertTrue(self.read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100"))
        connection.sendall(b"hello")
        received = read_all(connection)
        self.assertTrue(received.startswith(b"HTTP/1.1 200"), received)
        self.assertIn(b'"length": 5', received)

    def test_expect_in_vain(self) -> None:
        """A service that knows nothing of 100 Continue gets the body when the visitor's patience is over."""
        connection = self.expect("/echo")
        self.eventually(lambda: self.service.asked, "request at the service")
        connection.sendall(b"hello")
        self.assertIn(b'"length": 5', read_all(connection))

    def expect(self, path: str) -> socket.socket:
        """A connection that has sent a head and waits for leave to send the body."""
        connection = self.connect()
        expectation = ("Expect: 100-continue", "Content-Length: 5", "Connection: close")
        self.say(connection, f"POST {path} HTTP/1.1", *expectation)
        return connection

    def test_early_answer(self) -> None:
        """A service may answer before it has read the body."""
        connection = self.connect()
        self.say(connection, "POST /early HTTP/1.1", "Content-Length: 100000000", body=b"x" * 100000)
        self.assertTrue(self.read_until(connection, b"too much\n").startswith(b"HTTP/1.1 413"))

    def test_slow_sender(self) -> None:
        """A request that comes byte by byte is served."""
        connection = self.connect()
        request = f"POST /echo HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
        for byte in request.encode():
            connection.sendall(bytes([byte]))
        self.assertIn(b'"length": 3', read_all(connection))


class ResponseTests(HTTPTestCase):
    """The way back."""

    def test_length(self) -> None:
        """A body with a length arrives whole."""
        answer = self.get(f"{self.url}/size/3000000")
        self.assertEqual(hashlib.sha1(answer.body).hexdigest(), checksum(3000000))
        self.assertEqual(answer.headers["content-length"], "3000000")

    def test_chunks_and_trailers(self) -> None:
        """A chunked body arrives whole, as chunks, with its trailer if that was announced."""
        connection = self.connect()
        self.say(connection, "GET /chunks/50 HTTP/1.1", "TE: trailers", "Connection: close, TE")
        received = read_all(connection)
        self.assertIn(b"\r\ntransfer-encoding: chunked\r\n", received.lower())
        self.assertTrue(received.rstrip().endswith((b"X-Count: 50", b"0")), received[-200:])
        self.assertEqual(self.get(f"{self.url}/chunks/50").body, BLOCK[:1000] * 50)

    def test_until_close(self) -> None:
        """A body that ends with the service's connection arrives whole, and its end is clear."""
        answer = self.get(f"{self.url}/until-close/500000")
        self.assertEqual(hashlib.sha1(answer.body).hexdigest(), checksum(500000))

    def test_old_service(self) -> None:
        """A service that speaks HTTP/1.0 is understood; the visitor gets 1.1."""
        answer = self.get(f"{self.url}/old")
        self.assertEqual((answer.version, answer.body), (11, b"old\n"))

    def test_head(self) -> None:
        """HEAD has the length and no body, and the connection goes on."""
        connection = keep_open(self.edge, self.host)
        for _ in range(3):
            connection.request("HEAD", "/size/12345")
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.headers["content-length"], answer.read()), (200, "12345", b""))
        connection.close()

    def test_no_content(self) -> None:
        """204 and 304 have no body, and the connection goes on."""
        connection = keep_open(self.edge, self.host)
        for status in (204, 304, 200, 204):
            connection.request("GET", f"/status/{status}")
            answer = connection.getresponse()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.read(), b"" if status != 200 else b"body of 200\n")
        connection.close()

    def test_statuses(self) -> None:
        """Statuses pass, unknown ones included."""
        for status in (201, 206, 301, 404, 418, 451, 500, 503, 599):
            self.assertEqual(self.get(f"{self.url}/status/{status}").status, status)

    def test_hints(self) -> None:
        """1xx answers pass before the final one, or are left out; the final one is right."""
        connection = self.connect()
        self.say(connection, "GET /hints HTTP/1.1", "Connection: close")
        received = read_all(connection)
        self.assertIn(b"HTTP/1.1 200", received)
        self.assertTrue(received.endswith(b"hinted\n"))
        self.assertIn(received.count(b"HTTP/1.1 103"), (0, 2))

    def test_cookies(self) -> None:
        """Two Set-Cookie lines stay two."""
        answer = self.get(f"{self.url}/cookies")
        self.assertEqual(answer.message.get_all("set-cookie"), ["a=1; Path=/", "b=2, c; Path=/"])

    def test_large_head(self) -> None:
        """Large headers of a service pass up to the limit."""
        self.assertEqual(len(self.get(f"{self.url}/large-head/60000").headers["x-large"]), 60000)

    def test_error_code(self) -> None:
        """``ngrok-error-code`` is the edge's own word: a service's copy is removed, its Server header is not."""
        answer = self.get(f"{self.url}/pretend")
        self.assertNotIn("ngrok-error-code", answer.headers)
        self.assertEqual(answer.headers["server"], "mine")

    def test_half(self) -> None:
        """The first half of a body arrives while the second has not been sent."""
        connection = self.connect()
        self.say(connection, "GET /half/10 HTTP/1.1", "Connection: close")
        self.read_until(connection, b"aaaaa")
        self.service.gate.set()
        self.assertTrue(read_all(connection).endswith(b"bbbbb"))

    def test_events(self) -> None:
        """Server-sent events arrive one by one, each as soon as it is sent."""
        connection = self.connect()
        self.say(connection, "GET /events HTTP/1.1", "Accept: text/event-stream")
        for number in range(5):
            self.service.tick.release()
            self.read_until(connection, f"data: event {number}\n\n".encode())

    def test_slow_service(self) -> None:
        """An answer that comes byte by byte arrives."""
        self.assertEqual(self.get(f"{self.url}/slowly/20").body, b"s" * 20)

    def test_slow_reader(self) -> None:
        """A visitor who reads slowly gets everything."""
        connection = self.connect()
        self.say(connection, "GET /size/4000000 HTTP/1.1", "Connection: close")
        received = self.read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")[2]
        while data := connection.recv(16384):
            received += data
        self.assertEqual(hashlib.sha1(received).hexdigest(), checksum(4000000))
