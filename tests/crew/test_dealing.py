"""
Tests of `ngrok_twisted.crew.dealing`.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.crew.dealing import LOGIN_LAG, Dealer


class DealerTests(SynchronousTestCase):
    """Three places: the main process and two workers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions: Counter[int] = Counter()
        self.dealer = Dealer(self.sessions.__getitem__, self.clock.seconds)

    def deal(self, times: int) -> Counter[int]:
        """Where so many agents go."""
        return Counter(self.dealer.next((1, 2)) for _ in range(times))

    def test_storm(self) -> None:
        """Many who come at once, before one of them has logged in, are spread evenly."""
        self.assertEqual(self.deal(300), {0: 100, 1: 100, 2: 100})

    def test_alone(self) -> None:
        """Without workers all stay here."""
        self.assertEqual([self.dealer.next(()) for _ in range(3)], [0, 0, 0])

    def test_fewest(self) -> None:
        """Whoever has fewer sessions gets the next, until they are equal."""
        self.sessions.update({0: 10, 1: 10})
        self.assertEqual(self.deal(10), {2: 10})
        self.assertEqual(self.deal(30), {0: 10, 1: 10, 2: 10})

    def test_logged_in(self) -> None:
        """An agent that was dealt is counted once, as soon as it has had time to log in."""
        self.deal(300)
        self.clock.advance(LOGIN_LAG + 1)
        self.sessions.update({0: 100, 1: 100, 2: 99})
        self.assertEqual(self.dealer.next((1, 2)), 2)

    def test_strangers(self) -> None:
        """Those who never log in are forgotten."""
        self.assertEqual(Counter(self.dealer.next((1,)) for _ in range(100)), {0: 50, 1: 50})
        self.clock.advance(LOGIN_LAG + 1)
        self.sessions.update({0: 1, 1: 1})
        self.assertEqual(self.dealer.next((1, 2)), 2)

    def test_taking_turns(self) -> None:
        """Equals take turns, even when they come one by one."""
        places = []
        for _ in range(6):
            places.append(self.dealer.next((1, 2)))
            self.clock.advance(LOGIN_LAG + 1)
        self.assertEqual(Counter(places), {0: 2, 1: 2, 2: 2})

    def test_back(self) -> None:
        """Of a worker that is gone nothing is remembered, since its number is never given again."""
        self.deal(30)
        for _ in range(10):
            self.dealer.next((1,))
        self.assertEqual(set(self.dealer._dealt), {0, 1})
