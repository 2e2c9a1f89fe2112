"""
`Provider`, somebody who sends webhooks, as data; and `Verifier`, one of them with the secret of one route.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Mapping

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.interfaces import IWebhookVerifier
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import MISSING, Delivery, NotGenuine

#: ngrok's numbers for a secret that is not there, and one that is too long.
SECRET_MISSING, SECRET_TOO_LONG = 7027, 7154

#: Characters; ngrok publishes no number. The longest genuine ones are public keys.
SECRET_MAX = 2048


class Unverified:
    """What `Verifier.look` returns for a request that goes on as it is: the service knows how to check it, not we."""


#: There is only one.
UNVERIFIED = Unverified()

#: Called with a delivery, the secret and the context; it returns ``None``, an `IResource` that answers, or `UNVERIFIED`.
Handshake = Callable[[Delivery, str, WebhookContext], Any]


def _no_handshake(delivery: Delivery, secret: str, context: WebhookContext) -> None:
    return None


@implementer(IWebhookVerifier)
@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """
    :ivar name: see `IWebhookVerifier`.
    :ivar secret: likewise.
    :ivar schemes: the ways in which it signs; the first that a delivery is signed in counts.
    :ivar aliases: see `IWebhookVerifier`.
    :ivar takes_secret: whether it must have a secret.
    :ivar challenge: answers requests that are no deliveries, by their heads: how a provider makes sure whose URL it is.
    :ivar handshake: answers deliveries that are genuine, but not for the service.
    :ivar refusal: an `IResource` that answers what is not genuine; ``None`` for the usual page.
    """

    name: str
    secret: str
    schemes: tuple[Any, ...]
    aliases: tuple[str, ...] = ()
    takes_secret: bool = True
    challenge: Handshake = _no_handshake
    handshake: Handshake = _no_handshake
    refusal: Any = None

    def check_secret(self, secret: str) -> None:
        """IWebhookVerifier."""
        if self.takes_secret and not secret:
            raise Refused(SECRET_MISSING, f"is required: the {self.secret} of {self.name}")
        if len(secret) > SECRET_MAX:
            raise Refused(SECRET_TOO_LONG, f"has more than {SECRET_MAX} characters")
        for scheme in self.schemes:
            scheme.check_secret(secret)

    def __call__(self, secret: str, context: WebhookContext) -> Verifier:
        """IWebhookVerifier."""
        return Verifier(self, secret, context)


class Verifier:
    """
    :ivar provider: the `Provider`.
    """

    def __init__(self, provider: Provider, secret: str, context: WebhookContext) -> None:
        """
        :raises LookupError: the server lacks what verifying takes.
        """
        self.provider = provider
        self._secret = secret
        self._context = context
        self._checks = [(scheme, scheme.bind(secret, context)) for scheme in provider.schemes]

    def look(self, delivery: Delivery) -> Any:
        """
        Judge the head, before somebody has to send a body in vain.

        :return: ``None`` if the body is needed; an `IResource` that answers at once; or `UNVERIFIED`.
        :raises NotGenuine: it cannot become a genuine delivery, whatever its body is.
        """
        found = self.provider.challenge(delivery, self._secret, self._context)
        if found is None:
            self._check_for(delivery)
        return found

    def verify(self, delivery: Delivery) -> Any:
        """
        Judge a delivery with its body.

        :return: ``None`` if it is genuine, an `IResource` if it is, and is answered here; or a Deferred of either, which may
            fail with `NotGenuine`.
        :raises NotGenuine: it is not genuine.
        """
        waiting = self._check_for(delivery)(delivery)
        if isinstance(waiting, Deferred):
            return waiting.addCallback(lambda _: self._handshake(delivery))
        return self._handshake(delivery)

    def _check_for(self, delivery: Delivery) -> Any:
        for scheme, check in self._checks:
            if scheme.present(delivery):
                return check
        raise NotGenuine(MISSING, "it has no signature of this provider")

    def _handshake(self, delivery: Delivery) -> Any:
        return self.provider.handshake(delivery, self._secret, self._context)


@lru_cache(maxsize=None)
def providers() -> Mapping[str, Any]:
    """Every provider by its name, and by its other names."""
    found = kinds.discover("ngrok_twisted.webhook.providers", IWebhookVerifier)
    return {name: one for one in found.values() for name in (one.name, *one.aliases)}
