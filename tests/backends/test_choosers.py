"""
What every backend kind promises, and the shares that each one deals.
"""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.backends.failover import Failover, FailoverConfig
from ngrok_twisted.backends.http_response import HTTPResponse, HTTPResponseConfig
from ngrok_twisted.backends.static import Static, StaticConfig
from ngrok_twisted.backends.tunnel_group import TunnelGroup, TunnelGroupConfig
from ngrok_twisted.backends.weighted import Weighted, WeightedConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.tunnels import Tunnels


class Fixed:
    """A backend that always offers the same targets."""

    def __init__(self, *targets: str) -> None:
        self.targets = targets

    def candidates(self, flow: Flow) -> Iterator[str]:
        """IBackend."""
        return iter(self.targets)


class Labelled:
    """As much of a tunnel as the table looks at."""

    endpoint_id = None
    session_id = "ts_1"
    url = ""

    def __init__(self, id: str, labels: dict[str, str], account_id: str = "ac_1") -> None:
        self.id = id
        self.labels = labels
        self.account_id = account_id


class ChooserTests(SynchronousTestCase):
    """Backends choose without waiting."""

    def setUp(self) -> None:
        self.tunnels = Tunnels()
        self.others: dict[str, Any] = {"a": Fixed("a1", "a2"), "b": Fixed("b1"), "none": Fixed()}
        self.context = BackendContext(
            tunnels=self.tunnels,
            account_id="ac_1",
            find=self.others.__getitem__,
            random=Random(1),
            reactor=MemoryReactorClock(),
        )
        self.flow = Flow("192.0.2.1", 1, "https", 0.0)

    def test_interfaces(self) -> None:
        """Every kind provides what discovery looks for, and its instances what the edge asks."""
        for kind, config in (
            (TunnelGroup, TunnelGroupConfig(labels={"app": "web"})),
            (HTTPResponse, HTTPResponseConfig()),
            (Failover, FailoverConfig(backends=("a",))),
            (Weighted, WeightedConfig(backends={"a": 1})),
            (Static, StaticConfig(address="localhost:1")),
        ):
            self.assertTrue(IBackendKind.providedBy(kind), kind)
            verifyObject(IBackend, kind(config, self.context))

    def test_tunnel_group(self) -> None:
        """Only the account's tunnels that carry all of the labels are members, and each is first about as often."""
        members = [Labelled(f"tn_{n}", {"app": "web", "dc": "eu"}) for n in range(3)]
        for tunnel in [*members, Labelled("tn_x", {"dc": "eu"}), Labelled("tn_y", {"app": "web"}, "ac_2")]:
            self.tunnels.online(tunnel)
        group = TunnelGroup(TunnelGroupConfig(labels={"app": "web"}), self.context)
        firsts: Counter[str] = Counter()
        for _ in range(30):
            flow = Flow("192.0.2.1", 1, "https", 0.0)
            candidates = list(group.candidates(flow))
            flow.finish(1.0)
            self.assertEqual(set(candidates), set(members))
            firsts[candidates[0].id] += 1
        self.assertEqual(firsts, {"tn_0": 10, "tn_1": 10, "tn_2": 10})

    def test_tunnel_groups_share_what_they_know(self) -> None:
        """Whoever is busy for one group is so for another; whoever could not be reached by one is left alone by both."""
        one, two = Labelled("tn_1", {"app": "web", "dc": "eu"}), Labelled("tn_2", {"app": "web", "dc": "eu"})
        self.tunnels.online(one)
        self.tunnels.online(two)
        web = TunnelGroup(TunnelGroupConfig(labels={"app": "web"}), self.context)
        europe = TunnelGroup(TunnelGroupConfig(labels={"dc": "eu"}), self.context)
        long = Flow("192.0.2.1", 1, "tcp", 0.0)
        busy = next(web.candidates(long))
        free = two if busy is one else one

        def ask(backend: TunnelGroup) -> Any:
            flow = Flow("192.0.2.1", 1, "https", 1.0)
            chosen = next(backend.candidates(flow))
            flow.finish(2.0)
            return chosen

        self.assertEqual([ask(europe) for _ in range(4)], [free] * 4)
        flow = Flow("192.0.2.1", 1, "https", 1.0)
        candidates = europe.candidates(flow)
        self.assertIs(next(candidates), free)
        flow.missed(free, 1.0)
        self.assertIs(next(candidates), busy)
        flow.finish(2.0)
        self.assertEqual([ask(web) for _ in range(4)], [busy] * 4)

    def test_tunnel_group_follows_the_table(self) -> None:
        """Members come and go with the agents."""
        group = TunnelGroup(TunnelGroupConfig(labels={"app": "web"}), self.context)
        self.assertEqual(list(group.candidates(self.flow)), [])
        tunnel = Labelled("tn_1", {"app": "web"})
        self.tunnels.online(tunnel)
        self.assertEqual(list(group.candidates(self.flow)), [tunnel])
        self.tunnels.offline(tunnel)
        self.assertEqual(list(group.candidates(self.flow)), [])

    def test_failover(self) -> None:
        """The preferred backend's candidates come first, the others are kept for later."""
        failover = Failover(FailoverConfig(backends=("none", "b", "a")), self.context)
        self.assertEqual(list(failover.candidates(self.flow)), ["b1", "a1", "a2"])

    def test_weighted_exact(self) -> None:
        """Over a whole round every backend gets exactly its share, and a zero weight gets none."""
        self.others = {"a": Fixed("a"), "b": Fixed("b"), "c": Fixed("c")}
        context = BackendContext(
            tunnels=self.tunnels, account_id="ac_1", find=self.others.__getitem__, random=Random(1)
        )
        weighted = Weighted(WeightedConfig(backends={"a": 90, "b": 10, "c": 0}), context)
        for _ in range(5):
            round_ = [next(weighted.candidates(self.flow)) for _ in range(100)]
            self.assertEqual(Counter(round_), {"a": 90, "b": 10})

    @given(
        st.lists(st.integers(0, 10_000) | st.sampled_from((0, 1, 10_000)), min_size=1, max_size=25),
        st.integers(1, 400),
    )
    @settings(max_examples=60, deadline=None)
    def test_weighted_never_far(self, weights: list[int], count: int) -> None:
        """After any number of flows every backend had its exact share, but for less than one flow."""
        find: Any = lambda id: Fixed(id)
        context = BackendContext(tunnels=self.tunnels, account_id="ac_1", find=find, random=Random(1))
        config = WeightedConfig(backends={str(number): weight for number, weight in enumerate(weights)})
        weighted, total = Weighted(config, context), sum(weights)
        had = [0] * len(weights)
        for turn in range(1, count + 1 if total else 1):
            had[int(next(weighted.candidates(self.flow)))] += 1
            for weight, number in zip(weights, had):
                self.assertLess(abs(number * total - weight * turn), total)

    def test_weighted_spread_out(self) -> None:
        """A small share is not served in a row."""
        self.others = {"a": Fixed("a"), "b": Fixed("b"), "c": Fixed("c")}
        context = BackendContext(
            tunnels=self.tunnels, account_id="ac_1", find=self.others.__getitem__, random=Random(1)
        )
        weighted = Weighted(WeightedConfig(backends={"a": 5, "b": 1, "c": 1}), context)
        order = "".join(next(weighted.candidates(self.flow)) for _ in range(21))
        self.assertEqual(order, order[:7] * 3)
        self.assertNotIn("bc", order)
        self.assertNotIn("cb", order)

    def test_weighted_at_once(self) -> None:
        """Shares hold also where many flows are under way at once, and some of them turn to others."""
        self.others.update(a=Fixed("a"), b=Fixed("b"))
        weighted = Weighted(WeightedConfig(backends={"a": 3, "b": 1}), self.context)
        under_way = [weighted.candidates(self.flow) for _ in range(8)]
        firsts = [next(candidates) for candidates in under_way]
        self.assertEqual(Counter(firsts), {"a": 6, "b": 2})
        self.assertEqual(
            [next(candidates) for candidates in under_way], ["a" if first == "b" else "b" for first in firsts]
        )
        self.assertEqual(Counter(next(weighted.candidates(self.flow)) for _ in range(8)), {"a": 6, "b": 2})

    def test_weighted_passes_over_the_empty(self) -> None:
        """A backend that has nobody loses its turn to the next."""
        weighted = Weighted(WeightedConfig(backends={"none": 50, "b": 50}), self.context)
        self.assertEqual([next(weighted.candidates(self.flow)) for _ in range(10)], ["b1"] * 10)

    def test_weighted_retries(self) -> None:
        """After the one whose turn it is come all others, drawn by their weights, and never one of weight zero."""
        self.others.update(a=Fixed("a"), b=Fixed("b"), c=Fixed("c"), d=Fixed("d"))
        weighted = Weighted(WeightedConfig(backends={"a": 1, "b": 8, "c": 1, "d": 0}), self.context)
        orders = [list(weighted.candidates(self.flow)) for _ in range(5000)]
        self.assertTrue(all(sorted(order) == ["a", "b", "c"] for order in orders))
        seconds = Counter(order[1] for order in orders if order[0] == "a")
        self.assertTrue(0.85 < seconds["b"] / seconds.total() < 0.93, seconds)

    def test_weighted_nested(self) -> None:
        """Inside another backend one is drawn, and what comes after it is for the outer one to say."""
        self.others.update(a=Fixed("a"), none=Fixed())
        weighted = Weighted(WeightedConfig(backends={"a": 1, "none": 1}), replace(self.context, nested=True))
        orders = [list(weighted.candidates(self.flow)) for _ in range(10)]
        self.assertEqual(sorted(orders), [[]] * 5 + [["a"]] * 5)

    def test_weighted_nothing(self) -> None:
        """Where all weights are zero nobody is asked."""
        weighted = Weighted(WeightedConfig(backends={"a": 0, "b": 0}), self.context)
        self.assertEqual(list(weighted.candidates(self.flow)), [])

    def problems(self, config: Any, **fields: Any) -> list[tuple[str, int]]:
        """Where a config is refused, and with which of ngrok's numbers."""
        try:
            config(**fields)
        except InvalidConfig as error:
            return [(problem.path, problem.code) for problem in error.problems]
        return []

    def test_weights(self) -> None:
        """A weight is from 0 to 10,000; each other one is a problem of its own. There are 1 to 25."""
        self.assertEqual(self.problems(WeightedConfig, backends={"a": 0, "b": 10_000}), [])
        self.assertEqual(
            self.problems(WeightedConfig, backends={"a": -1, "b": 10_001, "c": 1}),
            [("backends.a", 6512), ("backends.b", 6512)],
        )
        for count, found in ((0, [("backends", 6511)]), (1, []), (25, []), (26, [("backends", 6511)])):
            self.assertEqual(self.problems(WeightedConfig, backends={str(n): 1 for n in range(count)}), found)

    def test_failover_bounds(self) -> None:
        """A failover has 1 to 10 backends."""
        for count, found in ((0, [("backends", 6513)]), (10, []), (11, [("backends", 6513)])):
            self.assertEqual(self.problems(FailoverConfig, backends=("a",) * count), found)

    def test_label_bounds(self) -> None:
        """A group has 1 to 25 labels of bounded length, without the sign that separates their parts."""
        cases: list[tuple[dict[str, str], list[tuple[str, int]]]] = [
            ({}, [("labels", 6508)]),
            ({str(n): "x" for n in range(25)}, []),
            ({str(n): "x" for n in range(26)}, [("labels", 6508)]),
            ({"k" * 128: "v" * 256}, []),
            ({"": "v"}, [("labels.", 6509)]),
            ({"k" * 129: "v"}, [("labels." + "k" * 128, 6509)]),
            ({"k": ""}, [("labels.k", 6510)]),
            ({"k": "v" * 257}, [("labels.k", 6510)]),
            ({"a=b": "c"}, [("labels.a=b", 6531)]),
            ({"a": "b=c"}, [("labels.a", 6531)]),
        ]
        for labels, found in cases:
            self.assertEqual(self.problems(TunnelGroupConfig, labels=labels), found)

    def test_unknown_backend(self) -> None:
        """A reference to nothing is found when the backend is made, not when traffic comes."""
        with self.assertRaises(LookupError):
            Failover(FailoverConfig(backends=("nope",)), self.context)
