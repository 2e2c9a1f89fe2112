"""
`Delivery`: what waits for one destination, and the loop that sends it, one batch after the other, so that the order stays.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.observability.event_queue import EventQueue
from ngrok_twisted.observability.events import Event

SECONDS = 1
MINUTE = 60 * SECONDS

# Events of one second go together, so that a busy account costs a request a second and not one an event.
BATCH_WAIT = 1 * SECONDS

# A target that just stumbled is back at once; one that is down for hours is asked every five minutes.
RETRY_FIRST = 1 * SECONDS
RETRY_MOST = 5 * MINUTE

# A queue that overflows does so many times a second; the log is told once a minute.
COMPLAINT_INTERVAL = 1 * MINUTE


class Delivery:
    """
    It never raises, and nothing that gives it events waits.

    :ivar sent: events that the target took.
    :ivar dropped: events that were thrown away, because the queue was full or they were too large for the target.
    :ivar failing: why nothing is sent until the destination is changed; empty while all is well.
    """

    _log = Logger()

    def __init__(self, id: str, target: Any, clock: Any, random: Random) -> None:
        """
        :param id: the destination's id, for the log.
        :param target: the `IEventDestination`.
        :param clock: an ``IReactorTime``.
        """
        self.sent = self.dropped = 0
        self.failing = ""
        self._id = id
        self._target = target
        self._clock = clock
        self._random = random
        self._queue = EventQueue()
        self._batch: tuple[Event, ...] = ()
        self._running: Deferred[None] | None = None
        self._pause: tuple[Deferred[None], IDelayedCall] | None = None
        self._gathering = self._draining = self._stopped = False
        self._idle: list[Deferred[None]] = []
        self._complained = float("-inf")

    def __len__(self) -> int:
        return len(self._queue) + len(self._batch)

    def put(self, event: Event) -> None:
        """Send an event when its turn comes."""
        dropped = self._queue.put(event)
        if dropped:
            self._drop(dropped, "more events wait than may")
        if self._gathering and self._queue.fills(self._target.limits):
            self._wake()
        self._start()

    def change(self, target: Any) -> None:
        """The destination was changed: go on with another target, also if the one before refused everything."""
        self._target = target
        self.resume()

    def resume(self) -> None:
        """Whatever stood in the way may be gone: try again at once."""
        self.failing = ""
        if not self._gathering:
            self._wake()
        self._start()

    def drain(self) -> Deferred[None]:
        """
        Send what is there without waiting for more.

        :return: a Deferred that fires with ``None`` when there is nothing left, or nothing can be sent.
        """
        done: Deferred[None] = Deferred()
        self._draining = True
        self._idle.append(done)
        self._wake()
        if self._running is None:
            self._tell_idle()
        return done

    def stop(self) -> int:
        """
        Send nothing more.

        :return: how many events are lost by that.
        """
        self._stopped = True
        if self._running is not None:
            self._running.cancel()
        self._tell_idle()
        return len(self)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._running is None and len(self) and not self.failing and not self._stopped:
            self._running = running = Deferred.fromCoroutine(self._run())
            running.addErrback(self._ended)
            running.addCallback(lambda _: self._finished())

    async def _run(self) -> None:
        while len(self) and not self._stopped:
            if not self._batch:
                await self._gather()
            await self._send()

    async def _gather(self) -> None:
        """Wait a moment for more, unless there is enough, and take a batch."""
        if not self._draining and not self._queue.fills(self._target.limits):
            self._gathering = True
            try:
                await self._wait(BATCH_WAIT)
            finally:
                self._gathering = False
        self._batch, too_large = self._queue.take(self._target.limits)
        if too_large:
            self._drop(too_large, "an event is larger than the target takes")

    async def _send(self) -> None:
        """Send the batch, however often it takes."""
        attempt = 0
        while self._batch and not self._stopped:
            before, why = len(self._batch), "it took only a part"
            try:
                await self._try()
            except DestinationBusy as busy:
                why = busy.sentence
            self.sent += before - len(self._batch)
            if self._batch and not self._stopped:
                if not attempt:
                    self._log.warn("event destination {id} takes no events for now: {why}", id=self._id, why=why)
                attempt = 1 if len(self._batch) < before else attempt + 1
                await self._wait(self._delay(attempt))
        if attempt and not self._batch:
            self._log.info("event destination {id} takes events again", id=self._id)

    async def _try(self) -> None:
        target = self._target
        try:
            self._batch = await target.send(self._batch)
        except DestinationRefused as refused:
            if target is self._target:
                raise
            raise DestinationBusy(refused.sentence) from None  # it was changed meanwhile

    def _delay(self, attempt: int) -> float:
        """Seconds before another try: twice as many each time, and never the same for all."""
        longest = min(RETRY_FIRST * 2 ** min(attempt, 20), RETRY_MOST)
        return max(RETRY_FIRST, longest * (0.5 + self._random.random() / 2))

    def _ended(self, failure: Any) -> None:
        """The loop cannot go on."""
        if failure.check(CancelledError):
            return
        if failure.check(DestinationRefused):
            self.failing = failure.value.sentence
        else:
            self._log.failure("events cannot be sent to {id}", failure, id=self._id)
            self.failing = "this server has a fault, which its log has"
        self._log.error("event destination {id} is failing until it is changed: {why}", id=self._id, why=self.failing)

    def _finished(self) -> None:
        self._running = None
        self._tell_idle()

    def _tell_idle(self) -> None:
        idle, self._idle = self._idle, []
        for waiting in idle:
            waiting.callback(None)

    # -- waiting -------------------------------------------------------------------------------------------------------

    async def _wait(self, seconds: float) -> None:
        """Wait this long, or until `_wake`."""
        done: Deferred[None] = Deferred()
        self._pause = (done, self._clock.callLater(seconds, done.callback, None))
        try:
            await done
        finally:
            (_, call), self._pause = self._pause, None
            if call.active():
                call.cancel()

    def _wake(self) -> None:
        if self._pause is not None and not self._pause[0].called:
            self._pause[0].callback(None)

    def _drop(self, count: int, why: str) -> None:
        self.dropped += count
        now = self._clock.seconds()
        if now - self._complained >= COMPLAINT_INTERVAL:
            self._complained = now
            self._log.warn(
                "event destination {id}: {dropped} events lost so far: {why}",
                id=self._id,
                dropped=self.dropped,
                why=why,
            )
