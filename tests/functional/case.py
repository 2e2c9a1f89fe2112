"""
`EdgeTestCase`: a test against a running edge, with a watchdog and a canary.
"""

from __future__ import annotations

import atexit
import itertools
import json
import signal
from typing import Any, Callable, ClassVar, Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.clients import SSH, Answer, fetch, full_name
from tests.functional.edge import Edge
from tests.functional.service import Service
from tests.functional.waiting import wait_until
from tests.functional.web import Web

_edges: dict[str, "Shared"] = {}
_numbers = itertools.count(1)


class Shared:
    """An edge that several tests use one after another, with a canary: a tunnel that must never stop answering."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge.start()
        self.web = Web("canary")
        self.agent = SSH(edge, [f"{full_name('canary')}:443:127.0.0.1:{self.web.port}"], "http")
        try:
            self.agent.url()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End everything."""
        self.agent.close()
        self.edge.remove()
        self.web.close()


def _close_all() -> None:
    for shared in _edges.values():
        shared.close()
    _edges.clear()


atexit.register(_close_all)


class EdgeTestCase(SynchronousTestCase):
    """
    Tests that share one edge per configuration and process.

    After each test the canary must answer, the process must live, and its log must hold no traceback.

    :cvar config: keys of ``config.yaml`` beside the usual ones.
    :cvar seconds: when the watchdog ends a test.
    """

    config: ClassVar[Mapping[str, Any]] = {}
    seconds: ClassVar[float] = 90

    def setUp(self) -> None:
        """Start the watchdog, and the edge if it is the first test that needs it."""
        self.watch(self.seconds)
        self.edge = self.shared_edge()
        self.addCleanup(self.check_edge, self.edge)

    def watch(self, seconds: float) -> None:
        """End this test with an error when it takes longer than this."""

        def bark(*_: object) -> None:
            raise TimeoutError(f"the test took longer than {seconds} s")

        before = signal.signal(signal.SIGALRM, bark)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def shared_edge(self) -> Edge:
        """The edge of this class's configuration."""
        key = json.dumps(self.config, sort_keys=True)
        if key not in _edges or not _edges[key].edge.alive:
            _edges[key] = Shared(self.make_edge())
        return _edges[key].edge

    def make_edge(self) -> Edge:
        """A new edge with this class's configuration; not started."""
        return Edge(self.config)

    def check_edge(self, edge: Edge) -> None:
        """The edge is unimpressed by what the test did to it."""
        self.assertTrue(edge.alive, f"the edge has ended:\n{edge.log()[-3000:]}")
        alarms = edge.new_alarms()
        self.assertFalse(alarms, f"alarming lines in the log:\n{alarms[:6000]}")
        answer = fetch(edge, edge.url("canary"))
        self.assertEqual((answer.status, answer.headers.get("x-service")), (200, "canary"))

    # -- what tests ask for --------------------------------------------------------------------------------------------

    def serve(self, service: Service) -> Service:
        """Close the service after the test."""
        self.addCleanup(service.close)
        return service

    def web(self, name: str = "web") -> Web:
        """A local web service."""
        service = Web(name)
        self.addCleanup(service.close)
        return service

    def ssh(self, *forwards: str, command: str = "", **arguments: Any) -> SSH:
        """A connected OpenSSH client that ends with the test."""
        agent = SSH(self.edge, forwards, *([command] if command else []), **arguments)
        self.addCleanup(agent.close)
        return agent

    def new_name(self) -> str:
        """A name under the domain that no other test uses."""
        return full_name(f"t{next(_numbers)}")

    def publish(self, service: Service, name: str | None = None, command: str = "http", **arguments: Any) -> str:
        """
        Publish a local service under a fresh name, with OpenSSH.

        :return: the URL without a path.
        """
        agent = self.ssh(f"{name or self.new_name()}:443:127.0.0.1:{service.port}", command=command, **arguments)
        return agent.url()

    def get(self, url: str, **arguments: Any) -> Answer:
        """One request."""
        return fetch(self.edge, url, **arguments)

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """Wait until ``look()`` is true."""
        return wait_until(look, seconds, what)
