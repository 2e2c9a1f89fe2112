"""
`ResponseConsumer`: the back-pressure between a visitor and whoever answers its request.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.incoming import IncomingBody
from ngrok_twisted.edge.pull import PullPump


class ResponseConsumer(IncomingBody):
    """
    A part of `ngrok_twisted.edge.request.EdgeRequest`.
    """

    __slots__ = ("_producer", "_choked")

    _producer: Any
    _choked: bool

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        IConsumer.

        :param producer: an `IPushProducer`; or an `IPullProducer`, if not ``streaming``. ``stopProducing`` tells it that
            the visitor is gone.
        """
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not streaming:
            producer = self.pushing(producer)
        if self.gone:
            producer.stopProducing()
            return
        self._producer = producer
        if self._choked:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """IConsumer."""
        producer, self._producer = self._producer, None
        if producer.__class__ is PullPump:
            producer.end()

    def choke(self) -> None:
        """The visitor takes no more for now: the channel says so."""
        self._choked = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def unchoke(self) -> None:
        """The visitor takes more again."""
        self._choked = False
        if self._producer is not None:
            self._producer.resumeProducing()
