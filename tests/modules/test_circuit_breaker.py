"""
Tests for `ngrok_twisted.modules.circuit_breaker`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.circuit import CLOSED, HALF_OPEN, OPEN
from ngrok_twisted.errors import EdgeError, InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind, IResponseFilter
from ngrok_twisted.modules.circuit_breaker import (
    Breaker,
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerState,
    from_flags,
)
from ngrok_twisted.records.backend import Backend as BackendRecord
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, module, module_types
from ngrok_twisted.wrapper import Answer, Filtered, Guard
from tests.edge.doubles import Edge
from tests.edge.wire import Backend, Render, Service, Visitor, statuses
from tests.modules.requests import REPLY, Route, context

TOUCHY = CircuitBreakerConfig(volume_threshold=2, error_threshold_percentage=0.4)


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def codes(self, **data: Any) -> list[tuple[str, int]]:
        error = self.assertRaises(InvalidConfig, schema.parse, CircuitBreakerConfig, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_kind(self) -> None:
        """It stands on routes only, and its defaults are ngrok's."""
        verifyObject(IModuleKind, CircuitBreaker)
        made = schema.parse(module_types("route")["circuit_breaker"], {})
        self.assertEqual(
            made.config,
            CircuitBreakerConfig(
                tripped_duration=10,
                rolling_window=10,
                num_buckets=10,
                volume_threshold=20,
                error_threshold_percentage=0.5,
            ),
        )
        for place in ("https", "tls", "tcp"):
            self.assertNotIn("circuit_breaker", module_types(place))

    def test_bounds(self) -> None:
        """Each number has bounds and ngrok's code; all that are out of bounds are told."""
        zeros = dict(tripped_duration=0, rolling_window=0, num_buckets=0, volume_threshold=-1)
        self.assertEqual(
            self.codes(**zeros, error_threshold_percentage=-0.1),
            [
                ("tripped_duration", 7016),
                ("rolling_window", 7017),
                ("num_buckets", 7018),
                ("volume_threshold", 0),
                ("error_threshold_percentage", 7011),
            ],
        )
        self.assertEqual(self.codes(num_buckets=129), [("num_buckets", 7018)])
        self.assertEqual(self.codes(error_threshold_percentage=50), [("error_threshold_percentage", 7011)])
        self.assertEqual(self.codes(error_threshold_percentage=float("nan")), [("error_threshold_percentage", 7011)])
        self.assertEqual(self.codes(rolling_window=10**400), [("rolling_window", 7017)])
        for value in (0, 1, 0.0, 1.0):
            schema.parse(CircuitBreakerConfig, {"error_threshold_percentage": value})

    def test_limits(self) -> None:
        """More than the threshold is too much; at 1.0 there is no more."""
        self.assertFalse(CircuitBreakerConfig(error_threshold_percentage=0.99).limits.inclusive)
        self.assertTrue(CircuitBreakerConfig(error_threshold_percentage=1.0).limits.inclusive)

    def test_flag(self) -> None:
        """An agent's flag sets the threshold alone."""
        self.assertEqual(
            from_flags({"circuit-breaker": 0.25}), replace(CircuitBreakerConfig(), error_threshold_percentage=0.25)
        )
        for value in (0.0, 1.0, float("nan")):
            error = self.assertRaises(InvalidConfig, from_flags, {"circuit-breaker": value})
            self.assertEqual([problem.code for problem in error.problems], [361])


class BreakerCase(SynchronousTestCase):
    """A route with a breaker that opens at the second request if one failed."""

    def route(self, config: CircuitBreakerConfig = TOUCHY, **more: Any) -> Route:
        route = Route(CircuitBreaker, config, **more)
        self.breaker = route.resource
        return route

    def counts(self) -> tuple[int, int]:
        circuit = self.breaker.circuit
        return circuit.total, circuit.errors


class DecisionTests(BreakerCase):
    """Who is let through."""

    def test_faces(self) -> None:
        """It is a module for requests."""
        verifyObject(IHTTPModule, self.route().module)

    def test_opens_and_closes(self) -> None:
        """A failing service is left alone, asked once after a while, and served again when it answers."""
        route = self.route()
        self.assertEqual([route.status(), route.status(reply=500)], [200, 500])
        asked = len(route.service.connections)
        self.assertEqual(route.status(), 503)
        self.assertEqual(len(route.service.connections), asked)
        route.clock.advance(10)
        self.assertEqual([route.status(reply=502), route.status()], [502, 503])
        route.clock.advance(10)
        self.assertEqual([route.status(), route.status(), route.status()], [200, 200, 200])

    def test_answer(self) -> None:
        """Who is refused reads ngrok's code, and when to come back, in whole seconds rounded up."""
        route = self.route()
        route.status(reply=500), route.status(reply=500)
        route.clock.advance(3.5)
        said = route.ask().take()
        self.assertIn(b"\r\nngrok-error-code: ERR_NGROK_3202\r\n", said)
        self.assertIn(b"\r\nRetry-After: 7\r\n", said)

    def test_decisions_are_noted(self) -> None:
        """The flow of each request says what was decided, in ngrok's words."""
        route = self.route()
        decisions = []
        for passes, reply in ((0, 500), (0, 500), (0, 200), (10, 200), (0, 200)):
            route.clock.advance(passes)
            (flow,) = route.ask(reply=reply).flows
            decisions.append(flow.variables["circuit_breaker.decision"])
        self.assertEqual(decisions, ["allow", "allow", "block", "allow_while_open", "allow"])

    def test_one_probe(self) -> None:
        """While the probe waits for its answer, everybody else is refused."""
        route = self.route()
        route.status(reply=500), route.status(reply=500)
        route.clock.advance(10)
        probe = route.visitor()
        probe.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual(route.status(), 503)
        route.service.connection.send(REPLY % 200)
        route.service.connection.close()
        self.assertEqual(statuses(probe.take()), [200])
        self.assertEqual(route.status(), 200)

    def test_probe_leaves(self) -> None:
        """A probe whose visitor leaves leaves the circuit open for as long again."""
        route = self.route()
        route.status(reply=500), route.status(reply=500)
        route.clock.advance(10)
        probe = route.visitor()
        probe.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual(self.breaker.circuit.state, HALF_OPEN)
        probe.leave()
        self.assertEqual(self.breaker.circuit.state, OPEN)
        self.assertEqual(route.status(), 503)
        route.clock.advance(10)
        self.assertEqual(route.status(), 200)


class OutcomeTests(BreakerCase):
    """What counts as a failure."""

    def test_statuses(self) -> None:
        """A status of 500 and above is a failure; a visitor's fault is none."""
        route = self.route(CircuitBreakerConfig())
        for reply in (200, 204, 301, 404, 429, 499):
            route.status(reply=reply)
        self.assertEqual(self.counts(), (6, 0))
        for reply in (500, 503, 599):
            route.status(reply=reply)
        self.assertEqual(self.counts(), (9, 3))

    def test_no_answer(self) -> None:
        """A service that cannot be reached, goes away or does not speak HTTP has failed."""
        route = self.route(CircuitBreakerConfig(), service=Service(error=ConnectionRefusedError()))
        self.assertEqual(route.status(), 502)
        self.assertEqual(self.counts(), (1, 1))
        route = self.route(CircuitBreakerConfig())
        for said in (b"", b"nonsense\r\n\r\n"):
            visitor = route.visitor()
            visitor.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx")
            if said:
                route.service.connection.send(said)
            else:
                route.service.connection.close()
            self.assertEqual(statuses(visitor.take()), [502])
        self.assertEqual(self.counts(), (2, 2))

    def test_nobody_serves(self) -> None:
        """A backend that knows nobody has failed."""
        route = self.route(CircuitBreakerConfig())
        route.forward.backend = Backend()
        self.assertEqual(route.status(), 404)
        self.assertEqual(self.counts(), (0, 0))  # an agent's endpoint: its name is offline
        route.forward._nobody = lambda host: EdgeErrorOfTheBackend()
        self.assertEqual(route.status(), 502)
        self.assertEqual(self.counts(), (1, 1))

    def test_no_answer_in_time(self) -> None:
        """A service that does not answer in time has failed."""
        route = self.route(CircuitBreakerConfig(), idle_timeout=30)
        visitor = route.visitor()
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        route.clock.pump([1] * 40)
        self.assertEqual(statuses(visitor.take()), [504])
        self.assertEqual(self.counts(), (1, 1))

    def test_visitor_leaves(self) -> None:
        """A visitor who does not wait for the answer counts for nothing."""
        route = self.route(CircuitBreakerConfig())
        visitor = route.visitor()
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        visitor.leave()
        self.assertEqual(self.counts(), (0, 0))

    def test_known_with_the_head(self) -> None:
        """The outcome counts when the head arrives, however long the body takes."""
        route = self.route(CircuitBreakerConfig())
        visitor = route.visitor()
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        route.service.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        self.assertEqual(self.counts(), (1, 0))
        visitor.leave()
        self.assertEqual(self.counts(), (1, 0))

    def test_upgrade(self) -> None:
        """Another protocol instead of HTTP is a success, at once."""
        route = self.route(CircuitBreakerConfig())
        visitor = route.visitor()
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        route.service.connection.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        self.assertEqual(self.counts(), (1, 0))

    def test_other_modules(self) -> None:
        """What a module says between the breaker and the backend, and one that breaks, count for nothing."""
        route = self.route(CircuitBreakerConfig())

        def refuse(request: Any) -> None:
            raise EdgeError("No.", status=403, code=1)

        def break_down(request: Any) -> None:
            raise ValueError("a defect")

        for admit, status in ((refuse, 403), (break_down, 500)):
            resource = route.module.wrap_resource(Guard(route.forward, admit))
            visitor = Visitor(resource, clock=route.clock)
            visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertEqual(statuses(visitor.take()), [status])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.counts(), (0, 0))

    def test_changes_further_out(self) -> None:
        """What a module around the breaker makes of an answer is not the service's doing."""
        route = self.route(CircuitBreakerConfig())

        class Worse:
            passive = True

            def begin(self, head: Any) -> None:
                head.status = 500

        resource = Filtered(route.resource, lambda request: Worse())  # type: ignore[arg-type, return-value]
        visitor = Visitor(resource, clock=route.clock)
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        route.service.connection.send(REPLY % 200)
        self.assertEqual(statuses(visitor.take()), [500])
        self.assertEqual(self.counts(), (1, 0))

    def test_fixed_answer(self) -> None:
        """A backend that answers by itself counts like any other."""
        route = self.route(CircuitBreakerConfig())
        route.forward.backend = Backend(Answer(503, []))
        self.assertEqual(route.status(), 503)
        self.assertEqual(self.counts(), (1, 1))

    def test_body_is_untouched(self) -> None:
        """The response's body passes without a copy: the breaker asks for the head alone."""
        seen: list[Any] = []
        body = b"x" * 100_000

        def render(request: Any) -> int:
            (outcome,) = request._filters
            verifyObject(IResponseFilter, outcome)
            seen.append((outcome.feed(b"a"), outcome.finish()))
            return Answer(200, [], body).render(request)  # type: ignore[no-any-return]

        module = CircuitBreaker(CircuitBreakerConfig(), context(Clock()))
        visitor = Visitor(module.wrap_resource(Render(render)))
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual(seen, [(b"a", b"")])
        self.assertIsNone(visitor.request._filters)
        self.assertTrue(visitor.take().endswith(body))


class EdgeErrorOfTheBackend(EdgeError):
    """What an edge says that has a backend, and nobody in it."""


def edge(config: CircuitBreakerConfig, **more: Any) -> HTTPSEdge:
    """An edge with one route, and a breaker in it."""
    fields: dict[str, Any] = {"modules": {"circuit_breaker": module(config)}, "id": "edghtsrt_1", **more}
    route = HTTPSEdgeRoute(**{"backend": BackendRef(backend_id="hr"), **fields})
    return HTTPSEdge(id="edghts_1", account_id="ac_1", hostports=("a.example:443",), routes=(route,))


class StateTests(SynchronousTestCase):
    """How long a circuit lives."""

    def setUp(self) -> None:
        self.edge = Edge(module_kinds={"circuit_breaker": CircuitBreaker})

    def serve(self, record: HTTPSEdge) -> Breaker:
        """The breaker of the route, once this is served."""
        says = [
            BackendRecord(id=id, account_id="ac_1", kind="http_response", config=HTTPResponseConfig(body=id))
            for id in ("hr", "hr2")
        ]
        self.edge.serve(*says, record)
        made = self.edge.plane.router.secure.get("a.example").resource._only
        self.assertIsInstance(made, Breaker)
        return made  # type: ignore[no-any-return]

    def test_kept(self) -> None:
        """The circuit goes on when something else of its edge or route changes, even its backend."""
        first = self.serve(edge(TOUCHY))
        first.circuit.record(0, True, 1.0)
        for record in (
            replace(edge(TOUCHY), description="changed"),
            edge(TOUCHY, metadata="changed"),
            edge(TOUCHY, backend=BackendRef(backend_id="hr2")),
        ):
            later = self.serve(record)
            self.assertIsNot(later, first)
            self.assertIs(later.circuit, first.circuit)

    def test_new(self) -> None:
        """Another setting of the module, or another route, begins anew."""
        first = self.serve(edge(TOUCHY)).circuit
        other = self.serve(edge(replace(TOUCHY, num_buckets=5))).circuit
        self.assertIsNot(other, first)
        self.assertIsNot(self.serve(edge(replace(TOUCHY, num_buckets=5), id="edghtsrt_2")).circuit, other)

    def test_shown(self) -> None:
        """The state of the circuit is found by the settings and the route, and by nothing else."""
        kept, circuit = self.edge.context.kept, self.serve(edge(TOUCHY)).circuit
        shown = TOUCHY.state(kept, "edghtsrt_1", 1.0)
        self.assertEqual(shown, CircuitBreakerState(name="closed", requests=0, errors=0, error_percentage=0.0))
        for failed in (False, True, True):
            circuit.record(0, failed, 1.0)
        shown = TOUCHY.state(kept, "edghtsrt_1", 1.0)
        self.assertEqual(shown, CircuitBreakerState(name="open", requests=2, errors=1, error_percentage=0.5))
        self.assertIsNone(TOUCHY.state(kept, "edghtsrt_2", 1.0))
        self.assertIsNone(replace(TOUCHY, num_buckets=5).state(kept, "edghtsrt_1", 1.0))

    def test_switched_off(self) -> None:
        """Switching the module off forgets its circuit."""
        self.serve(edge(TOUCHY)).circuit.record(0, True, 1.0)
        off = edge(TOUCHY, modules={"circuit_breaker": module(TOUCHY, enabled=False)})
        with self.assertRaises(self.failureException):
            self.serve(off)
        circuit = self.serve(edge(TOUCHY)).circuit
        self.assertEqual((circuit.state, circuit.total), (CLOSED, 0))
        self.assertEqual(len(self.edge.context.kept), 1)
