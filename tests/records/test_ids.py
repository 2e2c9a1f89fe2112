"""
Tests for `ngrok_twisted.records.ids`.
"""

from random import Random

from hypothesis import given
from hypothesis.strategies import binary, floats, integers, lists, randoms

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.ids import KSUID_EPOCH, NewIds, declared_id, new_id, related_id


class NewIDTests(SynchronousTestCase):
    """`new_id`."""

    def test_shape(self) -> None:
        """An id is its prefix, an underscore and 27 letters and digits."""
        prefix, _, rest = new_id("tn", 1_700_000_000.5).partition("_")
        self.assertEqual(prefix, "tn")
        self.assertEqual(len(rest), 27)
        self.assertTrue(rest.isalnum() and rest.isascii())

    def test_known(self) -> None:
        """The smallest and the largest KSUIDs are those of the published format."""
        self.assertEqual(new_id("x", KSUID_EPOCH, bytes), "x_" + "0" * 27)
        largest = new_id("x", 2.0**40, lambda n: b"\xff" * n)
        self.assertEqual(largest, "x_aWgEPTl1tmebfsQzFP4bxwgy80V")

    @given(
        integers(KSUID_EPOCH, KSUID_EPOCH + 2**32 - 2),
        binary(min_size=16, max_size=16),
        binary(min_size=16, max_size=16),
    )
    def test_sorted_by_time(self, second: int, one: bytes, other: bytes) -> None:
        """An id of a later second sorts behind, whatever the random parts are."""
        self.assertLess(new_id("ep", second, lambda n: one), new_id("ep", second + 1, lambda n: other))

    @given(floats(-1e15, 1e15))
    def test_any_clock(self, seconds: float) -> None:
        """A clock that is far off still gives an id of the right length."""
        self.assertEqual(len(new_id("ep", seconds)), 30)

    def test_unguessable(self) -> None:
        """Two ids of one moment differ."""
        self.assertNotEqual(new_id("ts", 1_700_000_000), new_id("ts", 1_700_000_000))


class NewIdsTests(SynchronousTestCase):
    """`NewIds`."""

    @given(lists(integers(1_400_000_000, 1_400_000_005), min_size=2), randoms())
    def test_order(self, seconds: list[int], random: Random) -> None:
        """Ids sort in the order they were given, within a second too, and if the clock goes back."""
        moments = iter(seconds)
        ids = NewIds(lambda: next(moments), random.randbytes)
        given_ids = [ids("rd") for _ in seconds]
        self.assertEqual(given_ids, sorted(set(given_ids)))
        self.assertEqual({len(id) for id in given_ids}, {30})

    def test_extremes(self) -> None:
        """The largest draw of a second leaves room for many more, and does not reach the next second."""
        now = [1_700_000_000.0]
        ids = NewIds(lambda: now[0], lambda count: b"\xff" * count)
        inside = [ids("rd") for _ in range(1000)]
        now[0] += 1
        self.assertLess(inside[-1], NewIds(lambda: now[0], bytes)("rd"))

    def test_steps(self) -> None:
        """From one id the next cannot be told: the steps between them are random."""
        ids = NewIds(lambda: 1_700_000_000)
        numbers = [ids("rd") for _ in range(4)]
        self.assertEqual(len({later[-8:] for later in numbers}), 4)


class DeclaredIDTests(SynchronousTestCase):
    """`declared_id`."""

    def test_stable(self) -> None:
        """The same kind and name give the same id, today and in the next release."""
        self.assertEqual(declared_id("rd", "reserved_domains", "shop"), declared_id("rd", "reserved_domains", "shop"))
        self.assertEqual(len(declared_id("rd", "reserved_domains", "shop")), 30)

    def test_distinct(self) -> None:
        """Kind and name both count, and their border too."""
        ids = {
            declared_id("b", kind, name) for kind, name in [("a", "b"), ("a", "c"), ("d", "b"), ("ab", ""), ("", "ab")]
        }
        self.assertEqual(len(ids), 5)


class RelatedIDTests(SynchronousTestCase):
    """`related_id`."""

    def test_same(self) -> None:
        """Without a key, what follows the prefix is the same."""
        self.assertEqual(related_id("tn", "ep_" + "2" * 27), "tn_" + "2" * 27)

    @given(integers(1_400_000_001, 5_000_000_000))
    def test_sorted(self, second: int) -> None:
        """With a key it sorts by the second of the other id, and differs with the key and the id."""
        one, other = new_id("edghts", second), new_id("edghts", second + 1)
        made = related_id("ep", one, "a")
        self.assertEqual(len(made), 30)
        self.assertEqual(made, related_id("ep", one, "a"))
        self.assertLess(made, related_id("ep", other, "a"))
        self.assertLess(new_id("ep", second - 1), made)
        self.assertNotEqual(made, related_id("ep", one, "b"))
