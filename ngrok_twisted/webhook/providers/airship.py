"""
Airship: the digest of ``timestamp:body``. The body may come compressed, and what is signed is the text inside.
"""

from __future__ import annotations

import zlib
from typing import Iterator

from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.parts import Header, InHeader, Stamp
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.verifier import Provider

MEGABYTE = 1024 * 1024

# What a compressed body may become: as much as one that is not compressed may have by default.
_UNPACKED_MAX = 5 * MEGABYTE

_TIME = Header(b"x-ua-timestamp")


def _messages(delivery: Delivery) -> Iterator[Message]:
    time = _TIME.of(delivery)
    yield (time, b":", delivery.body)
    if [value.lower() for value in delivery.values(b"content-encoding")] == [b"gzip"]:
        yield (time, b":", _unpacked(delivery.body))


def _unpacked(data: bytes) -> bytes:
    """What gzip data (RFC 1952) says, as far as it may go; nothing if it is broken."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, _UNPACKED_MAX)
    except zlib.error:
        return b""


AIRSHIP = Provider(
    name="airship",
    secret="webhook's secret key",
    schemes=(Signed(signature=InHeader((b"x-ua-signature",)), messages=_messages, stamp=Stamp(part=_TIME)),),
)
