"""
Tests for `ngrok_twisted.flow`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.choosing import Load
from ngrok_twisted.flow import Flow, number_flows
from tests.edge.doubles import Tunnel


class FlowTests(SynchronousTestCase):
    """One connection or request on its way."""

    def test_numbers(self) -> None:
        """Every flow has a number of its own."""
        flows = [Flow("192.0.2.1", 1, "https", 0.0) for _ in range(3)]
        self.assertEqual(len({flow.number for flow in flows}), 3)

    def test_numbers_of_processes(self) -> None:
        """No process of a server gives a number that another one gives."""
        self.addCleanup(number_flows, 0)
        numbers = set()
        for process in (0, 1, 7):
            number_flows(process)
            numbers.update(Flow("192.0.2.1", 1, "https", 0.0).number for _ in range(3))
        self.assertEqual(len(numbers), 9)

    def test_finish(self) -> None:
        """At its end the tunnel is told, then every observer, once."""
        seen: list[Any] = []
        flow = Flow("192.0.2.1", 1, "https", 1.0, (seen.append, lambda flow: seen.append(flow.ended)))
        flow.tunnel = tunnel = Tunnel("tn_1", "ep_1")
        flow.finish(5.0)
        flow.finish(6.0)
        self.assertEqual((seen, tunnel.seen, flow.ended), ([flow, 5.0], [flow], 5.0))

    def test_broken_observer(self) -> None:
        """An observer that fails is logged, and keeps nobody else from being told."""
        seen: list[Any] = []

        def broken(flow: Flow) -> None:
            raise OSError("the disk is full")

        flow = Flow("192.0.2.1", 1, "tcp", 1.0, (broken, seen.append))
        flow.finish(5.0)
        self.assertEqual(seen, [flow])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_without_tunnel(self) -> None:
        """A flow that nobody answered ends as well."""
        seen: list[Any] = []
        flow = Flow("192.0.2.1", 1, "tcp", 1.0, (seen.append,))
        flow.finish(5.0)
        self.assertEqual(seen, [flow])

    def test_load(self) -> None:
        """A flow is counted with one target at a time, and with none once it is over."""
        one, two = Load("one"), Load("two")
        flow = Flow("192.0.2.1", 1, "tcp", 1.0)
        flow.go_to(one)
        self.assertEqual((one.flows, two.flows), (1, 0))
        flow.go_to(two)
        self.assertEqual((one.flows, two.flows), (0, 1))
        flow.finish(5.0)
        flow.go_to(one)
        self.assertEqual((one.flows, two.flows), (0, 0))

    def test_missed(self) -> None:
        """A target that could not be reached is remembered by the flow and by whoever asks next, until it is reached."""
        load = Load("one")
        flow = Flow("192.0.2.1", 1, "tcp", 1.0)
        flow.go_to(load)
        flow.missed("one", 4.0)
        self.assertEqual((flow.tried, load.flows, load.rests(5.0)), (("one",), 0, True))
        again = Flow("192.0.2.1", 1, "tcp", 5.0)
        again.go_to(load)
        again.reached()
        self.assertFalse(load.rests(5.0))

    def test_missed_another(self) -> None:
        """What stands between the chosen target and the one that failed is not held against it."""
        load = Load("one")
        flow = Flow("192.0.2.1", 1, "tcp", 1.0)
        flow.missed("address", 2.0)
        flow.go_to(load)
        flow.missed("address", 3.0)
        self.assertEqual((flow.tried, load.flows, load.rests(3.0)), (("address", "address"), 1, False))

    def test_variables(self) -> None:
        """What is remembered is there for the steps behind, and costs nothing where there is nothing."""
        flow = Flow("192.0.2.1", 1, "https", 1.0)
        self.assertIsNone(flow.variables)
        flow.remember("user", "ada")
        flow.remember("user", "eve")
        self.assertEqual(flow.variables, {"user": "eve"})
