"""
Tests for `ngrok_twisted.edge.filters`; what filters do to whole answers is in ``test_request``, too.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Filtered, HeadEdit, ResponseHead
from tests.edge.wire import Backend, Service, Visitor

GET = b"GET /x HTTP/1.1\r\nHost: filters.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"


class Looks:
    """
    A filter of heads.

    :ivar seen: what it was shown.
    """

    passive = True

    def __init__(self, begin: Callable[[ResponseHead], Any] = lambda head: None) -> None:
        self.seen: list[ResponseHead] = []
        self._begin = begin

    def begin(self, head: ResponseHead) -> Any:
        """See `IResponseFilter`."""
        self.seen.append(head)
        return self._begin(head)

    def feed(self, data: bytes) -> bytes:
        """See `IResponseFilter`."""
        raise AssertionError("a passive filter was fed")

    finish = feed  # type: ignore[assignment]


class Shouts:
    """A filter of bodies that has begun already."""

    def begin(self, head: ResponseHead) -> None:
        """See `IResponseFilter`."""
        raise AssertionError("it has begun")

    def feed(self, data: bytes) -> bytes:
        """See `IResponseFilter`."""
        return data.upper()

    def finish(self) -> bytes:
        """See `IResponseFilter`."""
        return b"!"


def shouting(head: ResponseHead) -> Shouts:
    """Have the body shouted."""
    head.length = None
    return Shouts()


class FiltersTests(SynchronousTestCase):
    """Filters of a service's answers that come again and again."""

    def visitor(self, *filters: Any) -> Visitor:
        """Somebody who asks through a route with these, outermost first."""
        self.service = Service()
        clock = Clock()
        resource: Any = Forward(Backend(self.service), clock)
        for made in reversed(filters):
            resource = Filtered(resource, lambda request, made=made: made)  # type: ignore[misc]
        return Visitor(resource, clock=clock)

    def ask(self, visitor: Visitor, answer: bytes = OK, request: bytes = GET) -> bytes:
        """What the visitor gets."""
        visitor.send(request)
        self.service.connection.send(answer)
        return visitor.take()

    def test_shared(self) -> None:
        """One filter serves many requests, and knows whose response it sees."""
        looks = Looks()
        visitor = self.visitor(looks)
        for number in range(3):
            self.assertEqual(self.ask(visitor), OK)
            self.assertIs(looks.seen[number].request, visitor.site.requests[number])
        self.assertEqual([flow.bytes_out for flow in visitor.site.flows], [4, 4, 4])

    def test_amended(self) -> None:
        """An answer that is amended in the same way again and again is the same each time, whoever has a look besides."""
        edits = [HeadEdit(frozenset({b"server"}), ((b"A", b"1"),), lasting=lasting) for lasting in (True, False)]
        for edit in edits:
            visitor = self.visitor(Looks(), Looks(lambda head: head.amend(edit)), Looks())
            for _ in range(3):
                self.assertEqual(self.ask(visitor), b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 4\r\n\r\nbody")

    def test_in_its_place(self) -> None:
        """A filter may have another one take the body, and is not asked for it itself."""
        visitor = self.visitor(Looks(shouting), Looks())
        for _ in range(3):
            self.assertEqual(self.ask(visitor), b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nBODY!")
        self.assertEqual([flow.bytes_out for flow in visitor.site.flows], [5, 5, 5])

    def test_another_answer(self) -> None:
        """A filter may make another answer of one that came before, with another status, length or list of fields."""

        def teapot(head: ResponseHead) -> None:
            head.status = 418

        def listed(head: ResponseHead) -> None:
            head.headers.append((b"B", b"2"))

        def empty(head: ResponseHead) -> None:
            head.status, head.length = 204, None

        for begin, start, end in (
            (teapot, b"HTTP/1.1 418 OK\r\nServer: x\r\n", b"Content-Length: 4\r\n\r\nbody"),
            (listed, b"HTTP/1.1 200 OK\r\nServer: x\r\nB: 2\r\n", b"Content-Length: 4\r\n\r\nbody"),
            (empty, b"HTTP/1.1 204 OK\r\n", b"\r\n\r\n"),
        ):
            visitor = self.visitor(Looks(begin))
            answers = [self.ask(visitor) for _ in range(3)]
            self.assertEqual(len(set(answers)), 1)
            self.assertTrue(answers[0].startswith(start) and answers[0].endswith(end), answers[0])
            self.assertEqual({flow.status for flow in visitor.site.flows}, {int(start[9:12])})

    def test_head(self) -> None:
        """An answer without a body is looked at, too."""
        looks = Looks(lambda head: head.amend(HeadEdit(added=((b"A", b"1"),), lasting=True)))
        visitor = self.visitor(looks)
        self.ask(visitor)
        for _ in range(2):
            answer = self.ask(visitor, OK.removesuffix(b"body"), GET.replace(b"GET", b"HEAD"))
            self.assertEqual(answer, b"HTTP/1.1 200 OK\r\nServer: x\r\nA: 1\r\nContent-Length: 4\r\n\r\n")

    def test_let_go(self) -> None:
        """A request that is over, or whose visitor is gone, knows its filters no more: some know their request."""
        visitor = self.visitor(Looks(shouting))
        self.ask(visitor)
        self.assertIsNone(visitor.site.requests[0]._filters)
        visitor.send(GET)
        self.assertIsNotNone(visitor.site.requests[1]._filters)
        visitor.leave()
        self.assertIsNone(visitor.site.requests[1]._filters)
