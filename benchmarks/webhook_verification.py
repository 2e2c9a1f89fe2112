"""
What verifying a webhook costs: ``python -m benchmarks.webhook_verification``.

Deliveries go through an HTTP/1.1 connection to a fixed answer, with nothing between and with the module; the difference is what
the module adds, in microseconds of CPU. Best of several rounds; no socket is opened.
"""

from __future__ import annotations

import hmac
import json
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.task import Clock

from benchmarks.small_modules import LEAF, MICROSECOND, Nowhere, OneSite, best
from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.modules.webhook_verification import WebhookVerification, WebhookVerificationConfig
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.webhook.digests import BASE64

#: Deliveries of one measurement.
COUNT = 1_000

SECRET = "not so secret"

KILOBYTE = 1024

_KEY = ec.derive_private_key(1, ec.SECP256R1())


def payload(size: int) -> bytes:
    """JSON of about so many bytes."""
    return json.dumps({"action": "opened", "text": "x" * size}).encode()


def guarded(provider: str, secret: str = SECRET) -> Any:
    """The module before a fixed answer."""
    context = ModuleContext(runtime=Runtime(reactor=Clock(), random=Random(1)))
    return WebhookVerification(WebhookVerificationConfig(provider=provider, secret=secret), context).wrap_resource(LEAF)


def delivery(body: bytes, **headers: str) -> bytes:
    """A request with this body."""
    lines = ["POST /hook HTTP/1.1", "Host: hooks.example.com", "User-Agent: Hookshot", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def cost(resource: Any, request: bytes) -> float:
    """Seconds of CPU that a delivery takes."""
    channel = HTTPChannel(OneSite(resource))
    channel.makeConnection(Nowhere())

    def deliver() -> None:
        for _ in range(COUNT):
            channel.dataReceived(request)

    return best(deliver) / COUNT


def added(provider: str, body: bytes, secret: str = SECRET, **headers: str) -> float:
    """Microseconds of CPU that the module adds to a delivery."""
    request = delivery(body, **headers)
    return (cost(guarded(provider, secret), request) - cost(LEAF, request)) * MICROSECOND


def main() -> None:
    """Print the table."""
    for size in (1, 100):
        body = payload(size * KILOBYTE)
        signature = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
        print(f"github, {size} KiB: {added('github', body, X_Hub_Signature_256=signature):.1f} µs")
    body = payload(KILOBYTE)
    print(f"refused without a signature: {added('github', body):.1f} µs")
    print(f"refused with a wrong one: {added('github', body, X_Hub_Signature_256='sha256=' + '0' * 64):.1f} µs")
    signed = BASE64.encode(_KEY.sign(b"0" + body, ec.ECDSA(SHA256()))).decode()
    public = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = "X_Twilio_Email_Event_Webhook_"
    fields = {f"{name}Signature": signed, f"{name}Timestamp": "0"}
    print(f"sendgrid, 1 KiB: {added('sendgrid', body, BASE64.encode(public).decode(), **fields):.1f} µs")


if __name__ == "__main__":
    main()
