"""
`Patience`: how much a visitor may ask of one HTTP/2 connection that brings nobody forward.

Most ways to wear out an HTTP/2 server are frames that are cheap to send, right by themselves, and useless in number: pings,
settings, requests that are cancelled at once (CVE-2023-44487), or broken so that the server has to cancel them
(CVE-2025-8671), data frames without data, windows opened a byte at a time. Here each of them costs, and what a connection
is for earns: bodies that move, and requests that are answered.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.net.bucket import Bucket
from ngrok_twisted.upstream.syntax import KILOBYTE

# What a connection begins with, and never exceeds: as many as two hundred requests that are cancelled in one go, which is
# twice what a browser has open when somebody closes its window.
MOST = 2000.0

# What comes back each second: ten cancelled requests, or a hundred pings.
PER_SECOND = 100.0

# Bytes of bodies, either way, that earn one. Visitors open windows once for many kilobytes.
BYTES_FOR_ONE = 512

# A setting takes six bytes (RFC 9113 section 6.5.1), and each has to be looked at.
_SETTING = 6

#: What a frame costs that moves nothing.
FRAME = 1

#: What it costs to have a request begun and then dropped; answering a request earns as much.
RESET = 10

# By how many bytes a head may be longer than what was sent of it, for nothing: what a browser repeats of its cookies, and more.
_UNPACKED = 32 * KILOBYTE


class Patience(Bucket):
    """What one connection may ask for nothing."""

    __slots__ = ()

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an ``IReactorTime``.
        """
        super().__init__(clock, MOST, PER_SECOND)


def cost_of_settings(size: int) -> int:
    """
    What settings cost.

    :param size: of the frame's payload in bytes.
    """
    return FRAME + size // _SETTING


def cost_of_head(unpacked: int) -> float:
    """
    What a head costs that is much longer than what was sent of it: somebody has to read and to pass on all of it.

    :param unpacked: by how many bytes it is longer.
    """
    return 0 if unpacked <= _UNPACKED else (unpacked - _UNPACKED) / BYTES_FOR_ONE
