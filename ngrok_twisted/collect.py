"""
Whole request bodies, for those who must see one before they decide.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.errors import BadRequest, EdgeError, Overloaded, RequestTimeout
from ngrok_twisted.interfaces import IRequestBody
from ngrok_twisted.wrapper import Wrapper

SECONDS = 1.0
MEGABYTE = 1024 * 1024

#: Bytes of one body that may be held, if the operator does not say otherwise: genuine webhooks are shorter (specification of
#: edges, section 11.1).
HELD_BODY_BYTES = 5 * MEGABYTE

#: Bytes of all such bodies together: so that strangers, who may all send one at once, cannot have the server's memory.
HELD_BYTES = 256 * MEGABYTE

# For a body that is held to arrive whole: who sends it a byte at a time would keep others out of the room. Senders of webhooks
# wait half of that for their answer.
HOLD_TIMEOUT = 60 * SECONDS


class BodyTooLarge(BadRequest):
    """The body is over what may be held in memory (RFC 9110 section 15.5.14)."""

    status = 413
    sentence = "The request's body is too large."


class Room:
    """
    Memory for bodies that are held before anybody else sees them.

    :ivar each: bytes that one body may have.
    :ivar left: bytes that are left for all.
    """

    __slots__ = ("each", "left")

    def __init__(self, each: int = HELD_BODY_BYTES, all: int = HELD_BYTES) -> None:
        """
        :param all: bytes of all bodies together.
        """
        self.each = each
        self.left = all


class _Share:
    """What one body takes of the room. It observes the request's flow, and gives all back at its end."""

    __slots__ = ("_room", "_taken")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    def take(self, size: int) -> None:
        """
        :raises Overloaded: there is not so much left.
        """
        if size > self._room.left:
            raise Overloaded()
        self._room.left -= size
        self._taken += size

    def __call__(self, flow: Any = None) -> None:
        """Give all back."""
        taken, self._taken = self._taken, 0
        self._room.left += taken


def collect(request: Any, limit: int, room: Room | None = None) -> Deferred[bytes]:
    """
    Read the whole body and keep it in the request, so that whoever is asked next gets it too.

    :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
    :param limit: bytes.
    :param room: taken from for as long as the request lasts.
    :return: a Deferred that fires with the body; it fails with `BodyTooLarge`, with `Overloaded`, or with the reason why the
        visitor left.
    """
    if request.stored_body is not None:
        return succeed(request.stored_body)
    if request.body_length == 0:
        request.store_body(b"")
        return succeed(b"")
    if request.body_length is not None and request.body_length > limit:
        return fail(BodyTooLarge())
    request.inform(100, b"Continue", [])
    collector = _Collector(request, limit, room)
    request.deliver_body(collector)
    return collector.done


@implementer(IRequestBody)
class _Collector:
    def __init__(self, request: Any, limit: int, room: Room | None) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._forget())
        self._request = request
        self._left = limit
        self._body = bytearray()  # not the pieces: small ones would take many times the room
        self._share = _Share(Room(all=limit) if room is None else room)
        request.flow.observers += (self._share,)

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if self._left < 0:
            return
        self._left -= len(data)
        if self._left < 0:
            self._give_up(Failure(BodyTooLarge()))
            return
        try:
            self._share.take(len(data))
        except Overloaded:
            self._give_up(Failure())
        else:
            self._body += data

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        if self._left >= 0:
            body, self._body = bytes(self._body), bytearray()
            self._request.store_body(body, trailers)
            self._end(body)

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody."""
        if self._left >= 0:
            self._give_up(reason)

    def _give_up(self, reason: Failure) -> None:
        self._forget()
        self._end(reason)

    def _forget(self) -> None:
        self._left = -1
        self._body = bytearray()
        self._share()

    def _end(self, result: Any) -> None:
        if not self.done.called:
            self.done.callback(result)


class _VisitorLeft(Exception):
    """Nobody is there to be told: the channel ends the request by itself."""


def _told(reason: Failure) -> Failure:
    """
    Why there is no body, if there is somebody who can be told.

    :raises _VisitorLeft: there is nobody.
    """
    if not reason.check(EdgeError):
        raise _VisitorLeft() from None
    return reason


def _fail(reason: Failure, request: Any) -> None:
    if not reason.check(_VisitorLeft):
        request.fail(reason)


class BodyGuard(Wrapper):
    """
    A `ngrok_twisted.wrapper.Guard` that sees the whole body before it decides. What it lets pass goes on with its body as
    it came. A body that takes too long is answered 408.
    """

    def __init__(
        self,
        inner: Any,
        admit: Callable[[Any, bytes], Any],
        room: Room,
        look: Callable[[Any], Any] = lambda request: None,
        too_large: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        :param admit: ``admit(request, body)`` returns ``None`` (go on), an `IResource` that answers instead, or a Deferred
            of either. It may raise an `EdgeError`.
        :param room: where bodies are held.
        :param look: ``look(request)`` is asked as soon as the head is there, so that nobody has to send a body that will
            not be read. It returns ``None`` (read the body), or an `IResource` that answers, which may be ``inner``. It
            may raise an `EdgeError`.
        :param too_large: stands in for ``admit`` for a body that is longer than one may be; 413 without it.
        """
        super().__init__(inner)
        self._admit = admit
        self._room = room
        self._look = look
        self._too_large = too_large

    def render(self, request: Any) -> Any:
        """IResource."""
        verdict = self._look(request)
        if verdict is not None:
            return verdict.render(request)
        collected: Deferred[Any] = collect(request, self._room.each, self._room)
        if not collected.called:
            collected.addTimeout(HOLD_TIMEOUT, request.channel.clock())
        collected.addCallbacks(lambda body: self._admit(request, body), lambda reason: self._not_there(request, reason))
        collected.addCallback(lambda verdict: request.answer_with(self.inner if verdict is None else verdict))
        collected.addErrback(_fail, request)
        return NOT_DONE_YET

    def _not_there(self, request: Any, reason: Failure) -> Any:
        if self._too_large is not None and reason.check(BodyTooLarge):
            return self._too_large(request)
        if reason.check(TimeoutError):
            raise RequestTimeout()
        return _told(reason)


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
        collected.addCallbacks(lambda _: request.answer_with(self.inner), _told)
        collected.addErrback(_fail, request)
        return NOT_DONE_YET


def collected(resource: Any, limit: int) -> Collected:
    """
    :param resource: an `IResource` that reads ``request.content``.
    :param limit: how many bytes of body may be held in memory.
    """
    return Collected(resource, limit)
