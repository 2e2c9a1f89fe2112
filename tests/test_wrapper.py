"""
Tests for `ngrok_twisted.wrapper`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import EdgeError, Overloaded
from ngrok_twisted.wrapper import Answer, Filtered, Guard, HeadEdit, Phase, Prepared, ResponseHead, Wrapper
from tests.edge.wire import Render, Visitor, statuses

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
INNER = Answer(200, [(b"x-from", b"inner")], b"inner")
INSTEAD = Answer(403, [], b"instead")


class WrapperCase(SynchronousTestCase):
    """Asks a resource."""

    def ask(self, resource: Any, request: bytes = GET) -> bytes:
        """What is answered at once."""
        self.visitor = Visitor(resource)
        self.visitor.send(request)
        return self.visitor.take()


class GuardTests(WrapperCase):
    """Go on, or answer instead."""

    def test_interfaces(self) -> None:
        """Wrappers and answers are resources; as leaves they have no children."""
        for resource in (Wrapper(INNER), INNER):
            verifyObject(IResource, resource)
            self.assertTrue(resource.isLeaf)
            self.assertRaises(RuntimeError, resource.getChildWithDefault, b"", None)
            self.assertRaises(RuntimeError, resource.putChild, b"", None)

    def test_at_once(self) -> None:
        """A verdict that is there at once."""
        self.assertEqual(statuses(self.ask(Guard(INNER, lambda request: None))), [200])
        self.assertEqual(statuses(self.ask(Guard(INNER, lambda request: INSTEAD))), [403])

    def test_later(self) -> None:
        """A verdict that is waited for."""
        for verdict, status in ((None, 200), (INSTEAD, 403)):
            waiting: Deferred[Any] = Deferred()
            self.assertEqual(self.ask(Guard(INNER, lambda request: waiting)), b"")
            waiting.callback(verdict)
            self.assertEqual(statuses(self.visitor.take()), [status])

    def test_errors(self) -> None:
        """An error, at once or later, lets nobody through."""

        def refuse(request: Any) -> None:
            raise Overloaded()

        self.assertEqual(statuses(self.ask(Guard(INNER, refuse))), [503])
        waiting: Deferred[Any] = Deferred()
        self.ask(Guard(INNER, lambda request: waiting))
        waiting.errback(EdgeError("no", status=401))
        self.assertEqual(statuses(self.visitor.take()), [401])

    def test_broken(self) -> None:
        """A guard that breaks lets nobody through either."""
        waiting: Deferred[Any] = Deferred()
        self.ask(Guard(INNER, lambda request: waiting))
        waiting.errback(ZeroDivisionError())
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [500])
        self.assertNotIn(b"inner", answer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_gone_meanwhile(self) -> None:
        """A visitor that leaves while the verdict is pending harms nobody."""
        asked: list[Any] = []
        waiting: Deferred[Any] = Deferred()
        self.ask(Guard(Render(asked.append), lambda request: waiting))
        self.visitor.leave()
        waiting.callback(None)
        self.assertEqual(asked, [])


class Shout:
    """A response filter."""

    def begin(self, head: ResponseHead) -> None:
        head.headers.append((b"x-shouted", b"yes"))

    def feed(self, data: bytes) -> bytes:
        return bytes(data).upper()

    def finish(self) -> bytes:
        return b""


class FilteredTests(WrapperCase):
    """Change the response."""

    def test_filter(self) -> None:
        """The filter sees head and body."""
        answer = self.ask(Filtered(INNER, lambda request: Shout()))
        self.assertIn(b"x-shouted: yes\r\n", answer)
        self.assertTrue(answer.endswith(b"INNER"))

    def test_none(self) -> None:
        """A response may be left alone."""
        answer = self.ask(Filtered(INNER, lambda request: None))
        self.assertNotIn(b"x-shouted", answer)
        self.assertTrue(answer.endswith(b"inner"))


class PreparedTests(WrapperCase):
    """Change the head that the upstream gets."""

    def test_order(self) -> None:
        """Edits are made in the order in which the request meets the modules, and not before it is sent."""
        made: list[Any] = []
        inner = Prepared(INNER, lambda request: made.append(2) or HeadEdit())  # type: ignore[func-returns-value]
        self.ask(Prepared(inner, lambda request: made.append(1) or HeadEdit()))  # type: ignore[func-returns-value]
        self.assertEqual(made, [])
        for make_edit in self.visitor.request.edits:
            make_edit(None)
        self.assertEqual(made, [1, 2])

    def test_then(self) -> None:
        """One edit after the other is one edit."""
        first = HeadEdit(frozenset({b"a"}), [(b"b", b"1"), (b"c", b"2")], b"one")
        second = HeadEdit(frozenset({b"b"}), [(b"a", b"3")])
        both = first.then(second)
        self.assertEqual((both.removed, list(both.added)), ({b"a", b"b"}, [(b"c", b"2"), (b"a", b"3")]))
        self.assertEqual((both.host, second.then(HeadEdit(host=b"two")).host), (b"one", b"two"))

    def test_lasting(self) -> None:
        """What comes of two edits that are made again and again is remembered, of some of them."""
        first, second, once = HeadEdit(lasting=True), HeadEdit(added=[(b"a", b"1")]), HeadEdit()
        second.last()
        self.assertTrue(second.lasting)
        both = first.then(second)
        self.assertIs(first.then(second), both)
        self.assertTrue(both.lasting)
        for one, other in ((first, once), (once, first)):
            self.assertFalse(one.then(other).lasting)
            self.assertIsNot(one.then(other), one.then(other))
        for number in range(2 * HeadEdit.FOLLOWED_MAX):
            made = first.then(HeadEdit(added=[(b"b", b"%d" % number)], lasting=True))
            self.assertEqual(list(made.added), [(b"b", b"%d" % number)])
        self.assertLessEqual(len(first._followed or ()), HeadEdit.FOLLOWED_MAX)


class AnswerTests(WrapperCase):
    """Fixed responses."""

    def test_answer(self) -> None:
        """Status, standard phrase, headers and body, however often."""
        for _ in range(2):
            answer = self.ask(INNER)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertIn(b"x-from: inner\r\n", answer)
            self.assertIn(b"content-length: 5\r\n", answer.lower())
            self.assertTrue(answer.endswith(b"\r\n\r\ninner"))

    def test_reason(self) -> None:
        """A phrase of one's own."""
        self.assertTrue(self.ask(Answer(299, [], reason=b"Almost")).startswith(b"HTTP/1.1 299 Almost\r\n"))

    def test_head(self) -> None:
        """HEAD gets the length and no body."""
        answer = self.ask(INNER, GET.replace(b"GET", b"HEAD"))
        self.assertIn(b"content-length: 5\r\n", answer.lower())
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_headers_are_not_shared(self) -> None:
        """A filter that changes the headers of one response leaves the next alone."""
        self.ask(Filtered(INNER, lambda request: Shout()))
        self.assertNotIn(b"x-shouted", self.ask(INNER))


class PhaseTests(SynchronousTestCase):
    """The onion."""

    def test_order(self) -> None:
        """Phases sort from the outside in; who is not admitted is not asked to sign in."""
        self.assertEqual([phase.name for phase in sorted(Phase)][:4], ["ENVELOPE", "ADMIT", "VERIFY", "AUTHENTICATE"])
        self.assertEqual(max(Phase), Phase.PREPARE)

    def test_responses(self) -> None:
        """A response is rewritten by policies, then compressed, and then its headers are changed."""
        self.assertLess(Phase.ENVELOPE, Phase.ENCODE)
        self.assertLess(Phase.ENCODE, Phase.POLICY)
