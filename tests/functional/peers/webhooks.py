"""
Signs webhooks with the vendors' own libraries, line by line: JSON with ``provider``, ``secret``, ``url``, ``body`` and ``time``
(seconds since the epoch) goes in; JSON with the header fields of the delivery comes out.
"""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl

from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator


def slack(secret, url, body, time):
    """slack_sdk."""
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(time), body=body)
    return {"X-Slack-Request-Timestamp": str(time), "X-Slack-Signature": signature}


def stripe(secret, url, body, time):
    """stripe."""
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body, secret, timestamp=time)}


def svix(secret, url, body, time):
    """standardwebhooks, which Svix has made."""
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(time, timezone.utc), body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(time), "webhook-signature": signature}


def twilio(secret, url, body, time):
    """twilio."""
    fields = dict(parse_qsl(body, keep_blank_values=True))
    return {"X-Twilio-Signature": RequestValidator(secret).compute_signature(url, fields)}


SIGNERS = {signer.__name__: signer for signer in (slack, stripe, svix, twilio)}

for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(SIGNERS[asked.pop("provider")](**asked)), flush=True)
