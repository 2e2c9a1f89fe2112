"""
Tests for `ngrok_twisted.edge.fields`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from tests.edge.wire import Render, Visitor

GET = b"GET /a HTTP/1.1\r\nHost: fields.example\r\nAccept: a\r\naccept: b\r\n\r\n"


def request(data: bytes = GET) -> Any:
    """A request that nobody has answered."""
    visitor = Visitor(Render(lambda request: NOT_DONE_YET))
    visitor.send(data)
    return visitor.request


class RequestFieldsTests(SynchronousTestCase):
    """Those who only look leave a request as it is."""

    def test_looking(self) -> None:
        """What fields there are, and their values, can be had without a list that could be changed."""
        made = request()
        self.assertEqual(
            list(made.fields), [(b"Host", b"fields.example"), (b"Accept", b"a"), (b"accept", b"b")]
        )  # fmt: skip
        self.assertEqual(made.getHeader(b"ACCEPT"), b"b")
        self.assertEqual(made.getHeader("accept"), "b")
        self.assertIsNone(made.getHeader(b"x-other"))
        self.assertEqual(made.header_values(b"Accept"), [b"a", b"b"])
        self.assertIsNotNone(made.as_told())

    def test_changing(self) -> None:
        """Whoever changes a field changes it for all who look afterwards, and for the upstream."""
        made = request()
        made.set_request_header(b"Accept", b"c")
        made.add_request_header(b"X-Added", b"1")
        self.assertEqual(made.getHeader(b"accept"), b"c")
        self.assertEqual(made.header_values(b"accept"), [b"c"])
        self.assertEqual(list(made.fields), made.headers)
        self.assertEqual(made.headers[-1], (b"X-Added", b"1"))
        self.assertIsNone(made.as_told())

    def test_work_out(self) -> None:
        """What a function makes of the fields is made once for all requests of the same bytes, until somebody changes them."""
        asked: list[Any] = []

        def count(fields: Any) -> int:
            asked.append(fields)
            return len(fields)

        data = GET.replace(b"/a", b"/work_out").replace(b"accept: b", b"accept: c")
        self.assertEqual([request(data).work_out(count) for _ in range(3)], [3, 3, 3])
        self.assertEqual(len(asked), 1)
        made = request(data)
        made.add_request_header(b"X-Added", b"1")
        self.assertEqual((made.work_out(count), request(data).work_out(count)), (4, 3))

    def test_others(self) -> None:
        """A request of the same bytes does not see the change."""
        request().headers.clear()
        self.assertEqual(request().getHeader(b"accept"), b"b")

    def test_as_told(self) -> None:
        """What a module may have changed is not taken for what the visitor sent."""
        for change in (
            lambda made: made.headers,
            lambda made: setattr(made, "uri", b"/b"),
            lambda made: setattr(made, "method", b"HEAD"),
            lambda made: setattr(made, "authority", b"other.example"),
            lambda made: made.setHost(b"other.example", 443),
        ):
            made = request()
            change(made)
            self.assertIsNone(made.as_told())

    def test_about_one_request(self) -> None:
        """Nor is what says something about this request alone, or came with another host in its target."""
        for data in (
            GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            GET[:-2] + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            GET.replace(b"/a", b"http://FIELDS.example/a"),
        ):
            self.assertIsNone(request(data).as_told(), data)
