"""
Tests for ``ngrok_twisted.edge.routes``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.routes import RouteNotFound, RoutesResource, normalised
from ngrok_twisted.errors import BadRequest
from tests.edge.wire import Render, Visitor, statuses

ROUTES = RoutesResource(
    [
        ("path_prefix", "/", "root"),
        ("path_prefix", "/foo", "foo"),
        ("path_prefix", "/foo/deep", "deep"),
        ("path_prefix", "/bar/", "bar"),
        ("exact_path", "/foo/exact", "exact"),
    ]
)


class MatchingTests(SynchronousTestCase):
    """Which route a path belongs to."""

    def test_table(self) -> None:
        """Exact wins, then the longest prefix; prefixes end at a segment's border."""
        for path, expected in {
            b"/": "root",
            b"*": "root",
            b"/foo": "foo",
            b"/foo/": "foo",
            b"/foo/x": "foo",
            b"/foobar": "root",
            b"/FOO": "root",
            b"/foo/deep/x": "deep",
            b"/foo/deeper": "foo",
            b"/foo/exact": "exact",
            b"/foo/exact/x": "foo",
            b"/bar": "root",
            b"/bar/": "bar",
            b"/bar/x": "bar",
            b"/%66oo": "foo",
            b"/x/../foo": "foo",
            b"/x/%2e%2E/foo": "foo",
            b"/foo/..": "root",
            b"/./foo": "foo",
            b"/foo/a%20b": "foo",
            b"/foo/caf%C3%A9": "foo",
        }.items():
            self.assertEqual(ROUTES.resource_for_path(path), expected, path)

    def test_tricks(self) -> None:
        """A path that an upstream could read as one of another route is refused."""
        for path in (
            b"/x/..%2ffoo",
            b"/x%2f..%2f..%2ffoo",
            b"/%2ffoo",
            b"//foo",
            b"/x\\..\\foo",
            b"/x/..%5cfoo",
            b"/%2566oo",
            b"/x/..;a/foo",
            b"/foo;x",
            b"/foo/..%2f",
            b"/foo/%2e%2e%2fx",
            b"/foo%2fexact",
            b"/foo%00",
        ):
            self.assertRaises(BadRequest, ROUTES.resource_for_path, path)

    def test_harmless_oddities(self) -> None:
        """An odd path that every reading puts into one route is served."""
        for path in (b"/foo/a%2fb", b"/foo/a//b", b"/foo/a;v=1", b"/foo/%25", b"/x%20y"):
            self.assertIn(ROUTES.resource_for_path(path), ("foo", "root"), path)

    def test_none(self) -> None:
        """Without a route there is no answer."""
        routes = RoutesResource([("path_prefix", "/a", "a")])
        self.assertRaises(RouteNotFound, routes.resource_for_path, b"/b")

    def test_unknown_type(self) -> None:
        """A match type that nobody knows is a mistake of the caller."""
        self.assertRaises(ValueError, RoutesResource, [("host", "/a", "a")])

    def test_normalised(self) -> None:
        """Only unreserved characters are decoded, once."""
        for path, expected in {
            b"/%61%2d%7e": b"/a-~",
            b"/%2f": b"/%2F",
            b"/%2561": b"/%2561",
            b"/a/./b/../c/": b"/a/c/",
            b"/..": b"/",
            b"/a//b": b"/a//b",
            b"/%zz": b"/%zz",
        }.items():
            self.assertEqual(normalised(path), expected, path)

    def test_render(self) -> None:
        """The route's resource answers, and 404 has an error page."""
        routes = RoutesResource([("path_prefix", "/a", Render(lambda request: b"A"))])
        visitor = Visitor(routes)
        visitor.send(b"GET /a?/b HTTP/1.1\r\nHost: x\r\n\r\nGET /b?/a HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = visitor.take()
        self.assertEqual(statuses(answer), [200, 404])
        self.assertIn(b"ngrok-error-code: ", answer)
