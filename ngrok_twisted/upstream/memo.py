"""
`Memo`: results of a pure function for arguments that come again and again.

Visitors that keep a connection alive send the same header fields with each request, and services answer many requests with
the same ones. What was found to be strict once is so for the same bytes every time.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

KILOBYTE = 1024

# Results that are kept. With more in use than this, all are forgotten, and the common ones are soon back.
MAX_ENTRIES = 512

# What takes more is worked out each time. A browser's header with its cookies takes half of it. Together: 4 MB for a memo.
MAX_BYTES = 8 * KILOBYTE

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
