"""
`Memo`: results of a pure function for arguments that come again and again.

Visitors that keep a connection alive send the same header fields with each request, and services answer many requests with
the same ones. What was found to be strict once is so for the same bytes every time.
"""

from __future__ import annotations

from typing import Any, Callable

KILOBYTE = 1024

# Results that are kept. With more in use than this, they are all forgotten and the common ones are soon back.
MAX_ENTRIES = 512

# What belongs to a larger argument or result is worked out each time. Together: 2 MB at most for one memo's arguments.
MAX_BYTES = 4 * KILOBYTE


class Memo(dict[Any, Any]):
    """
    ``memo[argument]`` is what the function says of it. A look-up of something known is one dictionary read.

    Whatever the function returns is shared by everyone who asks: it must be immutable.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[Any], tuple[Any, int]]) -> None:
        """
        :param function: gives, for an argument, the result and how many bytes keeping it would take, about. What it raises
            is not remembered.
        """
        super().__init__()
        self._function = function

    def __missing__(self, argument: Any) -> Any:
        result, size = self._function(argument)
        if size <= MAX_BYTES:
            if len(self) >= MAX_ENTRIES:
                self.clear()
            self[argument] = result
        return result
