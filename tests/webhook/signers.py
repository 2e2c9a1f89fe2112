"""
Every provider once more, as a few lines that sign: the other side's view of what `ngrok_twisted.webhook.providers` verifies,
written from the specification (edges, section 11) and not from our code.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Callable, Mapping
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ngrok_twisted.webhook.delivery import Delivery
from tests.webhook.vectors import delivery

URL = "https://hooks.example.com/hook?a=b"
NOW = 1_700_000_000
TEXT = "not so secret"
KEY = base64.b64encode(b"0123456789abcdef01234567").decode()
BODY = b'{"id": 1, "name": "Zo\xc3\xab"}'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Sign = Callable[[bytes, int], Mapping[str, str]]


def mac(key: str | bytes, message: bytes, digest: str = "sha256") -> bytes:
    """HMAC."""
    return hmac.new(key.encode() if isinstance(key, str) else key, message, digest).digest()


def b64(data: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(data).decode()


def iso(at: float) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class Signer:
    """
    :ivar sign: from the body and the time to the header fields.
    :ivar secret: what is configured.
    :ivar tolerance: in seconds; ``None`` where the time is not signed.
    :ivar body: what is sent, as long as nobody asks for something else.
    :ivar covers_body: whether a change of the body is noticed.
    :ivar write: makes the body that is sent, where the signature stands in it.
    """

    sign: Sign
    secret: str = TEXT
    tolerance: int | None = None
    body: bytes = BODY
    covers_body: bool = True
    write: Callable[[int], bytes] | None = None

    def delivery(self, at: int = NOW, now: float = NOW, body: bytes | None = None) -> Delivery:
        """What arrives at ``now``, signed at ``at``."""
        sent = self.write(at) if self.write is not None else self.body if body is None else body
        return delivery(URL, self.sign(sent, at), sent, now=now)


def hexed(header: str, digest: str = "sha256", before: str = "") -> Signer:
    """The digest of the body, in hexadecimal."""
    return Signer(sign=lambda body, at: {header: before + mac(TEXT, body, digest).hex()})


def based(header: str, digest: str = "sha256", before: str = "") -> Signer:
    """The digest of the body, in base64."""
    return Signer(sign=lambda body, at: {header: before + b64(mac(TEXT, body, digest))})


def paired(header: str, tolerance: int, form: str = "t={t},v1={s}") -> Signer:
    """A timestamp and a signature in one field."""

    def sign(body: bytes, at: int) -> Mapping[str, str]:
        return {header: form.format(t=at, s=mac(TEXT, b"%d.%s" % (at, body)).hex())}

    return Signer(sign=sign, tolerance=tolerance)


def versioned(version: str, signature: str, time: str, tolerance: int, written: Callable[[int], str] = str) -> Signer:
    """``v0:timestamp:body``."""

    def sign(body: bytes, at: int) -> Mapping[str, str]:
        digest = mac(TEXT, f"{version}:{written(at)}:".encode() + body).hex()
        return {signature: f"{version}={digest}", time: written(at)}

    return Signer(sign=sign, tolerance=tolerance)


def standard(prefix: str, secret: str) -> Signer:
    """Standard Webhooks."""

    def sign(body: bytes, at: int) -> Mapping[str, str]:
        digest = mac(base64.b64decode(KEY), b"msg_1.%d." % at + body)
        return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1,{b64(digest)}"}

    return Signer(sign=sign, secret=secret, tolerance=300)


def _airship(body: bytes, at: int) -> Mapping[str, str]:
    return {"X-UA-TIMESTAMP": str(at), "X-UA-SIGNATURE": mac(TEXT, b"%d:%s" % (at, body)).hex()}


def _box(body: bytes, at: int) -> Mapping[str, str]:
    return {
        "BOX-SIGNATURE-PRIMARY": b64(mac(TEXT, body + iso(at).encode())),
        "BOX-DELIVERY-TIMESTAMP": iso(at),
        "BOX-SIGNATURE-VERSION": "1",
        "BOX-SIGNATURE-ALGORITHM": "HmacSHA256",
    }


def _contentful(body: bytes, at: int) -> Mapping[str, str]:
    names = "x-contentful-signed-headers,x-contentful-timestamp"
    fields = f"x-contentful-signed-headers:{names};x-contentful-timestamp:{at}000"
    digest = mac(TEXT, b"\n".join([b"POST", b"/hook?a=b", fields.encode(), body])).hex()
    return {
        "x-contentful-signature": digest,
        "x-contentful-signed-headers": names,
        "x-contentful-timestamp": f"{at}000",
    }


def _graphcms(body: bytes, at: int) -> Mapping[str, str]:
    text = '{"Body":%s,"EnvironmentName":"master","TimeStamp":%d}' % (
        json.dumps(body.decode(), ensure_ascii=False),
        at * 1000,
    )
    return {"gcms-signature": f"sign={b64(mac(TEXT, text.encode()))}, env=master, t={at}000"}


def _hubspot(body: bytes, at: int) -> Mapping[str, str]:
    digest = mac(TEXT, b"POST" + URL.encode() + body + b"%d000" % at)
    return {"X-HubSpot-Signature-v3": b64(digest), "X-HubSpot-Request-Timestamp": f"{at}000"}


def _mailchimp(body: bytes, at: int) -> Mapping[str, str]:
    pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    text = URL + "".join(name + value for name, value in pairs)
    return {**FORM, "X-Mandrill-Signature": b64(mac(TEXT, text.encode(), "sha1"))}


def _mailgun(at: int) -> bytes:
    digest = mac(TEXT, f"{at}token".encode()).hex()
    signature = {"timestamp": str(at), "token": "token", "signature": digest}
    return json.dumps({"signature": signature, "event-data": {}}).encode()


def _plivo(body: bytes, at: int) -> Mapping[str, str]:
    pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    text = "https://hooks.example.com/hook?a=b." + "".join(name + value for name, value in pairs) + ".nonce"
    return {**FORM, "X-Plivo-Signature-V3": b64(mac(TEXT, text.encode())), "X-Plivo-Signature-V3-Nonce": "nonce"}


_EC_KEY = ec.derive_private_key(0x1234567890, ec.SECP256R1())
_EC_PUBLIC = b64(_EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _sendgrid(body: bytes, at: int) -> Mapping[str, str]:
    signature = _EC_KEY.sign(str(at).encode() + body, ec.ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": b64(signature),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
    }


def _zendesk(body: bytes, at: int) -> Mapping[str, str]:
    return {
        "X-Zendesk-Webhook-Signature": b64(mac(TEXT, iso(at).encode() + body)),
        "X-Zendesk-Webhook-Signature-Timestamp": iso(at),
    }


def _twilio(body: bytes, at: int) -> Mapping[str, str]:
    pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    text = URL + "".join(name + value for name, value in pairs)
    return {**FORM, "X-Twilio-Signature": b64(mac(TEXT, text.encode(), "sha1"))}


def _linear(at: int) -> bytes:
    return json.dumps({"action": "create", "webhookTimestamp": at * 1000}).encode()


_SENT_FORM = b"b=2&a=%C3%A4+x&c="
_HUB = hexed("X-Hub-Signature-256", before="sha256=")

SIGNERS: Mapping[str, Signer] = {
    "aftership": based("aftership-hmac-sha256"),
    "airship": Signer(sign=_airship, tolerance=180),
    "alchemy": hexed("X-Alchemy-Signature"),
    "autodesk": hexed("x-adsk-signature", "sha1", "sha1hash="),
    "bitbucket": hexed("X-Hub-Signature", before="sha256="),
    "bolt": based("X-Bolt-Hmac-Sha256"),
    "box": Signer(sign=_box, tolerance=600),
    "brex": standard("Webhook", KEY),
    "buildkite": paired("X-Buildkite-Signature", 180, "timestamp={t},signature={s}"),
    "calendly": paired("Calendly-Webhook-Signature", 180),
    "castle": based("X-Castle-Signature"),
    "chargify": hexed("X-Chargify-Webhook-Signature-Hmac-Sha-256"),
    "circleci": hexed("circleci-signature", before="v1="),
    "clearbit": hexed("X-Request-Signature", "sha1", "sha1="),
    "clerk": standard("svix", f"whsec_{KEY}"),
    "coinbase": hexed("X-CC-Webhook-Signature"),
    "contentful": Signer(sign=_contentful, tolerance=180),
    "docusign": based("X-DocuSign-Signature-7"),
    "dropbox": hexed("X-Dropbox-Signature"),
    "facebook_graph_api": _HUB,
    "facebook_messenger": _HUB,
    "frameio": versioned("v0", "X-Frameio-Signature", "X-Frameio-Request-Timestamp", 300),
    "github": _HUB,
    "gitlab": Signer(sign=lambda body, at: {"X-Gitlab-Token": TEXT}, covers_body=False),
    "go1": paired("go1-signature", 180),
    "graphcms": Signer(sign=_graphcms, tolerance=180),
    "heroku": based("Heroku-Webhook-Hmac-SHA256"),
    "hostedhooks": paired("HostedHooks-Signature", 180, "t={t},s={s}"),
    "hubspot": Signer(sign=_hubspot, tolerance=300),
    "instagram": _HUB,
    "intercom": hexed("X-Hub-Signature", "sha1", "sha1="),
    "jira": hexed("X-Hub-Signature", before="sha256="),
    "launch_darkly": hexed("X-LD-Signature"),
    "linear": Signer(sign=lambda body, at: {"Linear-Signature": mac(TEXT, body).hex()}, tolerance=60, write=_linear),
    "mailchimp": Signer(sign=_mailchimp, body=_SENT_FORM),
    "mailgun": Signer(sign=lambda body, at: {}, tolerance=180, write=_mailgun, covers_body=False),
    "microsoft_teams": Signer(
        sign=lambda body, at: {"Authorization": "HMAC " + b64(mac(base64.b64decode(KEY), body))}, secret=KEY
    ),
    "modern_treasury": hexed("X-Signature"),
    "mongodb": based("X-MMS-Signature", "sha1"),
    "mux": paired("mux-signature", 300),
    "orb": versioned("v1", "X-Orb-Signature", "X-Orb-Timestamp", 300, iso),
    "orbit": hexed("X-Orbit-Signature"),
    "pagerduty": hexed("X-PagerDuty-Signature", before="v1="),
    "pinwheel": versioned("v2", "x-pinwheel-signature", "x-timestamp", 180),
    "plivo": Signer(sign=_plivo, body=_SENT_FORM),
    "pusher": hexed("X-Pusher-Signature"),
    "sendgrid": Signer(sign=_sendgrid, secret=_EC_PUBLIC, tolerance=180),
    "sentry": hexed("Sentry-Hook-Signature"),
    "shopify": based("X-Shopify-Hmac-Sha256"),
    "signal_sciences": hexed("X-SigSci-Signature"),
    "slack": versioned("v0", "X-Slack-Signature", "X-Slack-Request-Timestamp", 300),
    "sonatype": hexed("X-Nexus-Webhook-Signature", "sha1"),
    "square": Signer(sign=lambda body, at: {"x-square-hmacsha256-signature": b64(mac(TEXT, URL.encode() + body))}),
    "stripe": paired("Stripe-Signature", 300),
    "svix": standard("svix", f"whsec_{KEY}"),
    "terraform": hexed("X-TFE-Notification-Signature", "sha512"),
    "tiktok": paired("TikTok-Signature", 180, "t={t},s={s}"),
    "trendmicro_conformity": hexed("X-Conformity-Signature"),
    "twilio": Signer(sign=_twilio, body=_SENT_FORM),
    "twitter": based("x-twitter-webhooks-signature", before="sha256="),
    "typeform": based("Typeform-Signature", before="sha256="),
    "vmware": Signer(
        sign=lambda body, at: {"Authorization": "Basic " + b64(b"aladdin:open:sesame")},
        secret="aladdin::open:sesame",
        covers_body=False,
    ),
    "webex": hexed("X-Spark-Signature", "sha1"),
    "whatsapp": _HUB,
    "worldline": based("X-GCS-Signature"),
    "xero": based("x-xero-signature"),
    "zendesk": Signer(sign=_zendesk, tolerance=180),
    "zoom": versioned("v0", "x-zm-signature", "x-zm-request-timestamp", 300),
}
