"""
Tests for `ngrok_twisted.actions.custom_response`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.actions.custom_response import content_type
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy
from ngrok_twisted.wrapper import Answer
from tests.actions.serving import answered, visit

REQUEST = "on_http_request:\n- actions:\n  - type: custom-response\n    config: %s\n"
RESPONSE = REQUEST.replace("on_http_request", "on_http_response")


class CustomResponseTests(SynchronousTestCase):
    """A fixed answer."""

    def test_request(self) -> None:
        """It answers in place of the service, with its headers in lower case."""
        text = REQUEST % "{status_code: 418, body: 'a $${cup}', headers: {X-Tea: 'yes'}}"
        status, fields, body = answered(visit(text))
        self.assertEqual((status, body), (418, "a ${cup}"))
        self.assertEqual((fields["x-tea"], fields["content-type"]), ("yes", "text/plain; charset=utf-8"))
        self.assertNotIn("x-from", fields)

    def test_older_name(self) -> None:
        """``content`` is an older name of the body."""
        self.assertEqual(answered(visit(REQUEST % "{content: hello}"))[2], "hello")

    def test_response(self) -> None:
        """It replaces what the service answered."""
        status, fields, body = answered(visit(RESPONSE % "{status_code: 503, body: back soon}"))
        self.assertEqual((status, body, fields["content-length"]), (503, "back soon", "9"))
        self.assertNotIn("x-from", fields)

    def test_response_without_body(self) -> None:
        """A status without a body may become one with a body, and the other way round."""
        empty = Answer(204, [])
        status, _, body = answered(visit(RESPONSE % "{status_code: 200, body: full}", inner=empty))
        self.assertEqual((status, body), (200, "full"))
        visitor = visit(RESPONSE % "{status_code: 204}")
        status, fields, body = answered(visitor)
        self.assertEqual((status, body), (204, ""))
        self.assertNotIn("content-length", fields)
        self.assertEqual(visitor.flows[0].status, 204)

    def test_head(self) -> None:
        """HEAD gets the head alone."""
        status, fields, body = answered(visit(RESPONSE % "{body: back soon}", method="HEAD"))
        self.assertEqual((status, fields["content-length"], body), (200, "9", ""))

    def test_both(self) -> None:
        """Rules for responses see an answer of the rules for requests."""
        text = REQUEST % "{status_code: 201}" + RESPONSE % "{status_code: 202}"
        self.assertEqual(answered(visit(text))[0], 202)

    def test_content_type(self) -> None:
        """A body without a type is given one by its looks."""
        for text, type in (
            ('{"a": 1}', b"application/json"),
            (" [1]", b"application/json"),
            ("[not json", b"text/plain; charset=utf-8"),
            ("<!DOCTYPE html>", b"text/html; charset=utf-8"),
            (" <h1>Hi</h1>", b"text/html; charset=utf-8"),
            ("<3", b"text/plain; charset=utf-8"),
            ("[" * 100_000, b"text/plain; charset=utf-8"),
        ):
            self.assertEqual(content_type(text), type, text[:20])

    def test_refused(self) -> None:
        """What HTTP cannot carry, and what this version cannot work out, is refused with ngrok's code."""
        for config, code in (
            ("{status_code: 101}", 2204),
            ("{status_code: '200'}", 2203),
            ("{body: a, content: b}", 2204),
            ("{status_code: 204, body: a}", 3604),
            ("{body: '${req.url}'}", 2224),
            ("{headers: {x: '${req.url}'}}", 2224),
            ("{headers: {'a b': c}}", 2210),
            ("{headers: {content-length: '1'}}", 2210),
            ("{headers: {ngrok-error-code: '1'}}", 2210),
            ('{headers: {a: "b\\nc"}}', 2211),
            ("{headers: {%s}}" % ", ".join(f"h{n}: v" for n in range(11)), 2212),
            ("{colour: red}", 2203),
        ):
            error = self.assertRaises(InvalidConfig, parse_policy, REQUEST % config, "https")
            self.assertEqual([problem.code for problem in error.problems], [code], config)
            self.assertEqual(error.problems[0].line, 4)
