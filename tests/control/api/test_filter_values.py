"""
Tests for `ngrok_twisted.control.api.filter_values`.
"""

from __future__ import annotations

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.filter_values import (
    Moment,
    comparison,
    duration,
    equal,
    less,
    moment,
    one_of,
    size,
    within,
)

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.builds(Moment, st.floats(0, 1e9)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "uri"]), inner, max_size=2),
    max_leaves=4,
)


class MomentTests(SynchronousTestCase):
    """Times and durations."""

    @given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))
    def test_rfc3339(self, time: datetime) -> None:
        """A time means its moment, in whatever zone and with whatever fraction it is written."""
        time = time.replace(tzinfo=timezone.utc)
        found = moment(time.isoformat())
        assert found is not None
        self.assertAlmostEqual(found.seconds, time.timestamp(), 5)
        self.assertEqual(moment(time.strftime("%Y-%m-%dt%H:%M:%Sz")), Moment(float(int(time.timestamp()))))

    def test_no_times(self) -> None:
        """Other texts are no times."""
        for text in ("", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00Z "):
            self.assertIsNone(moment(text), text)

    def test_extreme_times(self) -> None:
        """Years at the ends of the calendar are times or none, and no error."""
        for text in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z"):
            self.assertIsInstance(moment(text), (Moment, type(None)))

    def test_durations(self) -> None:
        """A duration is numbers with units."""
        for text, seconds in (
            ("7d", 604800.0),
            ("24h", 86400.0),
            ("1h30m", 5400.0),
            ("1.5s", 1.5),
            ("1w", 604800.0),
            ("5ms", 0.005),
        ):
            self.assertEqual(duration(text), seconds)
        for text in ("", "d", "7", "-1d", "1y", "1d ", "1d1", "\u0661d", "9999999999d"):
            self.assertIsNone(duration(text), text)


class ComparisonTests(SynchronousTestCase):
    """Comparisons of values."""

    @given(_VALUES, _VALUES)
    def test_order(self, left: object, right: object) -> None:
        """Of two values at most one is the smaller, and then they are not the same; equality has no direction."""
        self.assertFalse(less(left, right) and less(right, left))
        self.assertFalse(equal(left, right) and less(left, right))
        self.assertEqual(equal(left, right), equal(right, left))

    @given(_VALUES)
    def test_same(self, value: object) -> None:
        """A value is the same as itself, and is found in a list with it."""
        self.assertTrue(equal(value, value))
        self.assertTrue(within(value, [None, value]))

    def test_kinds(self) -> None:
        """Values of different kinds are not the same, but whole numbers and others are of one kind."""
        values = [None, True, 2, "2", ["2"], {"uri": "x"}, Moment(2.0)]
        for place, left in enumerate(values):
            for right in values[place + 1 :]:
                self.assertFalse(equal(left, right) or less(left, right) or less(right, left), (left, right))
        self.assertTrue(equal(2, 2.0) and less(1.5, 2) and not equal(1, True))

    def test_objects(self) -> None:
        """An object is the same as its id, and a text as the moment it means."""
        self.assertTrue(equal({"id": "x"}, "x") and equal("x", {"id": "x"}))
        self.assertTrue(equal("1970-01-01T00:00:02Z", Moment(2.0)) and less("1970-01-01T00:00:01Z", Moment(2.0)))
        self.assertFalse(equal("x", Moment(2.0)) or equal({}, "x"))

    def test_sizes(self) -> None:
        """What has a size has it."""
        sizes = [size(value) for value in (None, "\u00e9a", [1], {"a": 1}, 3, True)]
        self.assertEqual(sizes, [0, 2, 1, 1, None, None])
        self.assertFalse(within("a", "abc"))

    @given(_VALUES, st.lists(st.text(max_size=1), max_size=4))
    def test_one_of(self, value: object, texts: list[str]) -> None:
        """To be one of several texts is to be within the list of them."""
        self.assertEqual(one_of(lambda shown: shown["value"], texts)({"value": value}), within(value, texts))

    def test_signs(self) -> None:
        """Each sign means what it does elsewhere; what has no order is neither more nor less than itself."""
        of = lambda sign, left, right: comparison(sign, lambda shown: left, lambda shown: right)({})
        signs = ("==", "!=", "<", "<=", ">", ">=")
        self.assertEqual([of(sign, 1, 2) for sign in signs], [False, True, True, True, False, False])
        self.assertEqual([of(sign, "a", "a") for sign in signs], [True, False, False, True, False, True])
        for value in (None, True, [1], {"id": "x"}):
            self.assertEqual([of(sign, value, value) for sign in signs], [True, False, False, False, False, False])
