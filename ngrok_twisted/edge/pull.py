"""
`PullPump`: a producer that wants to be asked, made into one that pushes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()


@implementer(IPushProducer)
class PullPump:
    """
    Asks an `IPullProducer` for one piece in each turn of the reactor, for as long as the consumer takes them.
    """

    def __init__(self, clock: Any, producer: Any) -> None:
        self._clock = clock
        self._producer = producer
        self._call: Any = clock.callLater(0, self._ask)

    def _ask(self) -> None:
        call = self._call = self._clock.callLater(0, self._ask)
        try:
            self._producer.resumeProducing()
        except Exception:
            _log.failure("a producer failed")
            if call.active():
                self.stopProducing()

    def pauseProducing(self) -> None:
        """IPushProducer."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._call is None:
            self._call = self._clock.callLater(0, self._ask)

    def end(self) -> None:
        """The producer has no more to give."""
        self.pauseProducing()

    def stopProducing(self) -> None:
        """IPushProducer."""
        self.pauseProducing()
        self._producer.stopProducing()
