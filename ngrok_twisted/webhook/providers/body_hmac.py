"""
Providers that sign the body alone, and send the digest in a header field: ``HMAC(secret, body)``.

Such a delivery does not say when it was sent, so that one that was seen may be sent again: a service that minds looks at
the ids in the body.
"""

from __future__ import annotations

from ngrok_twisted.webhook.digests import BASE64, base64_key
from ngrok_twisted.webhook.schemes import body_hmac
from ngrok_twisted.webhook.verifier import Provider

AFTERSHIP = Provider(
    name="aftership", secret="webhook secret", schemes=(body_hmac("aftership-hmac-sha256", encoding=BASE64),)
)
ALCHEMY = Provider(name="alchemy", secret="signing key", schemes=(body_hmac("X-Alchemy-Signature"),))
AUTODESK = Provider(
    name="autodesk", secret="secret token", schemes=(body_hmac("x-adsk-signature", prefix="sha1hash=", digest="sha1"),)
)
BITBUCKET = Provider(
    name="bitbucket", secret="webhook secret", schemes=(body_hmac("X-Hub-Signature", prefix="sha256="),)
)
BOLT = Provider(name="bolt", secret="signing secret", schemes=(body_hmac("X-Bolt-Hmac-Sha256", encoding=BASE64),))
CASTLE = Provider(name="castle", secret="API secret", schemes=(body_hmac("X-Castle-Signature", encoding=BASE64),))
CHARGIFY = Provider(
    name="chargify",
    secret="shared key of the site",
    schemes=(body_hmac("X-Chargify-Webhook-Signature-Hmac-Sha-256"),),
)
CIRCLECI = Provider(
    name="circleci", secret="secret token", schemes=(body_hmac("circleci-signature", prefix="v1=", separator=","),)
)
CLEARBIT = Provider(
    name="clearbit", secret="secret API key", schemes=(body_hmac("X-Request-Signature", prefix="sha1=", digest="sha1"),)
)
COINBASE = Provider(name="coinbase", secret="shared secret", schemes=(body_hmac("X-CC-Webhook-Signature"),))
DOCUSIGN = Provider(
    name="docusign",
    secret="Connect HMAC key",
    # One field for each of up to a hundred keys of the account.
    schemes=(body_hmac(*(f"X-DocuSign-Signature-{number}" for number in range(1, 101)), encoding=BASE64),),
)
HEROKU = Provider(
    name="heroku", secret="webhook secret", schemes=(body_hmac("Heroku-Webhook-Hmac-SHA256", encoding=BASE64),)
)
INTERCOM = Provider(
    name="intercom",
    secret="app's client secret",
    schemes=(body_hmac("X-Hub-Signature", prefix="sha1=", digest="sha1"),),
)
JIRA = Provider(name="jira", secret="webhook secret", schemes=(body_hmac("X-Hub-Signature", prefix="sha256="),))
LAUNCH_DARKLY = Provider(name="launch_darkly", secret="webhook secret", schemes=(body_hmac("X-LD-Signature"),))
MICROSOFT_TEAMS = Provider(
    name="microsoft_teams",
    secret="security token of the outgoing webhook",
    schemes=(body_hmac("Authorization", prefix="hmac ", encoding=BASE64, key=base64_key),),
)
MODERN_TREASURY = Provider(name="modern_treasury", secret="webhook key", schemes=(body_hmac("X-Signature"),))
MONGODB = Provider(
    name="mongodb",
    secret="webhook secret",
    # Alerts of Atlas, and endpoints of its App Services.
    schemes=(
        body_hmac("X-MMS-Signature", digest="sha1", encoding=BASE64),
        body_hmac("X-Hook-Signature", prefix="sha256="),
    ),
)
PAGERDUTY = Provider(
    name="pagerduty",
    secret="signing secret",
    schemes=(body_hmac("X-PagerDuty-Signature", prefix="v1=", separator=","),),
)
PUSHER = Provider(
    name="pusher",
    secret="app secret",
    # Channels, and Beams.
    schemes=(body_hmac("X-Pusher-Signature"), body_hmac("Webhook-Signature", digest="sha1")),
)
SENTRY = Provider(
    name="sentry", secret="client secret of the integration", schemes=(body_hmac("Sentry-Hook-Signature"),)
)
SHOPIFY = Provider(
    name="shopify", secret="app's client secret", schemes=(body_hmac("X-Shopify-Hmac-Sha256", encoding=BASE64),)
)
SIGNAL_SCIENCES = Provider(
    name="signal_sciences",
    aliases=("signalsciences",),
    secret="secret key",
    schemes=(body_hmac("X-SigSci-Signature"),),
)
SONATYPE = Provider(
    name="sonatype",
    aliases=("sonatype_nexus",),
    secret="secret key",
    schemes=(body_hmac("X-Nexus-Webhook-Signature", digest="sha1"),),
)
TERRAFORM = Provider(
    name="terraform", secret="token", schemes=(body_hmac("X-TFE-Notification-Signature", digest="sha512"),)
)
TRENDMICRO_CONFORMITY = Provider(
    name="trendmicro_conformity", secret="security token", schemes=(body_hmac("X-Conformity-Signature"),)
)
TYPEFORM = Provider(
    name="typeform",
    secret="webhook secret",
    schemes=(body_hmac("Typeform-Signature", prefix="sha256=", encoding=BASE64),),
)
WEBEX = Provider(name="webex", secret="webhook secret", schemes=(body_hmac("X-Spark-Signature", digest="sha1"),))
