"""
Square: the digest of the URL, as it was written there, and of the body.
"""

from __future__ import annotations

from typing import Iterator

from ngrok_twisted.webhook.delivery import Delivery
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import InHeader
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.urls import urls
from ngrok_twisted.webhook.verifier import Provider


def _messages(delivery: Delivery) -> Iterator[Message]:
    for url in urls(delivery):
        yield (url, delivery.body)


SQUARE = Provider(
    name="square",
    secret="signature key",
    schemes=(
        Signed(signature=InHeader((b"x-square-hmacsha256-signature",)), messages=_messages, encoding=BASE64),
        Signed(signature=InHeader((b"x-square-signature",)), messages=_messages, digest="sha1", encoding=BASE64),
    ),
)
