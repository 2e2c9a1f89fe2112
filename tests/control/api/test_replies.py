"""
Tests for `ngrok_twisted.control.api.replies`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.errors import APIError, NoSuchMethod
from ngrok_twisted.control.api.method import Answer
from ngrok_twisted.control.api.replies import Reply, answer_reply, error_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A view with something that is shown once."""

    id: str
    token: str | None = field(default=None, repr=False)


def body(reply: Reply) -> Any:
    """The JSON of a reply."""
    assert reply.body is not None
    return json.loads(reply.body)


class AnswerTests(SynchronousTestCase):
    """What succeeded."""

    def test_dataclass(self) -> None:
        """Every field is there, null and secret ones included."""
        reply = answer_reply(Answer(201, Shown(id="a", token="t")), b"")
        self.assertEqual((reply.status, body(reply)), (201, {"id": "a", "token": "t"}))
        self.assertEqual(body(answer_reply(Answer(200, Shown(id="a")), b"")), {"id": "a", "token": None})

    def test_written_before(self) -> None:
        """JSON that is there already is sent as it is."""
        self.assertEqual(answer_reply(Answer(200, b'{"a": 1}'), b""), Reply(status=200, body=b'{"a": 1}'))

    def test_texts(self) -> None:
        """Any text that a record may hold can be sent."""
        self.assertEqual(body(answer_reply(Answer(200, {"a": "é😀\ud800"}), b"")), {"a": "é😀\ud800"})

    def test_no_number(self) -> None:
        """What is no JSON is not sent as if it were."""
        self.assertRaises(ValueError, answer_reply, Answer(200, {"a": float("nan")}), b"")

    def test_nothing_to_say(self) -> None:
        """204, and an empty object for the clients that fail on that."""
        for agent in (b"", b"ngrok-api-go/7.8.0", b"curl/8", b"x ngrok-api-python/0"):
            self.assertEqual(answer_reply(Answer(204), agent), Reply(status=204))
        for agent in (b"ngrok-api-python/0.0.0/3.11", b"ngrok-api-typescript/0.10.0/v20"):
            self.assertEqual(answer_reply(Answer(204), agent), Reply(status=200, body=b"{}"))


class ErrorTests(SynchronousTestCase):
    """What was refused."""

    def test_shape(self) -> None:
        """Code, status, sentence and a flat mapping of texts."""
        error = APIError(214, "unknown", details={"a": "x", "b[0].c": "y"})
        reply = error_reply(error, "op_1")
        self.assertEqual(reply.status, 400)
        self.assertEqual(
            body(reply),
            {
                "error_code": "ERR_NGROK_214",
                "status_code": 400,
                "msg": "unknown",
                "details": {"a": "x", "b[0].c": "y", "operation_id": "op_1"},
            },
        )

    def test_without_code(self) -> None:
        """Where ngrok has no code, none is made up."""
        self.assertEqual(
            body(error_reply(APIError(None, "no", status=503), "op_1")),
            {"status_code": 503, "msg": "no", "details": {"operation_id": "op_1"}},
        )

    def test_no_such_method(self) -> None:
        """An unknown path has the shape that ngrok's own has."""
        reply = error_reply(NoSuchMethod("/x"), "op_1")
        self.assertEqual(body(reply), {"status_code": 404, "msg": "Not Found", "details": {"path": "/x"}})

    def test_retry_after(self) -> None:
        """Whoever should wait is told how long."""
        self.assertEqual(error_reply(APIError(226, "slow", retry_after=7), "op_1").fields, ((b"Retry-After", b"7"),))


class HeadTests(SynchronousTestCase):
    """The head of a response."""

    def test_fields(self) -> None:
        """It names the operation and the time, forbids keeping, and says what the body is."""
        head = Reply(status=200, body=b"{}", fields=((b"X", b"y"),)).head("op_1", 0.0, ((b"Vary", b"Origin"),))
        self.assertEqual(
            head.headers,
            [
                (b"Content-Type", b"application/json"),
                (b"ngrok-operation-id", b"op_1"),
                (b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT"),
                (b"Cache-Control", b"no-store"),
                (b"X-Content-Type-Options", b"nosniff"),
                (b"Vary", b"Origin"),
                (b"X", b"y"),
            ],
        )
        self.assertEqual((head.status, head.reason, head.length), (200, b"OK", 2))

    def test_reason(self) -> None:
        """Every status has its usual phrase."""
        self.assertEqual(Reply(status=429).head("op_1", 0.0, ()).reason, b"Too Many Requests")

    def test_without_body(self) -> None:
        """Without a body there is no type of it."""
        head = Reply(status=204).head("op_1", 0.0, ())
        self.assertNotIn(b"Content-Type", dict(head.headers))
        self.assertEqual(head.length, 0)

    def test_secret(self) -> None:
        """A reply does not show its body in logs."""
        self.assertNotIn("t0ken", repr(Reply(status=200, body=b"t0ken")))
