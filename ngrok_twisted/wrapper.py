"""
The three shapes of a request module: `Guard`, which may answer instead of what is behind it, `Filtered`, which changes the
response on its way out, and `Prepared`, which changes the head that the upstream gets.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Callable, Iterable, Sequence, TypeVar

from twisted.internet.defer import Deferred
from twisted.web.http import RESPONSES
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.interfaces import IResponseFilter

T = TypeVar("T")

#: Set in a flow's variables by an answer that belongs to a sign-in flow: the edge's own headers stay as they are.
SIGNING_IN = "login.redirect"


#: In a flow's variables: makes an `IProtocol` that speaks with the service instead of HTTP, one for each attempt to reach one.
#: It is called with the seconds without a byte after which the edge gives a connection up. Once the service is reached,
#: ``start(request)`` gives the protocol the request; ``close()`` if the visitor has left by then.
CONVERSATION = "conversation"


class Phase(IntEnum):
    """Where a module stands in the onion of a route, outermost first."""

    ENVELOPE = 10
    ADMIT = 20
    VERIFY = 30
    AUTHENTICATE = 40
    ENCODE = 45
    POLICY = 50
    PROTECT = 60
    PREPARE = 70


class ResponseHead:
    """
    The head of a response, open to change until it is sent.

    :ivar status: the HTTP status.
    :ivar reason: the reason phrase, ``bytes``.
    :ivar length: the body's length in bytes, or ``None`` when it is not known; a filter that changes the body sets it to
        ``None``.
    :ivar bodiless: true where no body follows whatever ``length`` says (HEAD, 1xx, 204, 304).
    :ivar request: whose response it is; set while filters see it, so that one filter can serve all requests of a module.
    """

    __slots__ = ("status", "reason", "_headers", "length", "bodiless", "request")

    request: Any

    def __init__(
        self, status: int, reason: bytes, headers: list[tuple[bytes, bytes]], length: int | None, bodiless: bool = False
    ) -> None:
        self.status = status
        self.reason = reason
        self._headers: list[tuple[bytes, bytes]] | None = headers
        self.length = length
        self.bodiless = bodiless

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """
        A list of ``(name, value)`` byte pairs in the order they are sent. Framing headers (``content-length``,
        ``transfer-encoding``, ``connection``) are not in it: see ``length``.
        """
        if self._headers is None:
            self._headers = list(self.fields)
        return self._headers

    @headers.setter
    def headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """The same, not to be changed: whoever only looks takes these."""
        return self._headers or ()

    def amend(self, edit: HeadEdit) -> None:
        """
        Take fields away, and put others behind those that are left. What a service said need not be gone through for that.

        :param edit: its ``host`` means nothing here.
        """
        if edit.removed:
            self.headers = [field for field in self.headers if field[0].lower() not in edit.removed]
        self.headers.extend(edit.added)

    def work_out(self, function: Callable[[Sequence[tuple[bytes, bytes]]], T]) -> T:
        """
        What a pure function makes of ``fields``: for heads that come again and again it is asked once.

        :param function: of a module, so that there are few of them. What it makes is shared, and must not be changed.
        """
        return function(self.fields)

    def as_told(self) -> Any:
        """
        What a service said, with all that is known of it, if nobody has changed any of it; or ``None``. It has ``line_and_fields``,
        the bytes of the head but for the framing, and ``counted``, those with the length of the body; see
        `ngrok_twisted.upstream.response.Said`.
        """
        return None

    def as_amended(self) -> Any:
        """
        Where nothing was done but to `amend` what a service said: the same as `as_told` would have given, and the `HeadEdit`;
        or ``None``.
        """
        return None


@implementer(IResource)
class Wrapper:
    """
    What both shapes share: a leaf that stands around another resource.

    :ivar inner: the resource that is asked next.
    """

    isLeaf = True

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Wrapper is a leaf")

    def putChild(self, path: bytes, child: Any) -> None:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Wrapper is a leaf")

    def render(self, request: Any) -> Any:
        """IResource."""
        return self.inner.render(request)


class Guard(Wrapper):
    """
    A module that lets a request pass or answers in its place.

    :ivar admit: ``admit(request)`` returns ``None`` (go on), an `IResource` that answers instead, or a Deferred of
        either. It may raise an `EdgeError`.
    """

    def __init__(self, inner: Any, admit: Callable[[Any], Any]) -> None:
        super().__init__(inner)
        self.admit = admit

    def render(self, request: Any) -> Any:
        """IResource."""
        verdict = self.admit(request)
        if verdict is None:
            return self.inner.render(request)
        if isinstance(verdict, Deferred):
            verdict.addCallback(self._answer, request)
            verdict.addErrback(request.fail)
            return NOT_DONE_YET
        return verdict.render(request)

    def _answer(self, verdict: Any, request: Any) -> None:
        request.answer_with(self.inner if verdict is None else verdict)


class Filtered(Wrapper):
    """
    A module that changes responses.

    :ivar make_filter: ``make_filter(request)`` returns an `IResponseFilter` for this response, or ``None`` to leave it
        alone.
    """

    def __init__(self, inner: Any, make_filter: Callable[[Any], IResponseFilter | None]) -> None:
        super().__init__(inner)
        self.make_filter = make_filter

    def render(self, request: Any) -> Any:
        """IResource."""
        made = self.make_filter(request)
        if made is not None:
            request.add_filter(made)
        return self.inner.render(request)


class HeadEdit:
    """
    What modules change in the head of a message, once everything else has had its say. It is never changed itself.

    :ivar removed: field names in lower case; every value goes, also those that the edge itself would add.
    :ivar added: pairs of name and value that come after all others.
    :ivar host: stands in the place of a request's ``Host``; empty leaves it as it is.
    :ivar lines: ``added`` as bytes, each line with its end before it, as soon as somebody needed them; see
        `ngrok_twisted.upstream.headers.lines_of_edit`.
    """

    __slots__ = ("removed", "added", "host", "lines", "_followed")

    #: Other edits for which it is remembered what comes of this one and them.
    FOLLOWED_MAX = 16

    def __init__(
        self,
        removed: frozenset[bytes] = frozenset(),
        added: Sequence[tuple[bytes, bytes]] = (),
        host: bytes = b"",
        lasting: bool = False,
    ) -> None:
        """
        :param lasting: as after `last`.
        """
        self.removed = removed
        self.added = added
        self.host = host
        self.lines: bytes | None = None
        self._followed: dict[HeadEdit, HeadEdit] | None = {} if lasting else None

    @property
    def lasting(self) -> bool:
        """Whether the same object changes many messages, so that it is worth remembering what comes of it."""
        return self._followed is not None

    def last(self) -> None:
        """From now on it is a lasting one."""
        if self._followed is None:
            self._followed = {}

    def applied(self, fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Fields of a message after the edit."""
        return [*(field for field in fields if field[0].lower() not in self.removed), *self.added]

    def then(self, other: HeadEdit) -> HeadEdit:
        """The edit that is the same as this one, and after it the other. Of two lasting ones it is a lasting one."""
        followed = self._followed
        if followed is None or other._followed is None:
            return self._then(other, False)
        known = followed.get(other)
        if known is None:
            if len(followed) >= self.FOLLOWED_MAX:
                followed.clear()
            known = followed[other] = self._then(other, True)
        return known

    def _then(self, other: HeadEdit, lasting: bool) -> HeadEdit:
        kept = [field for field in self.added if field[0].lower() not in other.removed]
        return HeadEdit(self.removed | other.removed, (*kept, *other.added), other.host or self.host, lasting)


class Prepared(Wrapper):
    """
    A module that changes the head that the upstream gets. No other module sees the change.

    :ivar make_edit: ``make_edit(request)`` returns a `HeadEdit`. It is called each time the request is sent, when it is
        known to whom.
    """

    def __init__(self, inner: Any, make_edit: Callable[[Any], HeadEdit]) -> None:
        super().__init__(inner)
        self.make_edit = make_edit

    def render(self, request: Any) -> Any:
        """IResource."""
        request.edits += (self.make_edit,)
        return self.inner.render(request)


@implementer(IResource)
class Answer:
    """
    A fixed response, made once and given to any number of requests.
    """

    isLeaf = True

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"", reason: bytes = b"") -> None:
        """
        :param headers: without framing headers; they follow from the body.
        :param reason: the reason phrase; the standard one by default.
        """
        self._status = status
        self._reason = reason or RESPONSES.get(status, b"")
        self._headers = tuple(headers)
        self._body = body

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Answer is a leaf")

    def putChild(self, path: bytes, child: Any) -> None:
        """Never called: the resource is a leaf."""
        raise RuntimeError("Answer is a leaf")

    def render(self, request: Any) -> Any:
        """IResource."""
        body = self._body
        head = ResponseHead(self._status, self._reason, list(self._headers), len(body))
        request.respond(head, (body,) if body else (), last=True)
        return NOT_DONE_YET
