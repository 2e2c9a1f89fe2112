"""
Tests for `ngrok_twisted.circuit`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.circuit import ALLOW, ALLOW_WHILE_OPEN, BLOCK, CLOSED, HALF_OPEN, OPEN, Circuit, CircuitLimits

OK, FAILED, LEFT = False, True, None


def limits(**changes: float) -> CircuitLimits:
    """Half of at least four in ten seconds, in ten parts; then ten seconds' peace."""
    values = {"error_threshold": 0.5, "volume": 4, "window": 10.0, "buckets": 10, "tripped": 10.0, **changes}
    return CircuitLimits(**values)  # type: ignore[arg-type]


class Driver:
    """
    A circuit, its clock, and the requests under way.
    """

    def __init__(self, **changes: float) -> None:
        self.circuit = Circuit(limits(**changes))
        self.now = 1000.0

    def ask(self) -> tuple[str, int]:
        """What is decided, and the epoch to answer with."""
        decision = self.circuit.ask(self.now)
        return decision, self.circuit.epoch

    def end(self, epoch: int, outcome: bool | None) -> None:
        """A request ends."""
        if outcome is None:
            self.circuit.abandon(epoch, self.now)
        else:
            self.circuit.record(epoch, outcome, self.now)

    def run(self, *outcomes: bool | None) -> list[str]:
        """One request after the other; those that are blocked come to nothing."""
        decisions = []
        for outcome in outcomes:
            decision, epoch = self.ask()
            decisions.append(decision)
            if decision != BLOCK:
                self.end(epoch, outcome)
        return decisions

    def allows(self) -> bool:
        """Hystrix's ``allowRequest``, which changes nothing."""
        circuit = self.circuit
        return circuit.state == CLOSED or circuit.state == OPEN and circuit.seconds_left(self.now) <= 0


class HystrixTests(SynchronousTestCase):
    """
    The published behaviour: sequences and states from Netflix/Hystrix's ``HystrixCircuitBreakerTest``, with its settings for
    unit tests (40 % of at least one request, inclusive; 0.2 s until a single test).
    """

    def driver(self, volume: int = 1) -> Driver:
        """Hystrix reads its counts after the requests, not with each: the volume of a table makes that no difference."""
        return Driver(error_threshold=0.4, inclusive=True, volume=volume, window=5.0, buckets=5, tripped=0.2)

    def test_trips(self) -> None:
        """Four successes leave it closed; four failures after them open it."""
        driver = self.driver(8)
        driver.run(OK, OK, OK, OK)
        self.assertTrue(driver.allows())
        driver.run(FAILED, FAILED, FAILED, FAILED)
        self.assertFalse(driver.allows())
        self.assertEqual(driver.circuit.state, OPEN)

    def test_above_the_threshold(self) -> None:
        """Four failures among eight requests open it, in whatever order they come."""
        driver = self.driver(8)
        driver.run(OK, OK, FAILED, OK, FAILED, OK, FAILED, FAILED)
        self.assertFalse(driver.allows())

    def test_below_the_threshold(self) -> None:
        """Three failures among eight requests leave it closed."""
        driver = self.driver(8)
        driver.run(OK, OK, FAILED, OK, FAILED, OK, OK, FAILED)
        self.assertTrue(driver.allows())
        self.assertEqual(driver.circuit.state, CLOSED)

    def test_low_volume(self) -> None:
        """Four failures are too few to say anything where five requests are asked for."""
        driver = self.driver(5)
        driver.run(FAILED, FAILED, FAILED, FAILED)
        self.assertTrue(driver.allows())

    def test_single_test(self) -> None:
        """After the time one request passes; the circuit still counts as open, and nobody else passes."""
        driver = self.driver()
        driver.run(FAILED)
        self.assertFalse(driver.allows())
        driver.now += 0.25
        self.assertTrue(driver.allows())
        self.assertEqual(driver.ask()[0], ALLOW_WHILE_OPEN)
        self.assertEqual(driver.circuit.state, HALF_OPEN)
        self.assertFalse(driver.allows())
        self.assertEqual(driver.ask()[0], BLOCK)

    def test_closes_after_success(self) -> None:
        """The success of the single test closes it, and the failures of before are forgotten."""
        driver = self.driver()
        driver.run(FAILED)
        driver.now += 0.25
        self.assertEqual(driver.run(OK), [ALLOW_WHILE_OPEN])
        self.assertEqual(driver.circuit.state, CLOSED)
        self.assertEqual((driver.circuit.total, driver.circuit.errors), (0, 0))
        self.assertEqual(driver.run(OK, OK, OK), [ALLOW] * 3)

    def test_many_windows(self) -> None:
        """Each failed test costs the whole time again, until one succeeds."""
        driver = self.driver()
        driver.run(FAILED)
        for _ in range(2):
            driver.now += 0.25
            self.assertEqual(driver.run(FAILED, OK, OK), [ALLOW_WHILE_OPEN, BLOCK, BLOCK])
        driver.now += 0.25
        self.assertEqual(driver.run(OK, OK), [ALLOW_WHILE_OPEN, ALLOW])

    def test_unsubscribed(self) -> None:
        """A single test that is abandoned leaves it open for the whole time again, and not for ever."""
        driver = self.driver()
        driver.run(FAILED)
        driver.now += 0.25
        self.assertEqual(driver.run(LEFT, OK), [ALLOW_WHILE_OPEN, BLOCK])
        driver.now += 0.25
        self.assertEqual(driver.run(OK, OK), [ALLOW_WHILE_OPEN, ALLOW])


class CircuitTests(SynchronousTestCase):
    """What Hystrix leaves open."""

    def test_eleven_of_twenty(self) -> None:
        """One half is borne: eleven failures in twenty requests are too many, ten are not (specification, section 15)."""
        driver = Driver(volume=20)
        driver.run(*[FAILED] * 10, *[OK] * 10)
        self.assertEqual(driver.circuit.state, CLOSED)
        driver = Driver(volume=20)
        driver.run(*[FAILED] * 11, *[OK] * 9)
        self.assertEqual(driver.circuit.state, OPEN)
        driver.now += 9.9
        self.assertEqual(driver.run(OK), [BLOCK])
        driver.now += 0.1
        self.assertEqual(driver.run(OK), [ALLOW_WHILE_OPEN])

    def test_inclusive(self) -> None:
        """At a threshold of one, all have failed, and that must be enough."""
        driver = Driver(error_threshold=1.0, inclusive=True)
        driver.run(FAILED, FAILED, FAILED, FAILED)
        self.assertEqual(driver.circuit.state, OPEN)

    def test_exact_share(self) -> None:
        """A share such as one tenth is compared as what it is, not as its neighbour."""
        for inclusive, state in ((False, CLOSED), (True, OPEN)):
            driver = Driver(error_threshold=0.1, volume=30, inclusive=inclusive)
            driver.run(*[FAILED] * 3, *[OK] * 27)
            self.assertEqual(driver.circuit.state, state)

    def test_window(self) -> None:
        """A request counts for the window's length, and leaves with its bucket."""
        driver = Driver()
        driver.run(FAILED, FAILED, FAILED)
        driver.now += 9.9
        driver.run(OK)
        self.assertEqual((driver.circuit.state, driver.circuit.total), (OPEN, 4))
        driver = Driver()
        driver.run(FAILED, FAILED, FAILED)
        driver.now += 10.0
        driver.run(OK, FAILED, FAILED)
        self.assertEqual((driver.circuit.state, driver.circuit.total), (CLOSED, 3))

    def test_late_answers(self) -> None:
        """What was under way when the circuit opened says nothing about it any more."""
        driver = Driver()
        _, before = driver.ask()
        driver.run(FAILED, FAILED, FAILED, FAILED)
        driver.end(before, OK)
        self.assertEqual(driver.circuit.state, OPEN)
        driver.now += 10.0
        _, probe = driver.ask()
        driver.end(before, OK)
        driver.end(before, LEFT)
        self.assertEqual(driver.circuit.state, HALF_OPEN)
        driver.end(probe, OK)
        driver.end(before, FAILED)
        self.assertEqual((driver.circuit.state, driver.circuit.total), (CLOSED, 0))

    def test_probe_hangs(self) -> None:
        """A probe without an answer holds the others up no longer than an open circuit does; its answer comes too late."""
        driver = Driver()
        driver.run(FAILED, FAILED, FAILED, FAILED)
        driver.now += 10.0
        _, first = driver.ask()
        driver.now += 9.9
        self.assertEqual(driver.ask()[0], BLOCK)
        driver.now += 0.1
        decision, second = driver.ask()
        self.assertEqual(decision, ALLOW_WHILE_OPEN)
        driver.end(first, OK)
        self.assertEqual(driver.circuit.state, HALF_OPEN)
        driver.end(second, OK)
        self.assertEqual(driver.circuit.state, CLOSED)

    def test_abandoned_while_closed(self) -> None:
        """A visitor who leaves is no failure."""
        driver = Driver(volume=1)
        driver.run(LEFT, LEFT)
        self.assertEqual((driver.circuit.state, driver.circuit.total), (CLOSED, 0))

    def test_clock_is_set_back(self) -> None:
        """An hour less on the clock keeps nobody waiting for an hour, and old requests still leave the window."""
        driver = Driver()
        driver.run(FAILED, FAILED, FAILED, FAILED)
        driver.now -= 3600.0
        self.assertEqual(driver.run(OK), [BLOCK])
        driver.now += 10.0
        self.assertEqual(driver.run(OK, FAILED, FAILED), [ALLOW_WHILE_OPEN, ALLOW, ALLOW])
        driver.now -= 3600.0
        driver.run(OK)
        self.assertEqual(driver.circuit.total, 3)
        driver.now += 10.0
        driver.run(OK)
        self.assertEqual(driver.circuit.total, 1)

    def test_changes_are_told(self) -> None:
        """Whoever records an outcome is told whether it made a difference."""
        circuit = Circuit(limits(volume=1))
        self.assertFalse(circuit.record(0, OK, 1.0))
        self.assertFalse(circuit.record(0, FAILED, 1.0))
        self.assertTrue(circuit.record(0, FAILED, 1.0))
        self.assertEqual(circuit.ask(11.0), ALLOW_WHILE_OPEN)
        self.assertTrue(circuit.record(circuit.epoch, OK, 11.0))


class Model:
    """
    The same, told in another way: every outcome is kept with its time, and all is worked out anew each time.
    """

    def __init__(self, limits: CircuitLimits) -> None:
        self.limits = limits
        self.outcomes: list[tuple[float, bool]] = []
        self.probe: object = None
        self.open_until: float | None = None
        self.era = 0

    def ask(self, now: float) -> tuple[str, int]:
        if self.open_until is None:
            return ALLOW, self.era
        if now < self.open_until:
            return BLOCK, self.era
        self.era += 1
        self.probe, self.open_until = self.era, now + self.limits.tripped
        return ALLOW_WHILE_OPEN, self.era

    def end(self, era: int, outcome: bool | None, now: float) -> None:
        if era != self.era:
            return
        if self.probe is not None:
            if outcome is OK:
                self.outcomes, self.probe, self.open_until = [], None, None
                self.era += 1
            else:
                self._open(now)
        elif outcome is not None and self.open_until is None:
            self.outcomes.append((now, outcome))
            width = self.limits.window / self.limits.buckets
            oldest = int(now / width) - self.limits.buckets
            counted = [failed for when, failed in self.outcomes if int(when / width) > oldest]
            share = sum(counted) / len(counted)
            if len(counted) >= self.limits.volume and share > self.limits.error_threshold:
                self._open(now)

    def _open(self, now: float) -> None:
        self.probe, self.open_until = None, now + self.limits.tripped
        self.era += 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, 12.0]),  # the time that passes
        st.sampled_from(["ask", OK, FAILED, FAILED, LEFT, "look"]),  # what happens then
        st.integers(0, 5),  # to which of those under way
    ),
    max_size=120,
)


class CountsTests(SynchronousTestCase):
    """What can be seen of a circuit."""

    def test_rest(self) -> None:
        """Counts leave the window though nobody asks any more; a clock that is set back takes none away."""
        driver = Driver(volume=100, window=10.0, buckets=10)
        driver.run(FAILED, OK)
        self.assertEqual(driver.circuit.counts(driver.now), (2, 1))
        self.assertEqual(driver.circuit.counts(driver.now - 500), (2, 1))
        self.assertEqual(driver.circuit.counts(driver.now + 5), (2, 1))
        self.assertEqual(driver.circuit.counts(driver.now + 11), (0, 0))


class ModelTests(SynchronousTestCase):
    """The circuit and a model that is too slow to be wrong."""

    @settings(max_examples=300, deadline=None)
    @given(steps=STEPS, buckets=st.integers(1, 16), volume=st.integers(0, 6), share=st.sampled_from([0.0, 0.3, 0.5]))
    def test_same_decisions(
        self, steps: list[tuple[float, object, int]], buckets: int, volume: int, share: float
    ) -> None:
        """Whatever happens in whatever order, both decide alike, also if somebody looks at one of them meanwhile."""
        driver = Driver(buckets=buckets, volume=volume, error_threshold=share, window=8.0, tripped=4.0)
        model = Model(driver.circuit.limits)
        under_way: list[tuple[int, int]] = []
        for passes, what, which in steps:
            driver.now += passes
            if what == "look":
                self.assertEqual(driver.circuit.counts(driver.now), (driver.circuit.total, driver.circuit.errors))
            elif what == "ask" or not under_way:
                decision, epoch = driver.ask()
                expected, era = model.ask(driver.now)
                self.assertEqual(decision, expected)
                if decision != BLOCK:
                    under_way.append((epoch, era))
            else:
                epoch, era = under_way.pop(which % len(under_way))
                driver.end(epoch, what)  # type: ignore[arg-type]
                model.end(era, what, driver.now)  # type: ignore[arg-type]
            self.assertEqual(driver.circuit.state != CLOSED, model.open_until is not None)
            self.assertEqual(driver.circuit.errors, sum(driver.circuit._errors))
            self.assertEqual(driver.circuit.total, sum(driver.circuit._totals))
