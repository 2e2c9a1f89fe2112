"""
Contentful: the digest of method, path, some header fields, and body, each on a line of its own.
"""

from __future__ import annotations

from typing import Iterator
from urllib.parse import quote

from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.parts import Header, InHeader, Stamp, milliseconds
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.verifier import Provider

_TIME = Header(b"x-contentful-timestamp")
_SIGNED_HEADERS = b"x-contentful-signed-headers"

# Fields that are signed along; genuine ones have fewer than ten.
_FIELDS_MAX = 100

# What JavaScript's encodeURI leaves as it is (ECMA-262, section 19.2.6.4), beside letters, digits, and what quote leaves.
_URI = ";/?:@&=+$,!*'()#~"


def _messages(delivery: Delivery) -> Iterator[Message]:
    names = [name.strip().lower() for name in delivery.value(_SIGNED_HEADERS).split(b",", _FIELDS_MAX)]
    if _SIGNED_HEADERS not in names or _TIME.name not in names:
        raise NotGenuine(SHAPE, "the list of signed header fields lacks itself or the timestamp")
    fields = b";".join(name + b":" + delivery.value(name) for name in names)
    for path in dict.fromkeys((delivery.target, _as_signed(delivery.target))):
        yield (delivery.method, b"\n", path, b"\n", fields, b"\n", delivery.body)


def _as_signed(target: bytes) -> bytes:
    """The target as Contentful's own toolkit writes it: the query is encoded whole, and then all of it once more."""
    path, _, query = target.decode("latin-1").partition("?")
    whole = f"{path}?{quote(query, safe='!*()' + chr(39) + '~', encoding='latin-1')}" if query else path
    return quote(whole, safe=_URI, encoding="latin-1").encode("ascii")


CONTENTFUL = Provider(
    name="contentful",
    secret="signing secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-contentful-signature",)),
            messages=_messages,
            stamp=Stamp(part=_TIME, read=milliseconds),
        ),
    ),
)
