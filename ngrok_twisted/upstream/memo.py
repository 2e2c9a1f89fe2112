"""
`Memo`: results of a pure function for arguments that come again and again.

Visitors that keep a connection alive send the same header fields with each request, and services answer many requests with
the same ones. What was found to be strict once is so for the same bytes every time.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Iterable

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE

# What takes more is worked out each time. A browser's header with its cookies takes half of it.
MAX_BYTES = 8 * KILOBYTE

# What all results of a memo may take: those of a thousand browsers, or more. The oldest give way one by one, since to forget
# all at once would keep everybody waiting; common ones are soon back.
TOTAL_BYTES = 4 * MEGABYTE

# What keeping a result takes besides: two places in dictionaries, the object, and what is noted of its age.
_ENTRY_BYTES = 256

# A pair and the two ``bytes`` objects in it, without their text, so that many tiny fields do not pass for a small header.
_FIELD_BYTES = 56 + 2 * 34


def size_of(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """
    :return: how many bytes of memory fields take, about.
    """
    return sum(_FIELD_BYTES + len(name) + len(value) for name, value in fields)


class Memo(dict[Any, Any]):
    """
    ``memo[argument]`` is what the function says of it. A look-up of something known is one dictionary read.

    The argument is the whole question, byte for byte, so that nobody can be given what belongs to another's message. Whatever
    the function returns is shared by everyone who asks the same: it must not be changed.
    """

    __slots__ = ("_function", "_room", "_ages")

    def __init__(self, function: Callable[[Any], tuple[Any, int]], total: int = TOTAL_BYTES) -> None:
        """
        :param function: gives, for an argument, the result and how many bytes keeping it would take, about. What it raises
            is not remembered.
        :param total: bytes that all results together may take, about.
        """
        super().__init__()
        self._function = function
        self._room = total
        self._ages: deque[tuple[Any, int]] = deque()

    def __missing__(self, argument: Any) -> Any:
        result, size = self._function(argument)
        if size <= MAX_BYTES:
            self._room -= size + _ENTRY_BYTES
            while self._room < 0 and self._ages:
                oldest, taken = self._ages.popleft()
                del self[oldest]
                self._room += taken
            self._ages.append((argument, size + _ENTRY_BYTES))
            self[argument] = result
        return result

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._room += sum(taken for _, taken in self._ages)
        self._ages.clear()
