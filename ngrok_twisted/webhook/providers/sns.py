"""
Amazon SNS: RSA over some members of the message, with a key that Amazon publishes as a certificate.

No secret is shared: any Amazon customer can have SNS send genuine messages to any URL. Who wants those of one account only
configures its number as the secret.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import MISSING, SHAPE, SOURCE, WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import decoded
from ngrok_twisted.webhook.fetching import fetch
from ngrok_twisted.webhook.parts import Stamp, moment, read_json
from ngrok_twisted.webhook.schemes import Check
from ngrok_twisted.webhook.signing_certificates import SigningCertificates
from ngrok_twisted.webhook.verifier import Provider

SECONDS = 1.0
HOURS = 3600 * SECONDS

# SNS gives up after an hour at most.
_TOLERANCE = 1 * HOURS

# ngrok's number for a secret where there is none.
_NO_SECRET = 7026

_TYPE = b"x-amz-sns-message-type"

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")

#: The members that are signed, in this order, by the type of the message.
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_DIGESTS: Mapping[str, SHA1 | SHA256] = {"1": SHA1(), "2": SHA256()}

_ACCOUNT = re.compile(r"[0-9]{12}")
_SUBSCRIBE_URL = re.compile(r"https://sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?/\?[!-~]{1,2000}")

_STAMP = Stamp(read=moment, tolerance=_TOLERANCE)

_log = Logger()


class _Certified:
    """The scheme; the body holds everything."""

    def present(self, delivery: Delivery) -> bool:
        """Whether it is signed in this way: SNS does not sign what it sends raw."""
        return not delivery.has(b"x-amz-sns-rawdelivery")

    def check_secret(self, secret: str) -> None:
        """
        :raises Refused: it cannot be the number of an account.
        """
        if secret and _ACCOUNT.fullmatch(secret) is None:
            message = "is not taken by sns; to accept the topics of one account only, give its number of 12 digits"
            raise Refused(_NO_SECRET, message)

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """
        What checks messages.

        :raises LookupError: there is no HTTP client to fetch certificates with.
        """
        if context.http is None:
            raise LookupError("webhooks of sns cannot be verified: this server has no HTTP client for its certificates")
        return _Messages(secret, SigningCertificates(context.http, context.clock)).check


class _Messages:
    """Checks the messages of one route."""

    def __init__(self, account: str, certificates: SigningCertificates) -> None:
        """
        :param account: whose topics are accepted; empty for everybody's.
        """
        self._account = account
        self._certificates = certificates

    def check(self, delivery: Delivery) -> Deferred[None]:
        """
        :return: a Deferred that fires with ``None``, or fails with `NotGenuine`.
        :raises NotGenuine: there is no need to ask for a certificate.
        """
        message = _message(delivery)
        if self._account and _account(message) != self._account:
            raise NotGenuine(SOURCE, "its topic belongs to another account")
        _STAMP.judge(_text(message, "Timestamp").encode("utf-8", "replace"), delivery.now)
        signature, digest = decoded(_text(message, "Signature").encode("utf-8", "replace")), _digest(message)
        if not signature:
            raise NotGenuine(MISSING, "its signature is not base64")
        url = message.get("SigningCertURL", message.get("SigningCertUrl"))
        if not isinstance(url, str):
            raise NotGenuine(MISSING, "it names no certificate")
        signed = _signed_text(message)

        def verify(key: RSAPublicKey) -> None:
            try:
                key.verify(signature, signed, PKCS1v15(), digest)
            except InvalidSignature:
                raise NotGenuine(WRONG, "its signature is wrong") from None

        return self._certificates.key(url).addCallback(verify)


def _message(delivery: Delivery) -> dict[str, Any]:
    """
    The message, if every reader finds the same in it: of two members with one name, or with names that differ in case, the
    service could take the one that was not signed.
    """
    outermost: list[tuple[str, Any]] = []

    def members(found: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = found  # the outermost object is made last
        return dict(found)

    message = read_json(delivery.body, members)
    if not isinstance(message, dict) or len({name.lower() for name, value in outermost}) != len(outermost):
        raise NotGenuine(SHAPE, "its body is not a JSON object, or ambiguous")
    kind = _text(message, "Type")
    told = delivery.value(_TYPE)
    if kind not in _SIGNED or told and told != kind.encode("utf-8", "replace"):
        raise NotGenuine(SHAPE, "it is of no type that SNS has, or its header says another")
    return message


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise NotGenuine(MISSING, "a member that SNS always sends is not there")
    return value


def _account(message: dict[str, Any]) -> str:
    """The number in ``arn:aws:sns:region:account:topic``."""
    found = _text(message, "TopicArn").split(":")
    return found[4] if len(found) == 6 else ""


def _digest(message: dict[str, Any]) -> SHA1 | SHA256:
    digest = _DIGESTS.get(_text(message, "SignatureVersion"))
    if digest is None:
        raise NotGenuine(SHAPE, "its signature is of a version that is not known")
    return digest


def _signed_text(message: dict[str, Any]) -> bytes:
    pieces = []
    for name in _SIGNED[message["Type"]]:
        if name == "Subject" and message.get(name) is None:
            continue
        pieces.append(f"{name}\n{_text(message, name)}\n")
    try:
        return "".join(pieces).encode("utf-8")
    except UnicodeEncodeError:
        raise NotGenuine(SHAPE, "it is not Unicode") from None


def _confirm(delivery: Delivery, secret: str, context: WebhookContext) -> None:
    """
    Confirm a subscription where the operator wants that, and only to topics of the account that is configured: everybody
    can subscribe any URL to a topic of their own.
    """
    if not context.confirm_sns or not secret:
        return
    message = _message(delivery)
    if message["Type"] != "SubscriptionConfirmation":
        return
    url = _text(message, "SubscribeURL")
    if _SUBSCRIBE_URL.fullmatch(url) is None:
        raise NotGenuine(SHAPE, "its subscription is not to be confirmed at Amazon SNS")
    topic = message["TopicArn"]
    fetch(context.http, context.clock, url).addCallbacks(
        lambda body: _log.info("the subscription to {topic} was confirmed", topic=topic),
        lambda reason: _log.warn(
            "the subscription to {topic} could not be confirmed: {reason}", topic=topic, reason=reason.getErrorMessage()
        ),
    )


SNS = Provider(name="sns", secret="", schemes=(_Certified(),), takes_secret=False, handshake=_confirm)
