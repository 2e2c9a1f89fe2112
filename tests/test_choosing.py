"""
Tests for `ngrok_twisted.choosing`.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.choosing import REST, Chooser, Load
from ngrok_twisted.flow import Flow


def flow_at(now: float) -> Flow:
    """A flow that begins now."""
    return Flow("192.0.2.1", 1, "https", now)


class LoadTests(SynchronousTestCase):
    """What is known of one target."""

    def test_rest(self) -> None:
        """A target rests for some seconds after it could not be reached, and not before."""
        load = Load("tn_1")
        self.assertFalse(load.rests(0.0))
        load.missed_at = 100.0
        self.assertEqual([load.rests(now) for now in (100.0, 99.9 + REST, 100.0 + REST)], [True, True, False])

    def test_reached(self) -> None:
        """One that is reached again rests no longer."""
        load = Load("tn_1")
        load.missed_at = 100.0
        load.reached()
        self.assertFalse(load.rests(100.0))


class ChooserTests(SynchronousTestCase):
    """Which one gets a flow."""

    def setUp(self) -> None:
        self.chooser = Chooser(Random(1))

    def members(self, count: int) -> tuple[Load, ...]:
        return tuple(Load(f"tn_{number}") for number in range(count))

    def firsts(self, members: tuple[Load, ...], count: int, now: float = 0.0) -> Counter[Any]:
        """Who gets how many of so many short flows."""
        return Counter(self.chooser.first(members, now).target for _ in range(count))

    def test_one(self) -> None:
        """Who is alone gets everything, resting or not."""
        (load,) = members = self.members(1)
        load.missed_at = 5.0
        self.assertEqual(list(self.chooser.candidates(members, flow_at(5.0))), ["tn_0"])

    def test_taking_turns(self) -> None:
        """Members that are equally busy get exactly the same."""
        for count in (2, 3, 7, 100):
            members = self.members(count)
            self.assertEqual(set(self.firsts(members, 5 * count).values()), {5}, count)

    @given(st.integers(2, 30), st.integers(1, 300))
    @settings(max_examples=50, deadline=None)
    def test_long_flows_are_spread(self, count: int, flows: int) -> None:
        """Flows that stay are dealt out evenly: nobody has more than one above the others."""
        members = self.members(count)
        chooser = Chooser(Random(count))
        for _ in range(flows):
            flow_at(0.0).go_to(chooser.first(members, 0.0))
        self.assertLessEqual(max(load.flows for load in members) - min(load.flows for load in members), 1)

    def test_slow_member(self) -> None:
        """A member on which flows pile up gets only what nobody else is drawn for: nothing at all, while it is the busier."""
        members = self.members(10)
        members[3].flows = 50
        found = self.firsts(members, 1000)
        self.assertNotIn("tn_3", found)
        self.assertTrue(all(60 < number < 170 for number in found.values()), found)

    def test_members_finish_at_different_speeds(self) -> None:
        """Of two members the one that is three times as fast gets about three times as much."""
        members = self.members(2)
        open_flows: list[tuple[int, Flow]] = []
        got: Counter[Any] = Counter()
        for now in range(4000):
            for _, flow in [pair for pair in open_flows if pair[0] <= now]:
                flow.finish(float(now))
            open_flows = [pair for pair in open_flows if pair[0] > now]
            flow = flow_at(float(now))
            load = self.chooser.first(members, float(now))
            flow.go_to(load)
            got[load.target] += 1
            open_flows.append((now + (30 if load is members[0] else 10), flow))
        self.assertTrue(2.5 < got["tn_1"] / got["tn_0"] < 3.5, got)

    def test_rest_is_kept(self) -> None:
        """Who could not be reached gets nothing for a while, and its share is dealt to all others; then it has its turn again."""
        members = self.members(4)
        members[2].missed_at = 100.0
        found = self.firsts(members, 3000, now=101.0)
        self.assertEqual(set(found), {"tn_0", "tn_1", "tn_3"})
        self.assertTrue(all(850 < number < 1150 for number in found.values()), found)
        self.assertEqual(set(self.firsts(members, 8, now=100.0 + REST).values()), {2})

    def test_most_rest(self) -> None:
        """However few are left, they get everything, and each about as much."""
        members = self.members(50)
        for load in members[:-3]:
            load.missed_at = 100.0
        found = self.firsts(members, 3000, now=101.0)
        self.assertEqual(set(found), {"tn_47", "tn_48", "tn_49"})
        self.assertTrue(all(800 < number < 1200 for number in found.values()), found)

    def test_all_rest(self) -> None:
        """Where nobody else is left, those who rest are asked after all."""
        members = self.members(3)
        for load in members:
            load.missed_at = 100.0
        self.assertEqual(set(self.firsts(members, 100, now=101.0)), {"tn_0", "tn_1", "tn_2"})

    def test_any(self) -> None:
        """Where members cannot be compared chance decides, but for those who rest."""
        members = self.members(4)
        members[0].flows = 99
        members[2].missed_at = 100.0
        found = Counter(self.chooser.any(members, 101.0).target for _ in range(3000))
        self.assertEqual(set(found), {"tn_0", "tn_1", "tn_3"})
        self.assertTrue(all(850 < number < 1150 for number in found.values()), found)
        members = members[2:3]
        self.assertIs(self.chooser.any(members, 101.0), members[0])

    def test_order(self) -> None:
        """After the first come the others, the least busy first; those who rest come last, the longest rested first."""
        members = self.members(6)
        chosen = self.chooser.first(members, 20.0)
        others = [load for load in members if load is not chosen]
        for load, flows in zip(others, (7, 5, 6)):
            load.flows = flows
        others[3].missed_at, others[4].missed_at = 19.0, 18.0
        chooser = Chooser(Random(1))
        flow, order = flow_at(20.0), []
        for target in chooser.candidates(members, flow):
            order.append(target)
            flow.missed(target, 20.0)
        self.assertEqual(order, [chosen.target, *(others[index].target for index in (1, 2, 0, 4, 3))])

    def test_what_others_find_out(self) -> None:
        """Who was found out by another flow while this one waited is not asked next."""
        members = self.members(3)
        flow = flow_at(0.0)
        candidates = self.chooser.candidates(members, flow)
        first = next(candidates)
        second, third = (load for load in members if load.target != first)
        second.missed_at = 9.0
        flow.missed(first, 10.0)
        self.assertEqual(list(candidates), [third.target, second.target])

    @given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0.0, 50.0, 99.0))), min_size=1, max_size=12))
    @settings(max_examples=100, deadline=None)
    def test_everyone_once(self, states: list[tuple[int, float]]) -> None:
        """Whatever is known of them, all members are tried, each once, and the flow is counted with one at a time."""
        members = self.members(len(states))
        for load, (flows, missed_at) in zip(members, states):
            load.flows, load.missed_at = flows, missed_at
        flow, before, order = flow_at(100.0), sum(load.flows for load in members), []
        for target in self.chooser.candidates(members, flow):
            self.assertEqual(sum(load.flows for load in members), before + 1)
            order.append(target)
            flow.missed(target, 100.0)
        self.assertEqual(sorted(order), sorted(load.target for load in members))
        flow.finish(101.0)
        self.assertEqual([load.flows for load in members], [flows for flows, _ in states])
