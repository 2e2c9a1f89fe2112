"""
Tests for `ngrok_twisted.edge.redirect`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.redirect import ToHTTPS
from tests.edge.wire import Visitor, statuses


class ToHTTPSTests(SynchronousTestCase):
    """From http to https."""

    def location(self, request: bytes, port: int = 443) -> bytes:
        """Where a request is sent."""
        visitor = Visitor(ToHTTPS(port), proto="http")
        visitor.send(request)
        answer = visitor.take()
        self.assertEqual(statuses(answer), [307])
        return answer.lower().partition(b"location: ")[2].partition(b"\r\n")[0]

    def test_interface(self) -> None:
        """It is a resource, and a leaf."""
        verifyObject(IResource, ToHTTPS(443))

    def test_usual_port(self) -> None:
        """The usual port is not written; path and query stay as they were sent."""
        request = b"GET /a%2fb/../c?d=e&f HTTP/1.1\r\nHost: App.example.com:8080\r\n\r\n"
        self.assertEqual(self.location(request), b"https://app.example.com/a%2fb/../c?d=e&f")

    def test_other_port(self) -> None:
        """Another one is."""
        request = b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
        self.assertEqual(self.location(request, 8443), b"https://app.example.com:8443/")

    def test_method_stays(self) -> None:
        """A POST is told to stay a POST; that is what 307 means."""
        request = b"POST /form HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 2\r\n\r\nhi"
        self.assertEqual(self.location(request), b"https://app.example.com/form")

    def test_other_forms(self) -> None:
        """Absolute and asterisk forms lead to a path as well; a path that looks like a host stays a path."""
        self.assertEqual(
            self.location(b"GET http://app.example.com/x HTTP/1.1\r\nHost: app.example.com\r\n\r\n"),
            b"https://app.example.com/x",
        )
        self.assertEqual(
            self.location(b"OPTIONS * HTTP/1.1\r\nHost: app.example.com\r\n\r\n"), b"https://app.example.com/"
        )
        self.assertEqual(
            self.location(b"GET //evil.example/ HTTP/1.1\r\nHost: app.example.com\r\n\r\n"),
            b"https://app.example.com//evil.example/",
        )

    def test_not_kept(self) -> None:
        """Nobody keeps the answer: the name may be another one's tomorrow."""
        visitor = Visitor(ToHTTPS(443), proto="http")
        visitor.send(b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        self.assertIn(b"cache-control: no-store\r\n", visitor.take().lower())
