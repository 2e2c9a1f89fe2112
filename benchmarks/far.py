"""
`Link`: a network namespace that is far away, behind a link of exact delay and bounded bandwidth.

It is made of two TUN devices with a thread between them, which hands each packet over when its time has come: what netem(8)
does where the kernel has it. Whatever runs in the namespace is an ordinary program with an ordinary kernel, so that slow
start, windows, Nagle's algorithm and the round trips of handshakes are the real ones. Servers of the bench only listen on
loopback; the far side knows it as `SERVERS`, and the thread translates. It needs root, ``ip`` and ``/dev/net/tun``.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Callable

from benchmarks.arm import missing_tools
from benchmarks.workshop import Process, Unusable, Workshop, run

TUN = Path("/dev/net/tun")
NEEDS = {"ip": "apt-get install iproute2"}

SERVERS = "198.18.0.1"
"""What the far side calls this machine's loopback address: RFC 2544 keeps these addresses for benchmarks."""
FAR = "198.18.0.2"

MEGABIT = 10**6
MILLISECONDS = 1e-3

BANDWIDTH = 100 * MEGABIT
"""Bits a second, each way."""
QUEUE = 250 * MILLISECONDS
"""What waits longer for the link than this is dropped: more than any window here, so that losses decide nothing."""

_IDLE = 0.5
"""Seconds between looks whether it is over."""
_BATCH = 64
"""Packets that are taken from a device at once."""
_LARGEST = 2048

_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
"""linux/if_tun.h."""

_TCP = 6
_LISTEN = "0A"
_U16 = struct.Struct(">H")


class Lane:
    """
    One direction: which packet leaves when. Pure; the clock is the caller's.
    """

    def __init__(self, delay: float, bandwidth: float = BANDWIDTH, queue: float = QUEUE) -> None:
        """
        :param delay: seconds that a packet takes beside its own length.
        :param bandwidth: bits a second.
        :param queue: seconds, see `QUEUE`.
        """
        self._delay = delay
        self._bandwidth = bandwidth
        self._queue = queue
        self._free_at = 0.0
        self._packets: deque[tuple[float, bytes]] = deque()

    def add(self, packet: bytes, now: float) -> None:
        """Send a packet on its way, or drop it where too many wait."""
        start = max(now, self._free_at)
        if start - now <= self._queue:
            self._free_at = start + 8 * len(packet) / self._bandwidth
            self._packets.append((self._free_at + self._delay, packet))

    @property
    def due(self) -> float | None:
        """When the next one arrives; ``None`` if none is on its way."""
        return self._packets[0][0] if self._packets else None

    def arrived(self, now: float) -> list[bytes]:
        """Those that have arrived."""
        packets = self._packets
        found = []
        while packets and packets[0][0] <= now:
            found.append(packets.popleft()[1])
        return found


class Translation:
    """
    One address of IPv4 packets replaced by another, with both checksums adjusted (RFC 1624).
    """

    def __init__(self, at: int, old: str, new: str) -> None:
        """
        :param at: where the address stands in the header: 12 for the sender's, 16 for the receiver's.
        """
        self._at = at
        self._new = _address(new)
        self._change = sum(struct.unpack(">HH", self._new)) - sum(struct.unpack(">HH", _address(old)))

    def __call__(self, packet: bytes) -> bytes:
        """The packet as the other side shall see it."""
        changed = bytearray(packet)
        changed[self._at : self._at + 4] = self._new
        self._adjust(changed, 10)
        if changed[9] == _TCP:
            self._adjust(changed, 4 * (changed[0] & 15) + 16)
        return bytes(changed)

    def _adjust(self, packet: bytearray, at: int) -> None:
        """One checksum: the complement of a sum of 16-bit words modulo 65535."""
        total = (~_U16.unpack_from(packet, at)[0] & 0xFFFF) + self._change
        _U16.pack_into(packet, at, ~(total % 0xFFFF) & 0xFFFF)


def _address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


class Link:
    """The link, and the namespace behind it. Both are gone when the workshop closes."""

    def __init__(self, workshop: Workshop, round_trip: float) -> None:
        """
        :param round_trip: seconds that a small packet and the answer to it take together.
        :raises Unusable: this machine or this user cannot have one.
        """
        lacking = missing()
        if lacking:
            raise Unusable(lacking)
        self._name = f"ngrok-bench-{os.getpid()}"
        self._lanes = (Lane(round_trip / 2), Lane(round_trip / 2))
        self._over = False
        run("ip", "netns", "add", self._name)
        workshop.at_end(lambda: run("ip", "netns", "delete", self._name))
        hosts = Path("/etc/netns") / self._name / "hosts"
        hosts.parent.mkdir(parents=True)
        workshop.at_end(lambda: _remove(hosts))
        hosts.write_text(f"{SERVERS} localhost\n", encoding="ascii")
        near, far = self._open("bn"), self._open("bf")
        self._devices = (near, far)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        workshop.at_end(self._stop)

    @property
    def command(self) -> tuple[str, ...]:
        """What stands before the command line of a program that is to run far away."""
        return ("ip", "netns", "exec", self._name)

    def _open(self, prefix: str) -> int:
        """
        Make a device.

        :param prefix: ``bn`` for the near one; the other moves into the namespace.
        """
        device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
        asked = struct.pack("16sH22x", f"{prefix}{os.getpid()}".encode("ascii"), _IFF_TUN_NO_PI)
        name = fcntl.ioctl(device, _TUNSETIFF, asked)[:16].rstrip(b"\0").decode("ascii")
        if prefix == "bn":
            run("ip", "link", "set", name, "up")
            run("ip", "route", "add", FAR, "dev", name)
            Path(f"/proc/sys/net/ipv4/conf/{name}/route_localnet").write_text("1", encoding="ascii")
        else:
            run("ip", "link", "set", name, "netns", self._name)
            run(*self.command, "ip", "address", "add", f"{FAR}/24", "dev", name)
            run(*self.command, "ip", "link", "set", "lo", "up")
            run(*self.command, "ip", "link", "set", name, "up")
        return device

    def _stop(self) -> None:
        self._over = True
        self._thread.join()
        for device in self._devices:
            os.close(device)

    def _run(self) -> None:
        """Carry packets until it is over."""
        near, far = self._devices
        outward, inward = self._lanes
        ways: list[tuple[int, Lane, int, Callable[[bytes], bytes]]] = [
            (near, outward, far, Translation(12, "127.0.0.1", SERVERS)),
            (far, inward, near, Translation(16, SERVERS, "127.0.0.1")),
        ]
        while not self._over:
            now = time.monotonic()
            waits = [max(0.0, lane.due - now) for lane in self._lanes if lane.due is not None]
            ready = select.select(self._devices, (), (), min(waits, default=_IDLE))[0]
            now = time.monotonic()
            for source, lane, target, translate in ways:
                if source in ready:
                    for packet in _read(source):
                        lane.add(translate(packet), now)
                for packet in lane.arrived(now):
                    with suppress(OSError):  # a network may lose packets
                        os.write(target, packet)


def listens(process: Process, port: int) -> bool:
    """Whether a program that runs far away accepts connections on a port, by the table of its own kernel (proc(5))."""
    with suppress(OSError), open(f"/proc/{process.pid}/net/tcp", encoding="ascii") as table:
        return f":{port:04X} 00000000:0000 {_LISTEN} " in table.read()
    return False


def missing() -> str:
    """What keeps a link from being made here and what to do about it; empty if nothing does."""
    if os.geteuid():
        return "only root may make a network namespace with a delay (sudo make bench)"
    if not TUN.exists():
        return f"there is no {TUN} (modprobe tun)"
    return missing_tools(NEEDS)


def _read(device: int) -> list[bytes]:
    """Packets that wait, IPv4 alone."""
    packets = []
    for _ in range(_BATCH):
        try:
            packet = os.read(device, _LARGEST)
        except OSError:
            break
        if packet[0] >> 4 == 4:
            packets.append(packet)
    return packets


def _remove(file: Path) -> None:
    for remove in (file.unlink, file.parent.rmdir, file.parent.parent.rmdir):
        with suppress(OSError):
            remove()
