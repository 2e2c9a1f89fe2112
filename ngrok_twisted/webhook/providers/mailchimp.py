"""
Mailchimp Transactional (Mandrill): the digest of the URL, then of every form field's name and value, sorted by name.
"""

from __future__ import annotations

from typing import Iterator

from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import InHeader
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.urls import urls
from ngrok_twisted.webhook.verifier import Provider


def _messages(delivery: Delivery) -> Iterator[Message]:
    if delivery.body and not delivery.is_form:
        raise NotGenuine(SHAPE, "its body is not a form, and only forms are signed")
    fields = [piece for pair in sorted(delivery.form()) for piece in pair]
    for url in urls(delivery):
        yield (url, *fields)


MAILCHIMP = Provider(
    name="mailchimp",
    secret="webhook key",
    schemes=(
        Signed(signature=InHeader((b"x-mandrill-signature",)), messages=_messages, digest="sha1", encoding=BASE64),
    ),
)
