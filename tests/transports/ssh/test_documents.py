"""
Tests for `ngrok_twisted.transports.ssh.documents`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.policy.document import DOCUMENT_MAX
from ngrok_twisted.transports.ssh.command import parse
from ngrok_twisted.transports.ssh.documents import INPUT_TIMEOUT, MAX_URLS, Documents

MODULES = frozenset(["traffic_policy"])
FROM_INPUT = parse(b"http --name x --traffic-policy-file -", modules=MODULES)
URL = "https://a.example/policy"


class DocumentsCase(SynchronousTestCase):
    """The documents of a connection, and URLs that the test answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, Deferred[str]]] = []
        self.cancelled: list[str] = []
        self.documents = Documents(self.fetch, self.clock)

    def fetch(self, url: str) -> Deferred[str]:
        """Remember who is asked."""
        answer: Deferred[str] = Deferred(lambda _: self.cancelled.append(url))
        self.asked.append((url, answer))
        return answer

    def resolve(self, command: Any) -> Deferred[Any]:
        """What becomes of a command."""
        return Deferred.fromCoroutine(self.documents.resolved(command))

    def refusal(self, resolving: Deferred[Any]) -> str:
        """Why there is no document."""
        refused = self.failureResultOf(resolving, Refused).value
        self.assertEqual(refused.code, 1110)
        return str(refused.message)


class InputTests(DocumentsCase):
    """Standard input."""

    def test_whole(self) -> None:
        """What comes up to the end is the policy of every forward that the command is for."""
        ((command),) = self.documents.expect("s", FROM_INPUT)
        self.assertTrue(self.documents.needed(command))
        first, second = self.resolve(command), self.resolve(command)
        self.assertTrue(self.documents.received("s", b"a: \xc3"))
        self.assertTrue(self.documents.received("s", b"\xa9\n"))
        self.assertNoResult(first)
        self.documents.ended("s")
        for resolving in (first, second, self.resolve(command)):
            self.assertEqual(dict(self.successResultOf(resolving).options), {"name": "x", "traffic-policy": "a: é\n"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_for_it(self) -> None:
        """What is typed at other sessions, or behind the end, is not part of it."""
        plan = parse(b"http + tcp")
        self.assertIs(self.documents.expect("t", plan), plan)
        self.assertFalse(self.documents.needed(plan[0]))
        self.assertFalse(self.documents.received("t", b"q"))
        self.documents.ended("t")
        self.documents.expect("s", FROM_INPUT)
        self.documents.ended("s")
        self.assertFalse(self.documents.received("s", b"q"))

    def test_refused(self) -> None:
        """Nothing, no text, and too much are refused."""
        for data, word in ((b" \n", "no policy"), (b"\xff", "UTF-8"), (b"x" * (DOCUMENT_MAX + 1), "larger")):
            (command,) = self.documents.expect("s", FROM_INPUT)
            resolving = self.resolve(command)
            self.documents.received("s", data)
            self.documents.ended("s")
            self.assertIn(word, self.refusal(resolving))
            self.assertIn(word, self.refusal(self.resolve(command)))

    def test_too_much_at_once(self) -> None:
        """What is too much is refused at once, and what still comes is not kept."""
        (command,) = self.documents.expect("s", FROM_INPUT)
        for _ in range(3):
            self.documents.received("s", b"x" * DOCUMENT_MAX)
        self.refusal(self.resolve(command))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """A standard input that does not end is not waited for."""
        (command,) = self.documents.expect("s", FROM_INPUT)
        resolving = self.resolve(command)
        self.documents.received("s", b"a: b")
        self.clock.advance(INPUT_TIMEOUT)
        self.assertIn("did not end", self.refusal(resolving))
        self.assertFalse(self.documents.received("s", b"q"))

    def test_lost(self) -> None:
        """Half a policy is none."""
        (command,) = self.documents.expect("s", FROM_INPUT)
        resolving = self.resolve(command)
        self.documents.received("s", b"a: b")
        self.documents.lost("s")
        self.assertIn("session ended", self.refusal(resolving))

    def test_no_session(self) -> None:
        """A command that no session gave has no standard input."""
        self.assertIn("session", self.refusal(self.resolve(FROM_INPUT[0])))

    def test_abandoned(self) -> None:
        """A forward that is not wanted any more does not wait; others do."""
        (command,) = self.documents.expect("s", FROM_INPUT)
        first, second = self.resolve(command), self.resolve(command)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.documents.received("s", b"a: b")
        self.documents.ended("s")
        self.successResultOf(second)


class URLTests(DocumentsCase):
    """Policies behind URLs."""

    def command(self, url: str = URL) -> Any:
        """A command that names a URL."""
        return parse(f"tcp --traffic-policy-url {url}".encode(), modules=MODULES)[0]

    def test_once(self) -> None:
        """It is fetched once for all forwards of a connection."""
        first, second = self.resolve(self.command()), self.resolve(self.command())
        ((url, answer),) = self.asked
        self.assertEqual(url, URL)
        answer.callback("{}")
        for resolving in (first, second, self.resolve(self.command())):
            self.assertEqual(dict(self.successResultOf(resolving).options), {"traffic-policy": "{}"})
        self.assertEqual(len(self.asked), 1)

    def test_refused(self) -> None:
        """Why it cannot be had is passed on."""
        resolving = self.resolve(self.command())
        self.asked[0][1].errback(Refused(1110, "No."))
        self.assertEqual(self.refusal(resolving), "No.")

    def test_many(self) -> None:
        """One connection does not have the server ask everywhere."""
        for number in range(MAX_URLS):
            self.resolve(self.command(f"{URL}/{number}"))
        self.assertIn(str(MAX_URLS), self.refusal(self.resolve(self.command())))
        self.assertEqual(len(self.asked), MAX_URLS)

    def test_close(self) -> None:
        """Nothing is fetched or waited for once the connection is gone."""
        (command,) = self.documents.expect("s", FROM_INPUT)
        waiting = [self.resolve(self.command()), self.resolve(command)]
        self.documents.close()
        self.assertEqual(self.cancelled, [URL])
        for resolving in waiting:
            self.refusal(resolving)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_two(self) -> None:
        """A policy in two places is refused before anybody is asked."""
        (both,) = parse(f"tcp --traffic-policy {{}} --traffic-policy-url {URL}".encode(), modules=MODULES)
        self.assertEqual(self.failureResultOf(self.resolve(both), Refused).value.code, 9025)
        self.assertEqual(self.asked, [])
