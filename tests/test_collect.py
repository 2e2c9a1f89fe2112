"""
Tests for `ngrok_twisted.collect`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.collect import BodyTooLarge, collect
from ngrok_twisted.errors import BadRequest
from tests.edge.wire import Render, Visitor, statuses

LIMIT = 8


class CollectTests(SynchronousTestCase):
    """A whole body."""

    def setUp(self) -> None:
        self.bodies: list[Deferred[bytes]] = []
        self.visitor = Visitor(Render(self.render))

    def render(self, request: Any) -> int:
        """Wants the body, and answers nothing."""
        self.bodies.append(collect(request, LIMIT))
        return NOT_DONE_YET

    def begin(self, *lines: str) -> Deferred[bytes]:
        """Send a head."""
        self.visitor.send("\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode())
        return self.bodies[-1]

    def test_none(self) -> None:
        """A request without a body has an empty one."""
        self.assertEqual(self.successResultOf(self.begin()), b"")

    def test_pieces(self) -> None:
        """The body may come in pieces, and is kept for whoever asks next."""
        body = self.begin("Content-Length: 8")
        self.visitor.send(b"1234")
        self.assertNoResult(body)
        self.visitor.send(b"5678")
        self.assertEqual(self.successResultOf(body), b"12345678")
        self.assertEqual(self.successResultOf(collect(self.visitor.request, LIMIT)), b"12345678")

    def test_continue(self) -> None:
        """A visitor that waits for 100 gets it."""
        body = self.begin("Content-Length: 1", "Expect: 100-continue")
        self.assertEqual(statuses(self.visitor.take()), [100])
        self.visitor.send(b"1")
        self.assertEqual(self.successResultOf(body), b"1")

    def test_too_long(self) -> None:
        """A body that is announced as too long is not read, and its sender is not told to go on."""
        body = self.begin("Content-Length: 9", "Expect: 100-continue")
        self.assertEqual(self.failureResultOf(body, BodyTooLarge).value.status, 413)
        self.assertEqual(self.visitor.take(), b"")

    def test_grows_too_long(self) -> None:
        """One that turns out to be too long is given up at once, and fails but once."""
        body = self.begin("Transfer-Encoding: chunked")
        self.visitor.send(b"8\r\n12345678\r\n")
        self.assertNoResult(body)
        self.visitor.send(b"1\r\n9\r\n")
        self.failureResultOf(body, BodyTooLarge)
        self.visitor.send(b"1\r\n9\r\n0\r\n\r\n")

    def test_broken(self) -> None:
        """One that is not valid fails as such."""
        body = self.begin("Transfer-Encoding: chunked")
        self.visitor.send(b"zz\r\n")
        self.failureResultOf(body, BadRequest)

    def test_left(self) -> None:
        """So does one whose sender leaves."""
        body = self.begin("Content-Length: 8")
        self.visitor.leave()
        self.failureResultOf(body, ConnectionAborted)
