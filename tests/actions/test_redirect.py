"""
Tests for `ngrok_twisted.actions.redirect`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy
from tests.actions.serving import answered, visit


def policy(**config: Any) -> str:
    """A policy that redirects; JSON is YAML."""
    config = {key.rstrip("_"): value for key, value in config.items()}
    return json.dumps({"on_http_request": [{"actions": [{"type": "redirect", "config": config}]}]})


class RedirectTests(SynchronousTestCase):
    """Visitors are sent elsewhere."""

    def location(self, uri: str = "/", **config: Any) -> str:
        """Where a visitor is sent; empty if the service answers."""
        status, fields, _ = answered(visit(policy(**config), uri))
        if status == 200:
            return ""
        self.assertEqual(status, config.get("status_code", 302))
        return fields["location"]

    def test_whole(self) -> None:
        """Without an expression the whole URL is replaced; a path stays on the host."""
        self.assertEqual(self.location("/a", to="https://other.test/b"), "https://other.test/b")
        self.assertEqual(self.location("/a", to="/b?c"), "https://app.example.com/b?c")
        self.assertEqual(self.location("/a", to="/b", status_code=308), "https://app.example.com/b")

    def test_expression(self) -> None:
        """Every match in the URL is replaced, and groups are known by their numbers."""
        self.assertEqual(self.location("/v1/x/v1/", from_="/v1/", to="/v2/"), "https://app.example.com/v2/x/v2/")
        moved = self.location("/old/a?q=1", from_="^https://([^/]+)/old/(.*)$", to="https://new.test/$2#$1")
        self.assertEqual(moved, "https://new.test/a?q=1#app.example.com")
        self.assertEqual(self.location("/a", from_="/b", to="/c"), "")

    def test_same(self) -> None:
        """A URL that would not change goes on to the service."""
        self.assertEqual(self.location("/a", to="https://app.example.com/a"), "")
        self.assertEqual(self.location("/a", from_="/a$", to="/a"), "")

    def test_encoded(self) -> None:
        """What may not stand in a URL is encoded, so that no header is broken."""
        self.assertEqual(
            self.location("/", to="/San Francisco\r\nx: y"), "https://app.example.com/san%20francisco%0d%0ax:%20y"
        )
        self.assertEqual(self.location("/", to="/é"), "https://app.example.com/%c3%a9")
        self.assertEqual(self.location("/a%20b", from_="/a%", to="/c%"), "https://app.example.com/c%20b")

    def test_older_names(self) -> None:
        """The names of ngrok's older language are known."""
        to = "https://new.test/$scheme/$host/$port$uri$is_args$args/$arg_q/$arg_none/$other"
        self.assertEqual(
            self.location("/a?q=1", to=to), "https://new.test/https/app.example.com/443/a?q=1?q=1/1//$other"
        )

    def test_headers(self) -> None:
        """Headers are added to the answer."""
        self.assertEqual(answered(visit(policy(to="/b", headers={"X-A": "1"})))[1]["x-a"], "1")

    def test_linear(self) -> None:
        """An expression that would take other engines for ever takes no time."""
        self.assertEqual(self.location("/" + "a" * 5000, from_="(a|aa)+b$", to="/"), "")

    def test_bounds(self) -> None:
        """Replacements that would fill the memory are not made."""
        self.assertEqual(self.location("/" + "a" * 5000, from_="a", to="b" * 2000), "")
        self.assertEqual(self.location("/" + "a" * 70_000, to="/b"), "")

    def test_refused(self) -> None:
        """What cannot be used is refused with ngrok's code, at its field."""
        for config, field, code in (
            ({"to": ""}, "to", 2204),
            ({}, "to", 2203),
            ({"to": "/", "from_": "("}, "from", 2204),
            ({"to": "/", "from_": "(?=a)"}, "from", 2204),
            ({"to": "$1"}, "to", 2204),
            ({"to": "/" * 2049}, "to", 2221),
            ({"to": "$2", "from_": "(a)"}, "to", 2204),
            ({"to": "/", "status_code": 200}, "status_code", 2204),
            ({"to": "/${req.host}"}, "to", 2224),
            ({"to": "/", "headers": {"Location": "x"}}, "headers.location", 2204),
            ({"to": "/", "from_": 1}, "from", 2203),
        ):
            error = self.assertRaises(InvalidConfig, parse_policy, policy(**config), "https")
            found = [(problem.path.partition("config.")[2], problem.code) for problem in error.problems]
            self.assertEqual(found, [(field, code)], config)
