"""
Twilio: the digest of the URL, then of every form field's name and value, sorted by name. A body that is no form is covered
by its SHA-256 in the URL.
"""

from __future__ import annotations

import hashlib
from typing import Callable, Iterator, Sequence

from ngrok_twisted.webhook.delivery import WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64, HEX, matches
from ngrok_twisted.webhook.parts import InHeader, pairs
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.urls import urls
from ngrok_twisted.webhook.verifier import Provider

# Twilio names the algorithm here for secrets that are made for webhooks alone; without it, it is SHA-1 and the auth token.
_SETTINGS = b"x-twilio-webhooks-signature-settings"


def _messages(delivery: Delivery) -> Iterator[Message]:
    if delivery.body and not delivery.is_form:
        _check_body(delivery)
    for fields in _fields(delivery):
        for url in urls(delivery):
            yield (url, *fields)


def _check_body(delivery: Delivery) -> None:
    said = [value for name, value in delivery.query() if name == b"bodySHA256"]
    if len(said) != 1 or not matches(HEX, hashlib.sha256(delivery.body).digest(), said):
        raise NotGenuine(WRONG, "its body is not the one whose digest its URL holds")


def _fields(delivery: Delivery) -> Iterator[Sequence[bytes]]:
    """The form as Twilio's libraries write it, each pair once; and with the pairs that are there more than once."""
    form = sorted(delivery.form())
    for spelled in (sorted(set(form)), form):
        yield [piece for pair in spelled for piece in pair]
        if len(spelled) == len(form):
            return


def _algorithm(name: bytes) -> Callable[[Delivery], bool]:
    def chosen(delivery: Delivery) -> bool:
        said = [value for line in delivery.values(_SETTINGS) for key, value in pairs(line) if key == b"algorithm"]
        return (said or [b"HMAC_SHA1"]) == [name]

    return chosen


_SIGNATURE = InHeader((b"x-twilio-signature",))

TWILIO = Provider(
    name="twilio",
    secret="auth token",
    schemes=(
        Signed(
            signature=_SIGNATURE,
            messages=_messages,
            digest="sha1",
            encoding=BASE64,
            when=_algorithm(b"HMAC_SHA1"),
        ),
        Signed(signature=_SIGNATURE, messages=_messages, encoding=BASE64, when=_algorithm(b"HMAC_SHA256")),
    ),
)
