"""
`ResponseFilters`: those who change the response to a request.
"""

from __future__ import annotations

from typing import Any, Sequence

from ngrok_twisted.edge.consumer import ResponseConsumer
from ngrok_twisted.wrapper import ResponseHead


class ResponseFilters(ResponseConsumer):
    """
    A part of `ngrok_twisted.edge.request.EdgeRequest`.
    """

    __slots__ = ("_filters", "_bodiless")

    _filters: list[Any] | None
    _bodiless: bool

    def add_filter(self, made: Any, outermost: bool = False) -> None:
        """
        :param made: an `IResponseFilter` for this response. The one added last is the innermost: it goes first.
        :param outermost: it goes after all that are there now.
        """
        if self._filters is None:
            self._filters = [made]
        elif outermost:
            self._filters.append(made)
        else:
            self._filters.insert(0, made)

    def _begin(self, head: ResponseHead) -> None:
        """Show filters the head. Those stay that want to see the body; where there is none of them it passes without a copy."""
        assert self._filters is not None
        head.request = self
        filters = []
        for response_filter in self._filters:
            instead = response_filter.begin(head)
            if instead is not None:
                filters.append(instead)
            elif not getattr(response_filter, "passive", False):
                filters.append(response_filter)
        self._filters = filters or None

    def _filtered(self, filters: list[Any], buffers: Sequence[Any], last: bool) -> list[bytes]:
        """Run buffers through the filters, innermost first; at the end each filter's last bytes go through those after it."""
        if self._bodiless:
            return []
        data = b"".join(buffers)
        for response_filter in filters:
            if data:
                data = response_filter.feed(data)
            if last:
                data += response_filter.finish()
        return [data] if data else []
