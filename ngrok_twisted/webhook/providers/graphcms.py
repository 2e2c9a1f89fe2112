"""
GraphCMS (Hygraph): the digest of a JSON object that holds the body as text, the environment's name and the timestamp.
"""

from __future__ import annotations

import json

from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import InPairs, Pair, Stamp, milliseconds
from ngrok_twisted.webhook.schemes import Message, Signed
from ngrok_twisted.webhook.verifier import Provider

_HEADER = b"gcms-signature"
_TIME, _ENVIRONMENT = Pair(_HEADER, b"t"), Pair(_HEADER, b"env")


def _messages(delivery: Delivery) -> list[Message]:
    time = milliseconds(_TIME.of(delivery))
    if time is None:
        raise NotGenuine(SHAPE, "its timestamp cannot be read")
    try:
        said = {
            "Body": delivery.body.decode("utf-8"),
            "EnvironmentName": _ENVIRONMENT.of(delivery).decode("utf-8"),
            "TimeStamp": int(_TIME.of(delivery)),
        }
    except UnicodeDecodeError:
        raise NotGenuine(SHAPE, "it is not UTF-8") from None
    return [[json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8")]]


GRAPHCMS = Provider(
    name="graphcms",
    secret="secret key",
    schemes=(
        Signed(
            signature=InPairs(_HEADER, b"sign"),
            messages=_messages,
            encoding=BASE64,
            stamp=Stamp(part=_TIME, read=milliseconds),
        ),
    ),
)
