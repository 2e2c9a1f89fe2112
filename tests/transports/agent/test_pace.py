"""Tests of `ngrok_twisted.transports.agent.pace`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent.pace import LEAST, Pace


class PaceTests(SynchronousTestCase):
    """`Pace`."""

    def opened(self, pace: Pace, count: int, first: int = 2) -> list[int]:
        """So many streams are opened: their ids."""
        ids = list(range(first, first + 2 * count, 2))
        for id in ids:
            pace.opened(id)
        return ids

    def test_bound(self) -> None:
        """So many may be unanswered; an answer makes room, and is told of where there was none."""
        pace = Pace(16, 16)
        self.opened(pace, 16)
        self.assertEqual(pace.room, 0)
        self.assertEqual([pace.answered(2), pace.answered(4)], [True, False])
        self.assertEqual(pace.room, 2)

    def test_in_order(self) -> None:
        """An agent that has come to one has come to all before it; one that was answered for before makes no more room."""
        pace = Pace(16, 16)
        ids = self.opened(pace, 5)
        self.assertFalse(pace.answered(ids[2]))
        self.assertEqual(pace.room, 14)
        self.assertFalse(pace.answered(ids[0]))
        self.assertFalse(pace.answered(ids[2]))
        self.assertEqual(pace.room, 14)

    def test_given_up(self) -> None:
        """What the agent never hears of counts no more; what it never heard of never did."""
        pace = Pace(16, 16)
        ids = self.opened(pace, 3)
        pace.forget(ids[1])
        pace.forget(99)
        self.assertEqual(pace.room, 14)

    def test_grows(self) -> None:
        """By one when as many as the bound allows were answered while it was in use, up to the most."""
        pace = Pace(16, 18)
        for number, room in enumerate((17, 18, 18)):
            ids = self.opened(pace, pace.room, 2 + 100 * number)
            pace.answered(ids[-1])
            self.assertEqual(pace.room, room)

    def test_little_use(self) -> None:
        """It does not grow by what is far below it."""
        pace = Pace(16, 480)
        for id in range(2, 4002, 2):
            pace.opened(id)
            pace.answered(id)
        self.assertEqual(pace.room, 16)

    def test_start(self) -> None:
        """It starts no higher than the most."""
        self.assertEqual(Pace(112, 5).room, 5)

    def test_refused(self) -> None:
        """It halves at a refusal; those that were under way then count as the same one, later ones as another."""
        pace = Pace(64, 480)
        ids = self.opened(pace, 64)
        for id in ids[-4:]:
            pace.refused(id)
        self.assertEqual(pace.room, 32 - 60)
        self.assertFalse(pace.answered(ids[20]))  # there is no room yet
        self.assertTrue(pace.answered(ids[-1]))
        room = pace.room
        self.assertGreaterEqual(room, 32)
        (later,) = self.opened(pace, 1, 1000)
        pace.refused(later)
        self.assertEqual(pace.room, room // 2)

    def test_put_off(self) -> None:
        """One that will be opened again counts on, whoever is answered meanwhile, until it is opened or given up."""
        pace = Pace(LEAST, LEAST)
        ids = self.opened(pace, LEAST)
        for id in ids[-3:]:
            self.assertTrue(pace.refused(id))
            pace.put_off(id)
        self.assertEqual(pace.room, 0)
        self.assertTrue(pace.answered(ids[-1]))
        self.assertEqual(pace.room, LEAST - 3)
        for id in ids[-3:]:
            pace.forget(id)
        self.assertEqual(pace.room, LEAST)
        self.opened(pace, LEAST, 1000)
        self.assertFalse(pace.refused(4))

    def test_least(self) -> None:
        """It does not come to nothing."""
        pace = Pace(64, 480)
        for id in range(2, 42, 2):
            pace.opened(id)
            pace.refused(id)
        self.assertEqual(pace.room, LEAST)

    def test_ease(self) -> None:
        """An agent that does not say when it comes to streams is taken to have done so, when nothing moved for a while."""
        pace = Pace(16, 16)
        self.assertFalse(pace.ease())
        ids = self.opened(pace, 16)
        self.assertTrue(pace.ease())
        self.assertEqual(pace.room, 16)
        ids = self.opened(pace, 16, 1000)
        pace.answered(ids[0])
        self.assertEqual((pace.ease(), pace.room), (False, 1))
        pace.ease()
        self.assertEqual(pace.room, 16)

    @given(st.lists(st.sampled_from(["open", "answer", "refuse", "forget", "ease"]), max_size=200), st.data())
    def test_whatever_happens(self, steps: list[str], data: st.DataObject) -> None:
        """The bound stays between the least and the most, and when all are answered all of it is free."""
        pace, next = Pace(16, 40), 2
        for step in steps:
            if step == "open" and pace.room > 0:
                pace.opened(next)
                next += 2
            elif step == "ease":
                pace.ease()
            elif step != "open" and next > 2:
                {"answer": pace.answered, "refuse": pace.refused, "forget": pace.forget}[step](
                    data.draw(st.integers(1, next // 2 - 1)) * 2
                )
            self.assertLessEqual(pace.room, 40)
        pace.answered(next)
        self.assertTrue(LEAST <= pace.room <= 40, pace.room)
