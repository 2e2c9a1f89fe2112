"""
The ways of signing that several providers share. A *scheme* has ``present(delivery)``, whether a delivery is signed in this
way at all, by its head; ``check_secret(secret)``, as `ngrok_twisted.webhook.interfaces.IWebhookVerifier` has it; and
``bind(secret, context)``, which makes a callable that raises `NotGenuine` for a delivery, or returns ``None`` or a Deferred
that fails with it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterable, Sequence

from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import MISSING, SHAPE, WRONG, Delivery, NotGenuine
from ngrok_twisted.webhook.digests import BASE64, HEX, Base64, Hexadecimal, matches, standard_key, text_key
from ngrok_twisted.webhook.parts import BODY, SECONDS, TOLERANCE, Header, InHeader, InPairs, Pair, Stamp, Text

#: One message that may have been signed, in pieces.
Message = Sequence[bytes]

Check = Callable[[Delivery], Any]


def _always(delivery: Delivery) -> bool:
    return True


def made_of(*parts: Any) -> Callable[[Delivery], Iterable[Message]]:
    """
    Messages of these parts, one after the other.

    :param parts: bytes, or objects with a method ``of``.
    """
    made = [Text(part) if isinstance(part, bytes) else part for part in parts]
    return lambda delivery: [[part.of(delivery) for part in made]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """
    HMAC (RFC 2104) over a message.

    :ivar signature: where signatures stand; any that is right counts, so that keys can be changed.
    :ivar messages: from a delivery to what may have been signed: more than one message where it depends on how the sender
        wrote the URL.
    :ivar digest: as `hashlib` calls it.
    :ivar encoding: of the signatures.
    :ivar key: from the secret to the key; it raises `ngrok_twisted.errors.Refused` if there is none in it.
    :ivar stamp: when the delivery was sent; ``None`` if it does not say.
    :ivar requires: header fields that must have a certain value.
    :ivar when: whether a delivery with such a signature is one of this scheme.
    """

    signature: InHeader | InPairs
    messages: Callable[[Delivery], Iterable[Message]] = made_of(BODY)
    digest: str = "sha256"
    encoding: Hexadecimal | Base64 = HEX
    key: Callable[[str], bytes] = text_key
    stamp: Stamp | None = None
    requires: Sequence[tuple[bytes, bytes]] = ()
    when: Callable[[Delivery], bool] = _always

    def present(self, delivery: Delivery) -> bool:
        """Whether it is signed in this way."""
        return self.signature.present(delivery) and self.when(delivery)

    def check_secret(self, secret: str) -> None:
        """
        :raises Refused: it is no key.
        """
        self.key(secret)

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this secret."""
        return partial(self._check, self.key(secret))

    def _check(self, key: bytes, delivery: Delivery) -> None:
        for name, value in self.requires:
            if delivery.value(name) != value:
                raise NotGenuine(SHAPE, "it is signed in another way than is known of its provider")
        candidates = self.signature.found(delivery)
        if not candidates:
            raise NotGenuine(MISSING, "the header field of the signature holds none")
        if not any(matches(self.encoding, self._digest(key, each), candidates) for each in self.messages(delivery)):
            raise NotGenuine(WRONG, "its signature is wrong: another secret, or another message")
        if self.stamp is not None:
            self.stamp.check(delivery)

    def _digest(self, key: bytes, message: Message) -> bytes:
        mac = hmac.new(key, digestmod=self.digest)
        for piece in message:
            mac.update(piece)
        return mac.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """
    The secret itself stands in a header field: whoever sees one delivery could send others.

    :ivar header: lower case.
    :ivar read: from the field's value to what must equal the secret; it raises `NotGenuine`.
    :ivar key: from the secret to what the field must say; it raises `ngrok_twisted.errors.Refused`.
    """

    header: bytes
    read: Callable[[bytes], bytes] = bytes
    key: Callable[[str], bytes] = text_key

    def present(self, delivery: Delivery) -> bool:
        """Whether there is such a field."""
        return delivery.has(self.header)

    def check_secret(self, secret: str) -> None:
        """
        :raises Refused: it has not the right form.
        """
        self.key(secret)

    def bind(self, secret: str, context: WebhookContext) -> Check:
        """What checks deliveries with this secret."""
        return partial(self._check, self.key(secret))

    def _check(self, key: bytes, delivery: Delivery) -> None:
        # Both are hashed, so that neither the length nor the place of the first difference can be measured.
        said = hashlib.sha256(self.read(delivery.value(self.header))).digest()
        if not hmac.compare_digest(said, hashlib.sha256(key).digest()):
            raise NotGenuine(WRONG, "its token is not the secret")


# -- families ----------------------------------------------------------------------------------------------------------


def body_hmac(
    *headers: str,
    digest: str = "sha256",
    encoding: Hexadecimal | Base64 = HEX,
    prefix: str = "",
    separator: str = "",
    key: Callable[[str], bytes] = text_key,
) -> Signed:
    """
    A digest of the body alone in a header field; such a delivery does not say when it was sent.

    :param headers: any of these fields.
    :param prefix: before each signature.
    :param separator: between several.
    """
    names = tuple(name.lower().encode("ascii") for name in headers)
    return Signed(
        signature=InHeader(names, prefix.encode("ascii"), separator.encode("ascii")),
        digest=digest,
        encoding=encoding,
        key=key,
    )


def hub() -> tuple[Signed, Signed]:
    """``X-Hub-Signature-256``; without it the older ``X-Hub-Signature`` with SHA-1."""
    return (
        body_hmac("X-Hub-Signature-256", prefix="sha256="),
        body_hmac("X-Hub-Signature", prefix="sha1=", digest="sha1"),
    )


def pairs_hmac(header: str, *, signature: str = "v1", stamp: str = "t", tolerance: float = TOLERANCE) -> Signed:
    """
    ``t=…,v1=…`` in one header field: the signature of the timestamp, a point, and the body.

    :param signature: the name of the pair with the signature.
    :param stamp: the name of the pair with the seconds since the epoch.
    """
    name = header.lower().encode("ascii")
    when = Pair(name, stamp.encode("ascii"))
    return Signed(
        signature=InPairs(name, signature.encode("ascii")),
        messages=made_of(when, b".", BODY),
        stamp=Stamp(part=when, tolerance=tolerance),
    )


def standard_webhooks(prefix: str, key: Callable[[str], bytes] = standard_key) -> Signed:
    """
    Standard Webhooks (https://www.standardwebhooks.com): ``id.timestamp.body``, signatures separated by spaces.

    :param prefix: of the three header fields, ``webhook`` in the standard.
    """
    id, when = Header(f"{prefix}-id".encode("ascii")), Header(f"{prefix}-timestamp".encode("ascii"))
    return Signed(
        signature=InHeader((f"{prefix}-signature".encode("ascii"),), b"v1,", b" "),
        messages=made_of(id, b".", when, b".", BODY),
        encoding=BASE64,
        key=key,
        stamp=Stamp(part=when, tolerance=300 * SECONDS),
    )
