"""
HubSpot, in three versions. Version 3 is HMAC over method, URL, body and timestamp; 1 and 2 are plain digests that begin with
the secret, and do not say when they were made.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64, HEX, matches, text_key
from ngrok_twisted.webhook.parts import SECONDS, Header, InHeader, Stamp, milliseconds
from ngrok_twisted.webhook.schemes import Check, Message, Signed
from ngrok_twisted.webhook.urls import urls
from ngrok_twisted.webhook.verifier import Provider

_TIME = Header(b"x-hubspot-request-timestamp")
_OLD, _VERSION = InHeader((b"x-hubspot-signature",)), b"x-hubspot-signature-version"

# The characters that HubSpot decodes in URLs before it signs them.
_DECODED = re.compile(rb"(?i)%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)")


def _plain(url: bytes) -> bytes:
    return _DECODED.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), url)


def _version_3(delivery: Delivery) -> Iterator[Message]:
    time = _TIME.of(delivery)
    for url in urls(delivery):
        for written in dict.fromkeys((_plain(url), url)):
            yield (delivery.method, written, delivery.body, time)


def _version_2(delivery: Delivery) -> Iterator[Message]:
    for url in urls(delivery):
        yield (delivery.method, url, delivery.body)


def _version_1(delivery: Delivery) -> Iterator[Message]:
    yield (delivery.body,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hashed:
    """
    SHA-256 of the secret and a message.

    :ivar versions: what the header field of the version may say.
    :ivar messages: what may have been signed.
    """

    versions: tuple[bytes, ...]
    messages: Callable[[Delivery], Iterator[Message]]

    def present(self, delivery: Delivery) -> bool:
        """Whether it is signed in this way."""
        said = delivery.values(_VERSION) or [b""]
        return _OLD.present(delivery) and len(said) == 1 and said[0].lower() in self.versions

    def check_secret(self, secret: str) -> None:
        """Any text may be one."""

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this secret."""
        return partial(self._check, text_key(secret))

    def _check(self, key: bytes, delivery: Delivery) -> None:
        candidates = _OLD.found(delivery)
        for message in self.messages(delivery):
            if matches(HEX, hashlib.sha256(b"".join((key, *message))).digest(), candidates):
                return
        raise NotGenuine(WRONG, "its signature is wrong: another secret, or another message")


HUBSPOT = Provider(
    name="hubspot",
    secret="app's client secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-hubspot-signature-v3",)),
            messages=_version_3,
            encoding=BASE64,
            stamp=Stamp(part=_TIME, read=milliseconds, tolerance=300 * SECONDS),
        ),
        _Hashed(versions=(b"v2",), messages=_version_2),
        _Hashed(versions=(b"v1", b""), messages=_version_1),
    ),
)
