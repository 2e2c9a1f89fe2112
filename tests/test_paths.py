"""
Tests for `ngrok_twisted.paths`. Which routes the readings lead to is in ``tests/edge/test_routes.py``.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.paths import normalised, readings


class NormalisedTests(SynchronousTestCase):
    """One spelling of a path."""

    def test_table(self) -> None:
        """Unreserved characters are decoded once, dot segments are resolved, and nothing else happens."""
        for path, expected in {
            b"/": b"/",
            b"/a/./b/../c": b"/a/c",
            b"/%61%7E": b"/a~",
            b"/%2561": b"/%2561",
            b"/a%2fb": b"/a%2Fb",
            b"//a": b"//a",
            b"/a/%2e%2e": b"/",
            b"/../..": b"/",
            b"/a/..": b"/",
        }.items():
            self.assertEqual(normalised(path), expected, path)

    @given(st.lists(st.sampled_from([b"/", b".", b"..", b"%2e", b"%2F", b"a", b"%61", b";x", b"\\"])).map(b"".join))
    def test_properties(self, rest: bytes) -> None:
        """What is normalised stays as it is, and is the first reading."""
        once = normalised(b"/" + rest)
        self.assertEqual(normalised(once), once)
        self.assertEqual(readings(b"/" + rest)[0], once)
        self.assertNotIn(b"..", once.split(b"/"))
