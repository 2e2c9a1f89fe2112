"""
`Ended`: tells those who want to know of flows that ended, of all that did in one turn of the reactor.

To write a log line takes half as long right behind another one as it does between two requests, when the processor has to
fetch the code and what it works on from far away. So observers are told one after the other, each of all flows in a row.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from twisted.application.service import Service
from twisted.logger import Logger

from ngrok_twisted.flow import Flow
from ngrok_twisted.net.turn import soon_of

Observer = Callable[[Flow], object]


class Ended(Service):
    """
    A flow observer that others stand behind. To be stopped before they are.
    """

    _log = Logger()

    def __init__(self, observers: Sequence[Observer], clock: Any) -> None:
        """
        :param observers: each is called with each flow; what it raises is logged, and the others are told.
        :param clock: an `IReactorTime`.
        """
        self._observers = tuple(observers)
        self._soon = soon_of(clock)
        self._flows: list[Flow] = []

    def __call__(self, flow: Flow) -> None:
        """Note the end of a flow."""
        self._flows.append(flow)
        if len(self._flows) == 1:
            self._soon(self._tell)

    def stopService(self) -> None:
        """Tell the last ones. There may be no other turn: from now on each is told at once."""
        super().stopService()
        self._soon = _at_once
        self._tell()

    def _tell(self) -> None:
        flows, self._flows = self._flows, []
        for observer in self._observers:
            for flow in flows:
                try:
                    observer(flow)
                except Exception:
                    self._log.failure("an observer of flow {flow} failed", flow=flow.number)


def _at_once(call: Callable[[], object]) -> None:
    call()
