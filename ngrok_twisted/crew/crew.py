"""
`Crew`: the workers beside the main process: starts, watches, replaces and ends them.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ngrok_twisted.crew.boot import BOOT, DRAIN, LEAVE, PART, READY, Boot
from ngrok_twisted.crew.child import EXIT, Child
from ngrok_twisted.crew.wire import Handler, Wire
from ngrok_twisted.draining import RESTART_DRAIN

SECONDS = 1

#: How long a start waits for the workers, so that agents who come back all at once find all of them. One that takes longer
#: is used when it is ready.
START_WAIT = 10 * SECONDS

#: A worker that dies is started again after the first pause; each time that it dies soon, the next is twice as long.
FIRST_PAUSE = 0.1 * SECONDS
LONGEST_PAUSE = 10 * SECONDS

#: One that has lived for so long did not die of its start.
SOON = 60 * SECONDS

#: What a worker may take longer than it was given for visitors: for those who have just come, for agents to go, for transports
#: to end.
SLACK = 10 * SECONDS

Ready = Callable[[int, Wire], object]
Gone = Callable[[int], object]


class Crew:
    """
    Place 0 is the main process; a worker's place is its own for ever, another worker gets another.

    :ivar wires: to the workers that are ready and stay, by place.
    :ivar handlers_for: callables that give what the wire to the worker in a place needs; to be filled before `start`.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        workers: int,
        boot: Callable[[int], Boot],
        follow: Callable[[Wire], None],
        expect: Callable[[int], None] = lambda place: None,
        drain_seconds: float = RESTART_DRAIN,
    ) -> None:
        """
        :param workers: how many there are to be, beside the main process.
        :param boot: gives what a worker is told first, by its place.
        :param follow: has a worker follow the records.
        :param expect: have visitors wait for the agents of a place, which are about to go and to come back.
        :param drain_seconds: for what is in flight when one worker is replaced.
        """
        self.wires: dict[int, Wire] = {}
        self.handlers_for: list[Callable[[int, Wire], Mapping[str, Handler]]] = []
        self._reactor = reactor
        self._workers = workers
        self._boot = boot
        self._follow = follow
        self._expect = expect
        self._drain_seconds = drain_seconds
        self._places = count(1)
        self._children: dict[int, Child] = {}
        self._listeners: list[tuple[Ready, Gone]] = []
        self._waiting: list[Deferred[None]] = []
        self._starts: set[IDelayedCall] = set()
        self._pause = FIRST_PAUSE
        self._ending = False

    def subscribe(self, ready: Ready = lambda place, wire: None, gone: Gone = lambda place: None) -> None:
        """
        :param ready: called with the place and the wire of a worker that can serve.
        :param gone: called with the place of one that was ready, when its agents are gone or are about to go.
        """
        self._listeners.append((ready, gone))

    def ask_all(self, kind: str, seconds: float) -> Deferred[Sequence[Any]]:
        """
        Ask every worker that is ready.

        :param seconds: how long is waited for answers.
        :return: a Deferred that fires with the answers of those that gave one. It never fails.
        """
        asked = [wire.ask(kind).addTimeout(seconds, self._reactor) for wire in self.wires.values()]
        answers = DeferredList(asked, consumeErrors=True)
        return answers.addCallback(lambda found: [answer for good, answer in found if good])

    # -- up ------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every worker."""
        for _ in range(self._workers):
            self._start_one()

    async def started(self) -> None:
        """Wait until all are ready, but not for long."""
        if len(self.wires) < self._workers:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            try:
                await waiting.addTimeout(START_WAIT, self._reactor)
            except TimeoutError:
                self._waiting.clear()
                self._log.warn("of {count} workers {ready} serve", count=self._workers, ready=len(self.wires))

    def _start_one(self) -> None:
        place = next(self._places)
        try:
            child = Child(place, self._reactor, self._ended)
            self._introduce(child)
            child.start()
        except OSError as error:
            self._log.error("worker {place} cannot be started: {error}", place=place, error=str(error))
            failed = self._children.pop(place, None)
            if failed is not None:
                failed.wire.close()
            self._start_later()

    def _introduce(self, child: Child) -> None:
        """Say everything to a worker that it will hear when it begins."""
        place, wire = child.place, child.wire
        self._children[place] = child
        wire.handlers.update({READY: lambda value, _: self._ready(child), LEAVE: lambda value, _: self._leave(child)})
        for handlers in self.handlers_for:
            wire.handlers.update(handlers(place, wire))
        wire.when_lost(lambda: self._lost(child))
        wire.send(BOOT, self._boot(place))
        self._follow(wire)

    def _ready(self, child: Child) -> None:
        if self._ending:
            return
        self._log.info("worker {place} serves", place=child.place)
        child.is_ready = True
        self.wires[child.place] = child.wire
        child.watch()
        for ready, _ in self._listeners:
            self._tell(ready, child.place, child.wire)
        if len(self.wires) >= self._workers:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.callback(None)

    # -- one ends ------------------------------------------------------------------------------------------------------

    def _lost(self, child: Child) -> None:
        """The agents of a worker are gone, or as good as gone."""
        self._retire(child)
        if child.is_ready:
            child.is_ready = False
            for _, gone in self._listeners:
                self._tell(gone, child.place)

    def _ended(self, child: Child) -> None:
        """A process is gone."""
        del self._children[child.place]
        if child.is_leaving or self._ending:
            return
        if self._reactor.seconds() - child.born > SOON:
            self._pause = FIRST_PAUSE
        self._log.error("worker {place} has died; another takes its place", place=child.place)
        self._start_later()

    def _start_later(self) -> None:
        """Start another worker, after a pause that grows while they die soon."""

        def start() -> None:
            self._starts.discard(call)
            self._start_one()

        call = self._reactor.callLater(self._pause, start)
        self._starts.add(call)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _leave(self, child: Child) -> None:
        """A worker is to be replaced."""
        if not (child.is_leaving or self._ending):
            child.is_leaving = True
            Deferred.fromCoroutine(self._replace(child)).addErrback(
                lambda failure: self._log.failure("worker {place} was not replaced well", failure, place=child.place)
            )

    async def _replace(self, child: Child) -> None:
        self._log.info("worker {place} is replaced", place=child.place)
        self._workers += 1
        self._start_one()
        await self.started()
        self._workers -= 1
        if not self._ending:
            self._retire(child)
            self._expect(child.place)
            await self._ask(child, DRAIN, self._drain_seconds)
            await self._end(child, self._drain_seconds)

    def _retire(self, child: Child) -> None:
        """Nothing new is for a worker."""
        self.wires.pop(child.place, None)

    # -- down ----------------------------------------------------------------------------------------------------------

    def drain(self, seconds: float) -> Deferred[Any]:
        """
        Have every worker let its visitors go. None is started any more.

        :param seconds: for what is in flight.
        :return: a Deferred that fires when their visitors are gone. It never fails.
        """
        self._ending = True
        for call in self._starts:
            call.cancel()
        self._starts.clear()
        children = tuple(self._children.values())
        for child in children:
            child.is_leaving = True
        return DeferredList([self._ask(child, DRAIN, seconds) for child in children if child.is_ready])

    def part(self) -> Deferred[Any]:
        """
        Have every worker let its agents go, and end.

        :return: a Deferred that fires when the processes are gone. It never fails.
        """
        children = tuple(self._children.values())
        return DeferredList([Deferred.fromCoroutine(self._end(child, self._drain_seconds)) for child in children])

    async def _end(self, child: Child, seconds: float) -> None:
        """
        :param seconds: for what is in flight between the visitors of other processes and this one's agents.
        """
        if not child.is_parting:
            child.is_parting = True
            if child.is_ready:
                self._lost(child)
                await self._ask(child, PART, seconds)
            child.wire.close()
        if child.runs:
            await self._gone(child)

    def _gone(self, child: Child) -> Deferred[Any]:
        """
        :return: a Deferred that fires when a process is gone, or when not even killing it seems to help. It never fails.
        """
        gone: Deferred[Any] = Deferred()
        child.ended.addCallback(lambda _: None if gone.called else gone.callback(None))
        return gone.addTimeout(EXIT + SLACK, self._reactor).addErrback(
            lambda _: self._log.error("worker {place} cannot be ended", place=child.place)
        )

    def _ask(self, child: Child, kind: str, seconds: float) -> Deferred[Any]:
        """Ask for something that may take so long; how it went does not matter, since the process ends anyway."""
        asked = child.wire.ask(kind, seconds).addTimeout(seconds + SLACK, self._reactor)
        return asked.addErrback(
            lambda failure: self._log.warn(
                "worker {place} did not answer ({kind}): {reason}",
                place=child.place,
                kind=kind,
                reason=failure.getErrorMessage(),
            )
        )

    def _tell(self, listener: Callable[..., object], *said: Any) -> None:
        try:
            listener(*said)
        except Exception:
            self._log.failure("a part of the crew failed")
