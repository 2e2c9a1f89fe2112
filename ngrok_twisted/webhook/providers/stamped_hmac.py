"""
Providers that sign a timestamp along with the body, so that a delivery that was seen can be sent again only for a while.
"""

from __future__ import annotations

from ngrok_twisted.webhook.digests import BASE64
from ngrok_twisted.webhook.parts import BODY, SECONDS, Header, InHeader, Member, Stamp, milliseconds, moment
from ngrok_twisted.webhook.schemes import Signed, Token, made_of, pairs_hmac
from ngrok_twisted.webhook.verifier import Provider

BUILDKITE = Provider(
    name="buildkite",
    secret="token",
    schemes=(
        pairs_hmac("X-Buildkite-Signature", signature="signature", stamp="timestamp"),
        Token(header=b"x-buildkite-token"),
    ),
)
CALENDLY = Provider(
    name="calendly", secret="signing key", schemes=(pairs_hmac("Calendly-Webhook-Signature", tolerance=180 * SECONDS),)
)
GO1 = Provider(name="go1", secret="shared secret", schemes=(pairs_hmac("go1-signature"),))
HOSTEDHOOKS = Provider(
    name="hostedhooks", secret="signing secret", schemes=(pairs_hmac("HostedHooks-Signature", signature="s"),)
)
MUX = Provider(name="mux", secret="signing secret", schemes=(pairs_hmac("mux-signature", tolerance=300 * SECONDS),))
STRIPE = Provider(
    name="stripe", secret="signing secret", schemes=(pairs_hmac("Stripe-Signature", tolerance=300 * SECONDS),)
)
TIKTOK = Provider(name="tiktok", secret="client secret", schemes=(pairs_hmac("TikTok-Signature", signature="s"),))

_BOX_TIME = Header(b"box-delivery-timestamp")
BOX = Provider(
    name="box",
    secret="primary signature key",
    schemes=(
        Signed(
            signature=InHeader((b"box-signature-primary", b"box-signature-secondary")),
            messages=made_of(BODY, _BOX_TIME),
            encoding=BASE64,
            requires=((b"box-signature-version", b"1"), (b"box-signature-algorithm", b"HmacSHA256")),
            stamp=Stamp(part=_BOX_TIME, read=moment, tolerance=600 * SECONDS),
        ),
    ),
)

_FRAMEIO_TIME = Header(b"x-frameio-request-timestamp")
FRAMEIO = Provider(
    name="frameio",
    secret="webhook secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-frameio-signature",), b"v0="),
            messages=made_of(b"v0:", _FRAMEIO_TIME, b":", BODY),
            stamp=Stamp(part=_FRAMEIO_TIME, tolerance=300 * SECONDS),
        ),
    ),
)

LINEAR = Provider(
    name="linear",
    secret="webhook secret",
    schemes=(
        Signed(
            signature=InHeader((b"linear-signature",)),
            stamp=Stamp(part=Member("webhookTimestamp"), read=milliseconds, tolerance=60 * SECONDS),
        ),
    ),
)

_ORB_TIME = Header(b"x-orb-timestamp")
ORB = Provider(
    name="orb",
    secret="webhook secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-orb-signature",), b"v1=", b" "),
            messages=made_of(b"v1:", _ORB_TIME, b":", BODY),
            stamp=Stamp(part=_ORB_TIME, read=moment, tolerance=300 * SECONDS),
        ),
    ),
)

_PINWHEEL_TIME = Header(b"x-timestamp")
PINWHEEL = Provider(
    name="pinwheel",
    secret="API secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-pinwheel-signature",), b"v2="),
            messages=made_of(b"v2:", _PINWHEEL_TIME, b":", BODY),
            stamp=Stamp(part=_PINWHEEL_TIME),
        ),
    ),
)

_ZENDESK_TIME = Header(b"x-zendesk-webhook-signature-timestamp")
ZENDESK = Provider(
    name="zendesk",
    secret="signing secret",
    schemes=(
        Signed(
            signature=InHeader((b"x-zendesk-webhook-signature",)),
            messages=made_of(_ZENDESK_TIME, BODY),
            encoding=BASE64,
            stamp=Stamp(part=_ZENDESK_TIME, read=moment),
        ),
    ),
)
