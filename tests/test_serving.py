"""
Tests of `ngrok_twisted.serving`; that it serves is shown by `tests.test_tap` and the functional tests.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config, Listen
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.serving import Serving, make_runtime
from ngrok_twisted.transports.agent.kind import Config as AgentConfig
from ngrok_twisted.tunnels import Tunnels


class ServingTests(SynchronousTestCase):
    """`Serving`."""

    def make(self, **config: Any) -> Serving:
        """What a process with this configuration has."""
        runtime = make_runtime(MemoryReactorClock(), FilePath(self.mktemp()))
        return Serving(replace(Config(), **config), runtime, Tunnels(), SimpleNamespace(traffic=False))

    def test_observers(self) -> None:
        """Flows are logged and counted only where somebody wants to know."""
        path = self.mktemp()
        for number, config in enumerate(({}, {"access_log": path, "listen": Listen(metrics=("tcp:9090",))})):
            serving = self.make(**config)
            Flow("192.0.2.1", 1, "tls", 0.0, serving.context.observers).finish(1.0)
            for part in serving.parts[-2::-1]:  # as they are stopped, but for the one that nobody has started
                part.stopService()
            counted = [sample.value for family in serving.flow_metrics.collect() for sample in family.samples]
            self.assertEqual(sum(counted), number)
        self.assertEqual(FilePath(path).getContent().count(b"proto=tls"), 1)

    def test_connections_of_agents(self) -> None:
        """Where there are several processes, each agent has one connection, since all have to come to one of them."""
        agent = AgentConfig(connect_addresses=("a.example:443", "b.example:443"))
        for workers, addresses in ((1, 2), (2, 0)):
            serving = self.make(workers=workers, agent=agent)
            _, agents, _ = serving.let_agents_in(Snapshot, None, Sessions(), lambda id, seconds: None, lambda: None)
            self.assertEqual(len(agents._addresses), addresses)

    def test_gone_tunnels(self) -> None:
        """When a tunnel goes offline, its idle connections are closed."""
        serving = self.make()
        forgotten: list[Any] = []
        self.patch(serving.pool, "forget", forgotten.append)
        tunnel = type("Tunnel", (), dict(id="tn_1", endpoint_id=None, labels={}, url="", session_id=""))()
        serving.tunnels.online(tunnel)
        serving.tunnels.offline(tunnel)
        self.assertEqual(forgotten, [tunnel])
