"""
Plivo: the digest of the URL, of the form's fields, and of a nonce. Version 2, which older applications get, is of the URL
without its query, and of the nonce alone.
"""

from __future__ import annotations

from typing import Iterator

from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import Header, InHeader
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.urls import origins
from ngrok_twisted.webhook.verifier import Provider


def _version_3(nonce: Header) -> Signed:
    name = nonce.name.removesuffix(b"-nonce")

    def messages(delivery: Delivery) -> Iterator[Message]:
        if delivery.body and not delivery.is_form:
            raise NotGenuine(SHAPE, "its body is not a form, and only forms are signed")
        rest = _rest(delivery)
        for origin in origins(delivery):
            yield (origin, delivery.path, rest, b".", nonce.of(delivery))

    return Signed(signature=InHeader((name,), separator=b","), messages=messages, encoding=BASE64)


def _rest(delivery: Delivery) -> bytes:
    """What stands for the parameters: those of the query, and after a point those of the form."""
    form = b"".join(name + value for name, value in sorted(delivery.form()))
    query = b"&".join(name + b"=" + value for name, value in sorted(delivery.query()))
    if not query and not form:
        return b""
    return b"?" + query + (b"." if query and form else b"") + form


def _version_2(delivery: Delivery) -> Iterator[Message]:
    for origin in origins(delivery):
        yield (origin, delivery.path, Header(b"x-plivo-signature-v2-nonce").of(delivery))


PLIVO = Provider(
    name="plivo",
    secret="auth token",
    schemes=(
        _version_3(Header(b"x-plivo-signature-v3-nonce")),
        _version_3(Header(b"x-plivo-signature-ma-v3-nonce")),
        Signed(signature=InHeader((b"x-plivo-signature-v2",)), messages=_version_2, encoding=BASE64),
    ),
)
