"""
Tests of `ngrok_twisted.backends.http_response`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.backends.http_response import FILLED_MAX, HTTPResponse, HTTPResponseConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.schema import parse
from ngrok_twisted.tunnels import Tunnels
from tests.edge.wire import Visitor


class ConfigTests(SynchronousTestCase):
    """What may be answered."""

    def problems(self, **data: object) -> list[str]:
        """What is wrong with an answer."""
        try:
            parse(HTTPResponseConfig, data)
        except InvalidConfig as error:
            return [str(problem) for problem in error.problems]
        return []

    def test_allowed(self) -> None:
        """Whatever HTTP can carry, an empty value and text beyond ASCII included."""
        headers = {"content-type": "text/plain", "X_a.b": "", "x-name": "Zoë\tO", "location": "/a b"}
        for status in (200, 204, 503, 599):
            self.assertEqual(self.problems(status_code=status, headers=headers), [])

    def test_status(self) -> None:
        """Statuses that are none, or no final answer, are refused."""
        for status in (0, -1, 100, 101, 199, 600, 1000):
            self.assertEqual(
                self.problems(status_code=status), ["status_code: must be from 200 to 599 (ERR_NGROK_6517)"]
            )

    def test_header_names(self) -> None:
        """Names with other characters than tokens have are refused."""
        for name in ("", "b ad", "é", "a:b", "a\r\nb"):
            [problem] = self.problems(headers={name: "x"})
            self.assertIn("is not the name of a header", problem)

    def test_header_values(self) -> None:
        """A value cannot end its line, nor hold what a receiver would strip."""
        for value in ("a\r\nevil: 1", "a\nb", "a\0", "\x7f", " a", "a ", "\t"):
            self.assertEqual(
                self.problems(headers={"x": value}),
                ["headers.x: must be one line of text without spaces around it (ERR_NGROK_6523)"],
            )

    def test_framing(self) -> None:
        """How the answer is framed is not for the config to say."""
        for name in ("Content-Length", "transfer-encoding", "Connection", "upgrade"):
            self.assertEqual(
                self.problems(headers={name: "5"}),
                [f"headers.{name}: is set by the server; take it out (ERR_NGROK_6522)"],
            )

    def test_case(self) -> None:
        """Names become lower-case, and are there once."""
        self.assertEqual(HTTPResponseConfig(headers={"X-Name": "A"}).headers, {"x-name": "A"})
        self.assertEqual(
            self.problems(headers={"x": "1", "X": "2"}),
            ["headers.X: is there twice, in different case (ERR_NGROK_6522)"],
        )

    def test_size(self) -> None:
        """A body of more than 64 KiB, and one that is no Unicode text, are refused; so are values and many headers."""
        self.assertEqual(self.problems(body="é" * 32768), [])
        said = ["body: must be Unicode text of at most 65536 bytes (ERR_NGROK_6516)"]
        for body in ("é" * 32768 + "x", "\ud800"):
            self.assertEqual(self.problems(body=body), said)
        for value in ("x" * 8193, "\ud800"):
            [problem] = self.problems(headers={"a": value})
            self.assertIn("6523", problem)
        self.assertEqual(len(self.problems(headers={f"x-{n}": "" for n in range(101)})), 1)

    def test_all_at_once(self) -> None:
        """Every problem is reported."""
        self.assertEqual(len(self.problems(status_code=1, headers={"a b": "", "te": "", "x": "\n"})), 4)


class AnswerTests(SynchronousTestCase):
    """What is answered."""

    def answer(self, request: bytes = b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n", **data: Any) -> bytes:
        """The answer to a request, as it is on the wire."""
        context = BackendContext(tunnels=Tunnels(), account_id="ac_1", find=lambda id: None, random=Random(1))
        backend = HTTPResponse(parse(HTTPResponseConfig, data), context)
        (target,) = backend.candidates(Flow("192.0.2.1", 1, "https", 0.0))
        visitor = Visitor(target)
        visitor.send(request)
        return visitor.take()

    def body(self, text: str, content_type: str | None = "text/plain", path: bytes = b"/a?b=c") -> str:
        """The body that becomes of a text."""
        headers = {} if content_type is None else {"content-type": content_type}
        request = b'GET %s HTTP/1.1\r\nHost: shop.example\r\nX-Name: \xff<"\r\n\r\n' % path
        return (
            self.answer(request, headers=headers, body=text)
            .partition(b"\r\n\r\n")[2]
            .decode("utf-8", "backslashreplace")
        )

    def test_fixed(self) -> None:
        """Status, headers and body are as configured."""
        answer = self.answer(status_code=503, headers={"Retry-After": "60"}, body="zurück")
        self.assertEqual(
            answer, "HTTP/1.1 503 Service Unavailable\r\nretry-after: 60\r\nContent-Length: 7\r\n\r\nzurück".encode()
        )

    def test_head(self) -> None:
        """HEAD gets the same head, with the length of what GET would get, also where that depends on the request."""
        for body in ("hello", "you asked for ${req.url.path}"):
            get = self.answer(body=body, headers={"x-host": "${req.host}"})
            head = self.answer(
                b"HEAD /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n", body=body, headers={"x-host": "${req.host}"}
            )
            self.assertEqual(head, get.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def test_no_body(self) -> None:
        """A status without a body has none."""
        self.assertTrue(self.answer(status_code=204, body="${req.method}").endswith(b"\r\n\r\n"))

    def test_variables(self) -> None:
        """Variables of either generation are filled in, in the body and in headers: a redirect needs no service."""
        answer = self.answer(
            status_code=308, headers={"location": "https://new.example${req.url.path}"}, body="${.conn.client_ip}"
        )
        self.assertIn(b"location: https://new.example/a\r\n", answer)
        self.assertEqual(
            self.body("${req.method} for ${ req.host }, ${req.headers['host'][0]}"),
            "GET for shop.example, shop.example",
        )

    def test_left_alone(self) -> None:
        """What names no variable is text, such as the scripts of a page; and so is a variable with a second dollar sign."""
        for text in (
            "${name}",
            "`${a.b + 1}`",
            "${",
            "${}",
            "$$",
            "$${name}",
            "}${x",
            "${req.method.length}",
            "${${req.host}",
        ):
            expected = text.replace("${req.host}", "shop.example") if text.startswith("${${") else text
            self.assertEqual(self.body(text), expected, text)
        self.assertEqual(self.body("$${req.method} ${req.method}"), "${req.method} GET")

    def test_escaped(self) -> None:
        """A visitor's words mean nothing in the page that they stand in."""
        text, value = "${req.headers['x-name'][0]}", "${req.url.raw_path}"
        for content_type in ("text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml", "image/svg+xml", None):
            self.assertEqual(self.body(text, content_type), "\\xff&lt;&quot;", content_type)
        self.assertEqual(self.body('{"path": "' + value + '"}', "application/json", b'/"x'), '{"path": "/\\"x"}')
        self.assertEqual(self.body(text, "text/plain"), '\\xff<"')

    def test_header_injection(self) -> None:
        """No value of a variable ends a header."""
        answer = self.answer(
            b"GET /%0d%0aset-cookie:%20a=b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
            headers={"x-path": "${req.url.path}"},
        )
        self.assertEqual(answer.count(b"\r\n"), 4)

    def test_bounded(self) -> None:
        """However long the variables are, the body has an end."""
        request = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Name: " + b"x" * 10_000 + b"\r\n\r\n"
        answer = self.answer(request, body="${req.headers['x-name'][0]}" * 2000)
        self.assertEqual(len(answer.partition(b"\r\n\r\n")[2]), FILLED_MAX)
