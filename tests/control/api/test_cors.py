"""
Tests for `ngrok_twisted.control.api.cors`.
"""

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.cors import origin_fields, preflight


class OriginTests(SynchronousTestCase):
    """What any answer says to a page."""

    def test_echo(self) -> None:
        """The origin is echoed, and caches are told that the answer depends on it."""
        for origin in (b"https://app.example.com", b"http://localhost:3000", b"null", b"http://[::1]:8080"):
            fields = dict(origin_fields(origin))
            self.assertEqual(fields[b"Access-Control-Allow-Origin"], origin)
            self.assertEqual(fields[b"Access-Control-Allow-Credentials"], b"true")
            self.assertEqual(fields[b"Access-Control-Expose-Headers"], b"ngrok-operation-id")
            self.assertEqual(fields[b"Vary"], b"Origin")

    def test_none(self) -> None:
        """Who is no page, or names no origin, is told nothing."""
        for origin in (None, b"", b"*", b"https://a b", b"https://a/path", b"a", b"https://a, https://b"):
            self.assertEqual(origin_fields(origin), ())


class PreflightTests(SynchronousTestCase):
    """The question before the request."""

    def test_answer(self) -> None:
        """The methods of the path, the headers that were asked for, and how long that holds."""
        reply = preflight(["DELETE", "GET"], b"authorization, ngrok-version")
        self.assertEqual(reply.status, 204)
        self.assertEqual(
            dict(reply.fields),
            {
                b"Access-Control-Allow-Methods": b"DELETE, GET",
                b"Access-Control-Max-Age": b"600",
                b"Access-Control-Allow-Headers": b"authorization, ngrok-version",
            },
        )

    def test_headers(self) -> None:
        """Only names of headers are echoed."""
        for headers in (None, b"", b"a: b", b"x" * 3000, b"\xff"):
            self.assertNotIn(b"Access-Control-Allow-Headers", dict(preflight(["GET"], headers).fields))
