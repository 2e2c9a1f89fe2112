"""
Tests for ``ngrok_twisted.edge.respond``.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.respond import error_response, preferred_type, raw_response
from ngrok_twisted.errors import BadRequest, EdgeError, EndpointOffline, HeaderTooLarge, Misdirected
from tests.edge.wire import Render, Visitor

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class PreferenceTests(SynchronousTestCase):
    """Which of three forms an ``Accept`` header asks for."""

    def test_table(self) -> None:
        """The named type of the highest weight; plain text when none is named."""
        for accept, expected in {
            b"": b"text/plain",
            b"*/*": b"text/plain",
            BROWSER: b"text/html",
            b"application/json": b"application/json",
            b"application/json, text/html;q=0.5": b"application/json",
            b"text/html;q=0.1, application/json;q=0.2": b"application/json",
            b"text/html;level=1;q=0": b"text/plain",
            b"TEXT/HTML": b"text/html",
            b"text/html;q=nonsense": b"text/html",
            b"((((,,,;;;": b"text/plain",
            b"image/png": b"text/plain",
        }.items():
            self.assertEqual(preferred_type(accept), expected, accept)


class ErrorResponseTests(SynchronousTestCase):
    """The pages."""

    def test_forms(self) -> None:
        """Each form names the sentence and the code, and its length is right."""
        for accept, media in ((BROWSER, b"text/html; charset=utf-8"), (b"", b"text/plain; charset=utf-8")):
            head, body = error_response(EndpointOffline(), accept, 7, 0.0)
            fields = dict(head.headers)
            self.assertEqual(head.status, 404)
            self.assertEqual(head.length, len(body))
            self.assertEqual(fields[b"Content-Type"], media)
            self.assertEqual(fields[b"ngrok-error-code"], b"ERR_NGROK_3200")
            self.assertEqual(fields[b"Cache-Control"], b"no-store")
            self.assertIn(b"The endpoint is offline.", body)
            self.assertIn(b"ERR_NGROK_3200", body)

    def test_reasons(self) -> None:
        """Each status has its name, those of RFC 6585 and later too; one that is nobody's is an error."""

        class Strange(EdgeError):
            status = 599

        for error, reason in (
            (EndpointOffline(), b"Not Found"),
            (Misdirected(), b"Misdirected Request"),
            (HeaderTooLarge(), b"Request Header Fields Too Large"),
            (Strange(), b"Error"),
        ):
            head, body = error_response(error, BROWSER, 7, 0.0)
            self.assertEqual(head.reason, reason)
            self.assertIn(b"<title>%d %s</title>" % (error.status, reason), body)

    def test_json(self) -> None:
        """JSON has ngrok's three keys."""
        _, body = error_response(EndpointOffline(), b"application/json", 7, 0.0)
        self.assertEqual(
            json.loads(body), {"error_code": "ERR_NGROK_3200", "status_code": 404, "msg": "The endpoint is offline."}
        )

    def test_escaping(self) -> None:
        """A sentence cannot become markup."""
        _, body = error_response(EdgeError("<script>&{x}"), BROWSER, 7, 0.0)
        self.assertNotIn(b"<script>", body)
        self.assertIn(b"&lt;script&gt;&amp;{x}", body)

    def test_page_names_the_request(self) -> None:
        """The page has the number that the operator finds in the log, and the time."""
        _, body = error_response(EdgeError(), BROWSER, 4711, 0.0)
        self.assertIn(b"4711", body)
        self.assertIn(b"Thu, 01 Jan 1970 00:00:00 GMT", body)

    def test_raw(self) -> None:
        """Bytes that made no request get a whole response that closes."""
        head, _, body = raw_response(BadRequest()).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn(b"\r\nContent-Length: %d\r\nConnection: close" % len(body), head)

    def test_head(self) -> None:
        """HEAD gets the length, and nothing else."""

        def refuse(request: object) -> bytes:
            raise EndpointOffline()

        visitor = Visitor(Render(refuse))
        visitor.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = visitor.take().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 41", head)
        self.assertEqual(body, b"")
