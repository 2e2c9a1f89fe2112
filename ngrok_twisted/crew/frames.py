"""
How messages between the processes of one crew look as bytes: free of I/O.

A frame is the length of its body, whether a descriptor comes with it, and the body, which is pickled. Both ends are one
program on one machine, joined by a socket pair that nobody else can have: what comes out of it is as trustworthy as memory
(``docs/decisions/``). Linux gives a descriptor to the reader no later than the first byte that it was sent with, and never
those of two writes at once (unix(7), SCM_RIGHTS), so that their order tells whose they are.
"""

from __future__ import annotations

import copyreg
import pickle
from collections import deque
from struct import Struct
from types import MappingProxyType
from typing import Any, Iterator

MEBIBYTE = 1024 * 1024

#: Bytes of one body. The largest messages hold records, a piece at a time; what is longer than this is a mistake of ours.
BODY_MAX = 64 * MEBIBYTE

#: No descriptor came with a message; or one did, and this process had no room for it.
NO_DESCRIPTOR = -1

_HEAD = Struct("!I?")


def _view(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


# What records and claims are made of, but for this, can be pickled as it is.
copyreg.pickle(MappingProxyType, lambda view: (_view, (dict(view),)))  # type: ignore[arg-type]

#: What is sent: the kind, the number of the question (0: no answer is expected), the value.
Message = tuple[str, int, Any]


class FrameError(Exception):
    """The bytes are not frames of ours: the other end is not what it should be."""


def frame(message: Message, has_descriptor: bool = False) -> bytes:
    """
    :param has_descriptor: one comes with it.
    :raises FrameError: the value is too large.
    """
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if len(body) > BODY_MAX:
        raise FrameError(f"a message of {len(body)} bytes is too long")
    return _HEAD.pack(len(body), has_descriptor) + body


class FrameReader:
    """
    Cuts what arrives into messages.

    :ivar descriptors: those that have come and belong to no message yet; whoever drops the reader closes them.
    """

    __slots__ = ("descriptors", "_buffer")

    def __init__(self) -> None:
        self.descriptors: deque[int] = deque()
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Message, int]]:
        """
        :param data: what has arrived, after its descriptor was added to `descriptors`.
        :return: each message that is whole now, with its descriptor or `NO_DESCRIPTOR`.
        :raises FrameError: it is no message of ours.
        """
        buffer = self._buffer
        buffer += data
        start, size = 0, _HEAD.size
        try:
            while len(buffer) - start >= size:
                length, has_descriptor = _HEAD.unpack_from(buffer, start)
                if length > BODY_MAX or has_descriptor and not self.descriptors:
                    raise FrameError("a frame is longer than any of ours, or its descriptor is missing")
                end = start + size + length
                if len(buffer) < end:
                    return
                with memoryview(buffer) as view, view[start + size : end] as body:
                    message = pickle.loads(body)
                start = end
                yield message, self.descriptors.popleft() if has_descriptor else NO_DESCRIPTOR
        finally:
            del buffer[:start]
