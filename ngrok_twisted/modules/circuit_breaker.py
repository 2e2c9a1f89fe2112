"""
``circuit_breaker``: a service that fails is left alone for a while.

It counts what the route's backend answers, on Hystrix's model (`ngrok_twisted.circuit`). A failure is a status of 500 or
more, and every way not to get an answer: nobody there, no connection, no answer in time, one that is not HTTP. What the edge
says for other reasons does not count, nor does a visitor who leaves. The outcome is known with the head of the response, so
that a long download, an event stream or a WebSocket does not delay it.

Each route of each server process has a circuit of its own. It goes on when the edge changes around it: only another setting
of the module itself, switching it off, or another route begins a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Callable, ClassVar, Iterator, Literal, Mapping

from twisted.logger import Logger
from zope.interface import implementer, provider

from ngrok_twisted.circuit import ALLOW, ALLOW_WHILE_OPEN, BLOCK, CLOSED, Circuit, CircuitLimits
from ngrok_twisted.errors import EdgeError, InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind, IResponseFilter
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Phase, ResponseHead, Wrapper

#: Where a flow keeps what was decided: ngrok's name for it in events.
DECISION = "circuit_breaker.decision"

#: Seconds; a circuit that looks further back, or sulks longer, is a mistake.
DURATION_MAX = 24 * 60 * 60

#: Parts of the window (specification of edges, section 7.1).
BUCKETS_MAX = 128

#: Requests; ngrok's limit for the same thing in a traffic policy.
VOLUME_MAX = 2_000_000_000

# ngrok's numbers for a bad value of each field.
_CODES = {"error_threshold_percentage": 7011, "tripped_duration": 7016, "rolling_window": 7017, "num_buckets": 7018}

#: ngrok's number for a bad value of the flag ``--circuit-breaker``.
_BAD_FLAG = 361


class CircuitOpen(EdgeError):
    """The service behind the route has failed too often."""

    code = 3202
    status = 503
    sentence = "The service behind this address is failing and is left alone for a moment. Please try again soon."


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerState:
    """
    :ivar name: ``closed``: requests pass; ``open``: nobody does; ``half_open``: one tries. An open one is tried by the next
        request after ``tripped_duration``.
    :ivar requests: how many count now, in the rolling window.
    :ivar errors: how many of them failed.
    :ivar error_percentage: their share, from 0.0 to 1.0, as in ``error_threshold_percentage``.
    """

    name: Literal["closed", "open", "half_open"]
    requests: int
    errors: int
    error_percentage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """
    :ivar tripped_duration: how many seconds nobody is let through once too many requests have failed; then one may try.
    :ivar rolling_window: how many seconds a request counts.
    :ivar num_buckets: in how many parts the window moves on, 1 to 128.
    :ivar volume_threshold: with fewer requests than this in the window nothing is decided.
    :ivar error_threshold_percentage: the share of failures that is still borne, from 0.0 to 1.0: 0.5 is one half. At 1.0,
        all requests must have failed.
    """

    tripped_duration: int = 10
    rolling_window: int = 10
    num_buckets: int = 10
    volume_threshold: int = 20
    error_threshold_percentage: float = 0.5

    #: What the API shows beside the settings.
    State: ClassVar[type] = CircuitBreakerState

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every number that is out of bounds.
        """
        found = [Problem(name, said, code=_CODES.get(name, 0)) for name, said in self._doubts()]
        if found:
            raise InvalidConfig(found)

    def _doubts(self) -> Iterator[tuple[str, str]]:
        for name in ("tripped_duration", "rolling_window"):
            if not 0 < getattr(self, name) <= DURATION_MAX:
                yield name, f"must be from 1 to {DURATION_MAX} seconds"
        if not 1 <= self.num_buckets <= BUCKETS_MAX:
            yield "num_buckets", f"must be from 1 to {BUCKETS_MAX}"
        if not 0 <= self.volume_threshold <= VOLUME_MAX:
            yield "volume_threshold", f"must be from 0 to {VOLUME_MAX}"
        if not 0.0 <= self.error_threshold_percentage <= 1.0:
            yield "error_threshold_percentage", "must be from 0.0 to 1.0; 0.5 is one half"

    def state(self, kept: Mapping[Any, Any], place: str, now: float) -> CircuitBreakerState | None:
        """
        How the circuit of a place does that has these settings; ``None`` if there is none.

        :param kept: as `ngrok_twisted.module.ModuleContext` has it.
        :param now: seconds on the reactor's clock.
        """
        circuit = kept.get((place, _key(self)))
        if circuit is None:
            return None
        requests, errors = circuit.counts(now)
        share = errors / requests if requests else 0.0
        return CircuitBreakerState(name=circuit.state, requests=requests, errors=errors, error_percentage=share)

    @property
    def limits(self) -> CircuitLimits:
        """The same for a `Circuit`."""
        return CircuitLimits(
            error_threshold=self.error_threshold_percentage,
            inclusive=self.error_threshold_percentage >= 1.0,
            volume=self.volume_threshold,
            window=float(self.rolling_window),
            buckets=self.num_buckets,
            tripped=float(self.tripped_duration),
        )


def _key(config: CircuitBreakerConfig) -> tuple[str, CircuitBreakerConfig]:
    """Under which a place keeps its circuit."""
    return ("circuit_breaker", config)


def from_flags(flags: Mapping[str, Any]) -> CircuitBreakerConfig:
    """
    The settings that an agent's flags mean.

    :param flags: ``circuit-breaker``: the share of failures as a ``float``.
    :raises InvalidConfig: 361: it is not between 0.0 and 1.0.
    """
    share = flags["circuit-breaker"]
    if not 0.0 < share < 1.0:
        said = "must be more than 0.0 and less than 1.0; 0.5 is one half"
        raise InvalidConfig([Problem("circuit-breaker", said, code=_BAD_FLAG)])
    return CircuitBreakerConfig(error_threshold_percentage=share)


@provider(IModuleKind)
@implementer(IHTTPModule)
class CircuitBreaker:
    """
    Leaves a failing service alone for a while. Visitors are answered 503 meanwhile, and are told when to come back.
    """

    name = "circuit_breaker"
    Config = CircuitBreakerConfig
    codes = _CODES
    needs_termination = True
    phase = Phase.PROTECT
    attaches = frozenset({"route"})
    from_flags = staticmethod(from_flags)

    def __init__(self, config: CircuitBreakerConfig, context: ModuleContext) -> None:
        self._seconds = context.runtime.reactor.seconds
        self._place = context.place
        self._circuit = context.keep(_key(config), lambda: Circuit(config.limits))

    def wrap_resource(self, inner: Any) -> Breaker:
        """IHTTPModule."""
        return Breaker(inner, self._circuit, self._seconds, self._place)


class Breaker(Wrapper):
    """
    Asks a circuit before each request, and tells it how the request ended.

    :ivar circuit: the `Circuit`.
    :ivar place: the route, for logs.
    """

    def __init__(self, inner: Any, circuit: Circuit, seconds: Callable[[], float], place: str) -> None:
        """
        :param seconds: the clock.
        """
        super().__init__(inner)
        self.circuit = circuit
        self.place = place
        self._seconds = seconds
        self._outcome = Outcome(circuit, seconds, place)

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises CircuitOpen: the service is left alone.
        """
        circuit, flow = self.circuit, request.flow
        decision = ALLOW if circuit.state == CLOSED else circuit.ask(self._seconds())
        flow.remember(DECISION, decision)
        if decision == BLOCK:
            raise self._refusal()
        outcome = self._outcome
        if outcome.epoch != circuit.epoch:
            outcome = self._outcome = Outcome(circuit, self._seconds, self.place)
        if decision == ALLOW_WHILE_OPEN:
            flow.observers += (outcome.over,)
        request.add_filter(outcome)
        return self.inner.render(request)

    def _refusal(self) -> CircuitOpen:
        error = CircuitOpen()
        error.fields = ((b"Retry-After", b"%d" % max(1, ceil(self.circuit.seconds_left(self._seconds())))),)
        return error


@implementer(IResponseFilter)
class Outcome:
    """
    Sees what requests come to, and changes nothing.

    :ivar epoch: of the circuit, when these requests passed.
    """

    __slots__ = ("epoch", "_circuit", "_seconds", "_place")

    _log = Logger()

    #: The body does not matter.
    passive = True

    def __init__(self, circuit: Circuit, seconds: Callable[[], float], place: str) -> None:
        self.epoch = circuit.epoch
        self._circuit = circuit
        self._seconds = seconds
        self._place = place

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter."""
        failed = head.status >= 500
        error = head.request.flow.error
        if error is not None and (not failed or type(error) is EdgeError):
            return  # the visitor's own fault, or that of a module between here and the backend
        circuit = self._circuit
        before = circuit.state
        if circuit.record(self.epoch, failed, self._seconds()):
            self._tell(before, circuit)

    def _tell(self, before: str, circuit: Circuit) -> None:
        if circuit.state == CLOSED:
            self._log.info("the circuit breaker of {place} closes again", place=self._place)
        elif before == CLOSED:
            self._log.info(
                "the circuit breaker of {place} opens: {errors} of {total} requests failed",
                place=self._place,
                errors=circuit.errors,
                total=circuit.total,
            )

    def over(self, flow: Flow) -> None:
        """The flow of a probe is over; if there was no answer, nobody knows more than before."""
        self._circuit.abandon(self.epoch, self._seconds())

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        return data

    def finish(self) -> bytes:
        """IResponseFilter."""
        return b""
