"""
``webhook_verification``: only webhooks that a provider signed pass.

The body is held until its signature is known to be right, and goes on unchanged, with what came after it. What the provider
asks to make sure whose URL it is, is answered here or let through, as `ngrok_twisted.webhook.providers` has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer, provider

from ngrok_twisted.collect import BodyGuard
from ngrok_twisted.errors import EdgeError, InvalidConfig, Refused
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import suggestion
from ngrok_twisted.webhook.context import WebhookContext
from ngrok_twisted.webhook.delivery import SHAPE, Delivery, NotGenuine
from ngrok_twisted.webhook.verifier import UNVERIFIED, providers
from ngrok_twisted.wrapper import Phase

#: ngrok's numbers: no provider, one that is not known, no secret.
_NO_PROVIDER, _UNKNOWN_PROVIDER, _NO_SECRET = 7029, 7030, 7027

#: Where a flow keeps what was decided, and in a word why.
DECISION, REASON = "webhook_verification.decision", "webhook_verification.reason"
_ALLOW, _BLOCK = "allow", "block"


class WebhookRefused(EdgeError):
    """The request is not a webhook of the provider. Why is for the operator alone."""

    code = 3204
    status = 403
    sentence = "This endpoint takes webhooks only, and the signature of this one could not be verified."


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookVerificationConfig:
    """
    Whose webhooks pass, and how they are signed.

    :ivar provider: who sends the webhooks, such as ``github``, in upper or lower case; shown in upper case.
    :ivar secret: what the provider signs with, as it shows it; for ``sns`` none is needed.
    """

    provider: str
    secret: Annotated[str, EXTERNAL] = field(default="", repr=False)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: there is no such provider, or its secret cannot be this one.
        """
        known = providers()
        found = known.get(self.provider.lower())
        if found is None:
            raise InvalidConfig([_provider_problem(self.provider, known)])
        # Equal settings are equal however they are spelled; and ngrok's API shows names in upper case.
        object.__setattr__(self, "provider", found.name.upper())
        try:
            found.check_secret(self.secret)
        except Refused as refused:
            raise InvalidConfig([Problem("secret", refused.message, code=refused.code or 0)]) from None


def _provider_problem(name: str, known: Any) -> Problem:
    if not name:
        return Problem("provider", "is required: who sends the webhooks, such as github", code=_NO_PROVIDER)
    close = suggestion(name.lower(), known) or f"; known are {', '.join(known)}"
    return Problem("provider", f"is not a known provider of webhooks{close}", code=_UNKNOWN_PROVIDER)


@provider(IModuleKind)
@implementer(IHTTPModule)
class WebhookVerification:
    """
    Lets only webhooks pass that a provider signed. Others are answered 403.
    """

    name = "webhook_verification"
    Config = WebhookVerificationConfig
    codes = {"provider": _NO_PROVIDER, "secret": _NO_SECRET}
    # Behind the modules that sign visitors in, whose names come before its own in the alphabet (specification of edges,
    # section 5.2).
    phase = Phase.AUTHENTICATE
    attaches = frozenset({"route"})

    _log = Logger()

    def __init__(self, config: WebhookVerificationConfig, context: ModuleContext) -> None:
        """
        :raises LookupError: the server lacks what verifying takes.
        """
        runtime, settings = context.runtime, context.webhooks
        inside = WebhookContext(
            clock=runtime.reactor,
            http=runtime.http,
            answer_slack_challenge=settings.answer_slack_challenge,
            confirm_sns=settings.auto_confirm_sns,
        )
        self._provider = providers()[config.provider.lower()]
        # What was learned, such as certificates and tokens that count once, is not forgotten with a change of the edge.
        self._verifier = context.keep((self.name, config), lambda: self._provider(config.secret, inside))
        self._seconds = runtime.reactor.seconds
        self._room = context.room

    def wrap_resource(self, inner: Any) -> BodyGuard:
        """IHTTPModule."""
        return BodyGuard(
            inner, self._admit, self._room, look=partial(self._look, inner), too_large=self._refuse_too_large
        )

    def _look(self, inner: Any, request: Any) -> Any:
        try:
            found = self._verifier.look(Delivery.of(request))
        except NotGenuine as wrong:
            return self._refused(request, wrong)
        if found is None:
            return None
        if found is UNVERIFIED and request.body_length != 0:
            return self._refused(
                request, NotGenuine(SHAPE, "it is a challenge, and has a body, which may be anybody's")
            )
        request.flow.remember(DECISION, _ALLOW)
        return inner if found is UNVERIFIED else found

    def _admit(self, request: Any, body: bytes) -> Any:
        try:
            found = self._verifier.verify(Delivery.of(request).whole(body, self._seconds()))
        except NotGenuine as wrong:
            return self._refused(request, wrong)
        if isinstance(found, Deferred):
            return found.addCallbacks(partial(self._allowed, request), partial(self._failed, request))
        return self._allowed(request, found)

    def _allowed(self, request: Any, answer: Any) -> Any:
        request.flow.remember(DECISION, _ALLOW)
        return answer

    def _failed(self, request: Any, reason: Failure) -> Any:
        reason.trap(NotGenuine)
        return self._refused(request, reason.value)

    def _refuse_too_large(self, request: Any) -> Any:
        return self._refused(request, NotGenuine(SHAPE, "its body is larger than may be held to verify it"))

    def _refused(self, request: Any, wrong: Any) -> Any:
        """
        :return: what this provider wants to hear.
        :raises WebhookRefused: it has no wish.
        """
        request.flow.remember(DECISION, _BLOCK)
        request.flow.remember(REASON, wrong.word)
        self._log.info(
            "flow {flow}: a webhook of {provider} for {host} was refused: {reason}",
            flow=request.flow.number,
            provider=self._provider.name,
            host=request.flow.host,
            reason=wrong.reason,
        )
        if self._provider.refusal is None:
            raise WebhookRefused()
        return self._provider.refusal
