"""
`CPUClock`: an alarm of the kernel's that rings when the calling thread has used so much CPU time again, and says what it was at.

Only time on a processor counts, so that the picture holds on a busy machine: a sampler from outside, which looks when it gets a
turn itself, finds a process mostly where it was made to wait. It is ``perf_event_open(2)`` with the software event ``cpu-clock``,
by its number and without a library, for processes that are to be looked at from inside.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import signal
import struct
import threading
from typing import Iterator, NamedTuple

SYSCALL = {"x86_64": 298, "aarch64": 241}
"""The number of ``perf_event_open``, from ``asm/unistd.h``."""

TYPE_SOFTWARE, COUNT_CPU_CLOCK = 1, 0
SAMPLE_IP = 1
DISABLED, FREQUENCY, WATERMARK = 1 << 0, 1 << 10, 1 << 14
ATTRIBUTES = struct.Struct("=IIQQQQQIIQ")
"""The first version of ``struct perf_event_attr``, `ATTRIBUTES_SIZE` bytes, from ``linux/perf_event.h``."""
ATTRIBUTES_SIZE = 64
ENABLE = 0x2400
"""``PERF_EVENT_IOC_ENABLE``."""
F_SETSIG, F_SETOWN_EX, OWNER_THREAD = 10, 15, 0
"""Of ``asm-generic/fcntl.h``, as far as `fcntl` lacks them."""

HEAD, TAIL = 1024, 1032
"""Where in the first page the kernel says how far it has written, and where it is told how far that was read."""
RECORD = struct.Struct("=IHHQ")
"""A record's head, and the address that stands in a sample."""
RECORD_SAMPLE = 9
MODE_MASK, MODE_KERNEL = 7, 1
PAGES = 8
"""Of records; more than wait at a time, since each rings."""

REMEDY = "sysctl kernel.perf_event_paranoid=1, or root"
"""What lets a user look at the kernel's part of the user's own processes."""


class Instant(NamedTuple):
    """
    :ivar address: of the instruction that was next.
    :ivar kernel: whether it is the kernel's.
    """

    address: int
    kernel: bool


class CPUClock:
    """
    Rings by sending the thread a signal.
    """

    def __init__(self, rate: int, ring: signal.Signals) -> None:
        """
        :param rate: how often, for each second of CPU time.
        :param ring: the signal.
        :raises OSError: the kernel does not allow it, or has no such thing.
        """
        self._fd = _open(rate)
        size = mmap.PAGESIZE * (1 + PAGES)
        self._memory = mmap.mmap(self._fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._ring = memoryview(self._memory)[mmap.PAGESIZE :]
        self._tail = 0
        fcntl.fcntl(self._fd, F_SETOWN_EX, struct.pack("=ii", OWNER_THREAD, threading.get_native_id()))
        fcntl.fcntl(self._fd, F_SETSIG, ring)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)

    def start(self) -> None:
        """From now on it rings."""
        fcntl.ioctl(self._fd, ENABLE, 0)

    def stop(self) -> None:
        """It rings no more."""
        self._ring.release()
        self._memory.close()
        os.close(self._fd)

    def instants(self) -> list[Instant]:
        """What the thread was at, each time that it rang since this was last asked."""
        memory = self._memory
        (head,) = struct.unpack_from("=Q", memory, HEAD)
        waiting = behind(self._ring, self._tail, head)
        self._tail = head
        struct.pack_into("=Q", memory, TAIL, head)
        return list(parse(waiting))


def parse(records: bytes) -> Iterator[Instant]:
    """
    :param records: as the kernel writes them; those that are no samples are passed over.
    """
    at = 0
    while at + 8 <= len(records):
        kind, mode, size = struct.unpack_from("=IHH", records, at)
        if kind == RECORD_SAMPLE:
            yield Instant(RECORD.unpack_from(records, at)[3], mode & MODE_MASK == MODE_KERNEL)
        at += max(size, 8)


def behind(ring: bytes | memoryview, tail: int, head: int) -> bytes:
    """
    :param ring: what is written around and around.
    :param tail: how far it was read, counted from the first byte of all.
    :param head: how far it was written.
    :return: what was not read yet.
    """
    first = tail % len(ring)
    end = first + head - tail
    return bytes(ring[first:end]) + bytes(ring[: max(0, end - len(ring))])


def _open(rate: int) -> int:
    """:return: the descriptor of a clock of the calling thread, which stands still."""
    number = SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"no perf_event_open known on {platform.machine()}")
    flags = DISABLED | FREQUENCY
    given = (TYPE_SOFTWARE, ATTRIBUTES_SIZE, COUNT_CPU_CLOCK, rate, SAMPLE_IP, 0, flags, 1, 0, 0)
    attributes = ctypes.create_string_buffer(ATTRIBUTES.pack(*given), ATTRIBUTES_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    fd = int(libc.syscall(ctypes.c_long(number), attributes, 0, -1, -1, ctypes.c_ulong(8)))
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"perf_event_open: {os.strerror(ctypes.get_errno())} ({REMEDY})")
    return fd


def _thread() -> int:
    import threading

    return threading.get_native_id()
