"""
`Unsent`: the frames that wait for the kernel to take them, with their descriptors.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from socket import SCM_RIGHTS, SOL_SOCKET, socket

from ngrok_twisted.crew.frames import NO_DESCRIPTOR

#: Frames in one write; Linux takes 1024 buffers (IOV_MAX).
BUFFERS_MAX = 256


class Unsent:
    """
    A queue. What is in it owns its descriptors.

    :ivar size: bytes that wait.
    """

    __slots__ = ("size", "_frames")

    def __init__(self) -> None:
        self.size = 0
        self._frames: deque[tuple[bytes | memoryview, int]] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, data: bytes, descriptor: int) -> None:
        """:param descriptor: `NO_DESCRIPTOR`, or what comes with the frame."""
        self._frames.append((data, descriptor))
        self.size += len(data)

    def write(self, end: socket) -> None:
        """
        One write: as many frames as it takes, of which at most one has a descriptor. Descriptors that have left are closed.

        :raises OSError: nothing was taken; `BlockingIOError` if there is no room.
        """
        buffers: list[bytes | memoryview] = []
        attached = NO_DESCRIPTOR
        for data, descriptor in self._frames:
            if len(buffers) == BUFFERS_MAX or descriptor != NO_DESCRIPTOR and attached != NO_DESCRIPTOR:
                break
            buffers.append(data)
            attached = max(attached, descriptor)
        rights = [] if attached == NO_DESCRIPTOR else [(SOL_SOCKET, SCM_RIGHTS, array("i", [attached]))]
        self._took(end.sendmsg(buffers, rights), len(buffers))

    def _took(self, sent: int, frames: int) -> None:
        """So many bytes of so many frames have left, and with the first of them every descriptor."""
        self.size -= sent
        offered = [self._frames.popleft() for _ in range(frames)]
        for _, descriptor in offered:
            close(descriptor)
        left: list[tuple[bytes | memoryview, int]] = []
        for data, _ in offered:
            if sent < len(data):
                left.append((memoryview(data)[sent:], NO_DESCRIPTOR))
            sent = max(0, sent - len(data))
        self._frames.extendleft(reversed(left))

    def clear(self) -> None:
        """Nothing of it will be sent."""
        for _, descriptor in self._frames:
            close(descriptor)
        self._frames.clear()
        self.size = 0


def close(descriptor: int) -> None:
    """Close a descriptor, if it is one."""
    if descriptor != NO_DESCRIPTOR:
        os.close(descriptor)
