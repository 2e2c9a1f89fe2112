"""
Tests for `ngrok_twisted.modules.user_agent_filter`.
"""

from __future__ import annotations

from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.modules.user_agent_filter import REMEMBERED_BYTES, UserAgentFilter, UserAgentFilterConfig, from_flags
from ngrok_twisted.records.edge import module_types
from tests.modules.requests import Route, context

MISSING = None


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def codes(self, **data: Any) -> list[tuple[str, int]]:
        error = self.assertRaises(InvalidConfig, schema.parse, UserAgentFilterConfig, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_kind(self) -> None:
        """It stands on routes only; both lists may be left out."""
        verifyObject(IModuleKind, UserAgentFilter)
        made = schema.parse(module_types("route")["user_agent_filter"], {"deny": ["curl"]})
        self.assertEqual(made.config, UserAgentFilterConfig(deny=("curl",)))
        self.assertNotIn("user_agent_filter", module_types("tcp"))

    def test_expressions(self) -> None:
        """What is no expression for RE2 is refused where it stands, with the reason; all of them are told."""
        self.assertEqual(
            self.codes(allow=["ok", "("], deny=["a(?=b)", r"(a)\1", "x" * 1025, "\ud800"]),
            [("allow[1]", 2090), ("deny[0]", 2090), ("deny[1]", 2090), ("deny[2]", 2090), ("deny[3]", 2090)],
        )
        error = self.assertRaises(InvalidConfig, UserAgentFilterConfig, deny=("(",))
        self.assertIn("missing )", str(error))

    def test_bounds(self) -> None:
        """A list has an end, and so has the memory that one expression may take."""
        schema.parse(UserAgentFilterConfig, {"allow": ["a"] * 100, "deny": ["x" * 1024]})
        self.assertEqual(self.codes(allow=["a"] * 101), [("allow", 2090)])
        self.assertEqual(self.codes(deny=["((a{100}){100}){100}"]), [("deny[0]", 2090)])

    def test_flags(self) -> None:
        """An agent's two flags are the two lists."""
        self.assertEqual(
            from_flags({"ua-filter-allow": ("a",), "ua-filter-deny": ("b", "c")}),
            UserAgentFilterConfig(allow=("a",), deny=("b", "c")),
        )
        self.assertEqual(from_flags({"ua-filter-deny": ("b",)}), UserAgentFilterConfig(deny=("b",)))


class FilterTests(SynchronousTestCase):
    """Who passes."""

    def route(self, allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> Route:
        return Route(UserAgentFilter, UserAgentFilterConfig(allow=allow, deny=deny))

    def passes(self, route: Route, name: bytes | None) -> bool:
        """Whether somebody of this name passes; what is noted agrees."""
        lines = [] if name is None else [b"User-Agent: " + name]
        visitor = route.ask(*lines)
        said = visitor.take()
        (flow,) = visitor.flows
        allowed = said.startswith(b"HTTP/1.1 200 ")
        self.assertEqual(flow.variables["user_agent_filter.decision"], "allow" if allowed else "block")
        if not allowed:
            self.assertTrue(said.startswith(b"HTTP/1.1 403 "))
            self.assertIn(b"\r\nngrok-error-code: ERR_NGROK_3211\r\n", said)
            self.assertEqual(route.service.connections, [])
        route.service.connections.clear()
        return allowed

    def test_face(self) -> None:
        """It is a module for requests."""
        verifyObject(IHTTPModule, self.route().module)

    def test_deny(self) -> None:
        """Whom an expression of deny finds is kept out, and who says no name."""
        route = self.route(deny=("(?i)curl", "^python"))
        for name in (b"Mozilla/5.0", b"my python", b""):
            self.assertTrue(self.passes(route, name), name)
        for name in (b"curl/8.1", b"libCURL", b"python-requests", MISSING):
            self.assertFalse(self.passes(route, name), name)

    def test_allow(self) -> None:
        """Whom an expression of allow finds passes, whatever deny says."""
        route = self.route(allow=("Googlebot",), deny=("bot", "curl"))
        self.assertTrue(self.passes(route, b"Mozilla/5.0 (compatible; Googlebot/2.1)"))
        self.assertTrue(self.passes(route, b"Mozilla/5.0"))
        self.assertFalse(self.passes(route, b"Bingbot bot"))

    def test_allow_alone(self) -> None:
        """Without deny the list of allow only keeps out who says no name; deny of everything makes it a list of guests."""
        self.assertTrue(self.passes(self.route(allow=("curl",)), b"wget"))
        self.assertFalse(self.passes(self.route(allow=("curl",)), MISSING))
        route = self.route(allow=("curl",), deny=(".*",))
        self.assertTrue(self.passes(route, b"curl/8"))
        self.assertFalse(self.passes(route, b"wget"))

    def test_missing(self) -> None:
        """No name is the empty name for allow."""
        self.assertTrue(self.passes(self.route(allow=("^$",), deny=(".*",)), MISSING))
        self.assertTrue(self.passes(self.route(allow=("^$",), deny=(".*",)), b""))
        self.assertFalse(self.passes(self.route(deny=("x",)), MISSING))

    def test_nothing_to_look_for(self) -> None:
        """Without an expression everybody passes, and nothing stands in the way."""
        route = self.route()
        self.assertIs(route.resource, route.forward)
        self.assertEqual(route.status(), 200)

    def test_first_counts(self) -> None:
        """Of several names the first counts, however the field is written."""
        route = self.route(deny=("curl",))
        self.assertEqual(route.status(b"user-AGENT: ok", b"User-Agent: curl"), 200)
        self.assertEqual(route.status(b"User-Agent: curl", b"User-Agent: ok"), 403)

    def test_repeated(self) -> None:
        """The second time is like the first, also for a name that is too long to be remembered."""
        route = self.route(deny=("curl$",))
        for name in (b"curl", b"x" * (REMEMBERED_BYTES + 1) + b"curl"):
            self.assertEqual([self.passes(route, name) for _ in range(3)], [False] * 3)
        long = b"x" * (REMEMBERED_BYTES + 1)
        self.assertEqual([self.passes(route, long) for _ in range(3)], [True] * 3)

    def test_not_text(self) -> None:
        """Bytes that are no UTF-8 hide nobody: each counts as some character."""
        route = self.route(deny=("^evil.+$", "é"))
        self.assertFalse(self.passes(route, b"evil\xff\xfe"))
        self.assertFalse(self.passes(route, "café".encode()))
        self.assertTrue(self.passes(route, b"good\xff"))

    def test_linear(self) -> None:
        """An expression that keeps a backtracking engine busy for ages is answered at once."""
        route = self.route(deny=("(a*)*b", "(x+x+)+y"))
        before = process_time()
        self.assertTrue(self.passes(route, b"a" * 3000 + b"x" * 3000))
        self.assertLess(process_time() - before, 1.0)

    @given(
        st.binary(max_size=40), st.sampled_from(["", "a", "^$", "[a-m]+", ".", "é"]), st.sampled_from([".*", "b", "$^"])
    )
    def test_rule(self, name: bytes, allow: str, deny: str) -> None:
        """The rule of the specification, for any name: allowed if allow matches, or deny does not."""
        module = UserAgentFilter(UserAgentFilterConfig(allow=(allow,), deny=(deny,)), context())
        allows, denies = (
            UserAgentFilter(UserAgentFilterConfig(**{which: (what,)}), context())
            for which, what in (("allow", allow), ("deny", deny))
        )
        text = name.decode("utf-8", "replace").encode()
        expected = bool(allows._matches(allows._allow, text)) or not denies._matches(denies._deny, text)
        self.assertEqual(module._judge(name), expected)
