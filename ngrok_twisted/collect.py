"""
Whole request bodies, for those who must see one before they decide.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.errors import BadRequest
from ngrok_twisted.interfaces import IRequestBody
from ngrok_twisted.wrapper import Wrapper


class BodyTooLarge(BadRequest):
    """The body is over what may be held in memory (RFC 9110 section 15.5.14)."""

    status = 413
    sentence = "The request's body is too large."


def collect(request: Any, limit: int) -> Deferred[bytes]:
    """
    Read the whole body and keep it in the request, so that whoever is asked next gets it too.

    :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
    :param limit: bytes.
    :return: a Deferred that fires with the body; it fails with `BodyTooLarge`, or with the reason why the visitor left.
    """
    if request.stored_body is not None:
        return succeed(request.stored_body)
    if request.body_length == 0:
        request.store_body(b"")
        return succeed(b"")
    if request.body_length is not None and request.body_length > limit:
        return fail(BodyTooLarge())
    request.inform(100, b"Continue", [])
    collector = _Collector(request, limit)
    request.deliver_body(collector)
    return collector.done


@implementer(IRequestBody)
class _Collector:
    def __init__(self, request: Any, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: None)
        self._request = request
        self._left = limit
        self._pieces: list[bytes] = []

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if self._left < 0:
            return
        self._left -= len(data)
        if self._left < 0:
            self._pieces.clear()
            self._end(Failure(BodyTooLarge()))
            return
        self._pieces.append(bytes(data))

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        if self._left >= 0:
            body = b"".join(self._pieces)
            self._request.store_body(body, trailers)
            self._end(body)

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody."""
        self._pieces.clear()
        if self._left >= 0:
            self._left = -1
            self._end(reason)

    def _end(self, result: Any) -> None:
        if not self.done.called:
            self.done.callback(result)


class BodyGuard(Wrapper):
    """
    A `ngrok_twisted.wrapper.Guard` that sees the whole body before it decides. What it lets pass goes on with its body as
    it came.
    """

    def __init__(
        self,
        inner: Any,
        admit: Callable[[Any, bytes], Any],
        limit: int,
        look: Callable[[Any], Any] = lambda request: None,
        too_large: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        :param admit: ``admit(request, body)`` returns ``None`` (go on), an `IResource` that answers instead, or a Deferred
            of either. It may raise an `EdgeError`.
        :param limit: how many bytes of body may be held in memory.
        :param look: ``look(request)`` is asked as soon as the head is there, so that nobody has to send a body that will
            not be read. It returns ``None`` (read the body), or an `IResource` that answers, which may be ``inner``. It
            may raise an `EdgeError`.
        :param too_large: stands in for ``admit`` for a body over the limit; 413 without it.
        """
        super().__init__(inner)
        self._admit = admit
        self._limit = limit
        self._look = look
        self._too_large = too_large

    def render(self, request: Any) -> Any:
        """IResource."""
        verdict = self._look(request)
        if verdict is not None:
            return verdict.render(request)
        collected: Deferred[Any] = collect(request, self._limit)
        collected.addCallbacks(lambda body: self._admit(request, body), lambda reason: self._refused(request, reason))
        collected.addCallback(lambda verdict: request.answer_with(self.inner if verdict is None else verdict))
        collected.addErrback(request.fail)
        return NOT_DONE_YET

    def _refused(self, request: Any, reason: Failure) -> Any:
        if self._too_large is None or not reason.check(BodyTooLarge):
            return reason
        return self._too_large(request)


class Collected(Wrapper):
    """
    Stands around a resource that reads ``request.content``, and asks it when the body is there.
    """

    def __init__(self, inner: Any, limit: int) -> None:
        """
        :param limit: bytes; above it the answer is 413.
        """
        super().__init__(inner)
        self.limit = limit

    def render(self, request: Any) -> Any:
        """IResource."""
        if request.body_length == 0:
            return request.rendered(self.inner)
        collected = collect(request, self.limit)
        collected.addCallback(lambda _: request.answer_with(self.inner))
        collected.addErrback(request.fail)
        return NOT_DONE_YET


def collected(resource: Any, limit: int) -> Collected:
    """
    :param resource: an `IResource` that reads ``request.content``.
    :param limit: how many bytes of body may be held in memory.
    """
    return Collected(resource, limit)
