"""
Deliveries whose signatures others made: vendors' documentation, their libraries, or OpenSSL; ``vectors.json`` names the
source of each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator, Mapping
from urllib.parse import urlsplit

from twisted.internet.task import Clock

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import Delivery, NotGenuine
from ngrok_twisted.webhook.verifier import providers
from tests.webhook.client import Response

_FILE = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))

#: The certificate that the messages of SNS are signed with.
CERTIFICATE: bytes = _FILE["certificate"].encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """
    :ivar provider: its name.
    :ivar secret: what is configured.
    :ivar delivery: what arrives.
    :ivar source: who made the signature.
    """

    provider: str
    secret: str
    delivery: Delivery
    source: str

    def changed(self, **changes: Any) -> Vector:
        """The same with another delivery."""
        return replace(self, delivery=replace(self.delivery, **changes))


def delivery(
    url: str = "https://hooks.example.com/hook",
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    *,
    method: str = "POST",
    now: float = 0.0,
) -> Delivery:
    """A request as it arrives at this URL."""
    parts = urlsplit(url)
    return Delivery(
        method=method.encode(),
        target=(parts.path + ("?" + parts.query if parts.query else "")).encode(),
        authority=parts.netloc.encode(),
        scheme=parts.scheme.encode(),
        fields=tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items()),
        body=body,
        now=now,
    )


def vectors(*names: str) -> Iterator[Vector]:
    """Those of these providers; all of them without names."""
    for item in _FILE["deliveries"]:
        if not names or item["provider"] in names:
            yield Vector(
                provider=item["provider"],
                secret=item["secret"],
                delivery=delivery(
                    item["url"], item["headers"], item["body"].encode(), method=item["method"], now=item["at"]
                ),
                source=item["source"],
            )


class Certificates:
    """A treq-like client that knows the certificate of the vectors, at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, url: str, **options: Any) -> Any:
        """Whatever is asked for, it is the certificate."""
        self.asked.append(url)
        return _Ready()


class _Ready(Response):
    def deliverBody(self, protocol: Any) -> None:
        """IResponse."""
        super().deliverBody(protocol)
        self.send(CERTIFICATE)


def context(now: float = 0.0, **settings: Any) -> WebhookContext:
    """What providers are given: a clock that stands at this time, and a client that knows the certificate."""
    clock = Clock()
    clock.advance(now)
    return WebhookContext(**{"clock": clock, "http": Certificates(), **settings})


def verdict(provider: str, secret: str, arrived: Delivery, **settings: Any) -> Any:
    """
    Look at a delivery as the module does, first at its head and then at all of it.

    :return: what the verifier said: ``None``, an answer, or the `NotGenuine`.
    """
    verifier = providers()[provider](secret, context(arrived.now, **settings))
    return judged(verifier, arrived)


def judged(verifier: Any, arrived: Delivery) -> Any:
    """The same, by a verifier that is there already."""
    try:
        found = verifier.look(replace(arrived, body=b"", now=0.0))
        found = verifier.verify(arrived) if found is None else found
    except NotGenuine as wrong:
        return wrong
    if hasattr(found, "addBoth"):
        results: list[Any] = []
        found.addBoth(results.append)
        assert results, "it did not fire"
        found = getattr(results[0], "value", results[0])
        assert found is None or not isinstance(found, Exception) or isinstance(found, NotGenuine), repr(found)
    return found
