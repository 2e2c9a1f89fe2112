"""
Tests for `ngrok_twisted.policy.chain`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.policy import Action, Policy, Rule
from ngrok_twisted.policy.chain import PolicyChain
from ngrok_twisted.policy.context import ActionContext
from tests.actions.serving import SERVED, Inner, admitted, answered, chain, visit
from tests.edge.wire import Render

REPLACE = "on_http_response:\n- actions:\n  - type: custom-response\n    config: {status_code: 299}\n"


class ChainTests(SynchronousTestCase):
    """Actions are run in order, around what is behind them."""

    def test_empty(self) -> None:
        """A policy without rules puts nothing in between."""
        empty = PolicyChain(Policy(), {}, ActionContext(phase=""))
        inner = Inner()
        self.assertIs(empty.around_resource(SERVED), SERVED)
        self.assertIs(empty.around_factory(inner), inner)
        self.assertIs(empty.around_late(SERVED), SERVED)

    def test_order(self) -> None:
        """The first action that answers does."""
        first = "on_http_request:\n- {type: redirect, config: {from: /a$, to: /b}}\n- {type: deny, config: {status_code: 404}}\n"
        self.assertEqual(answered(visit(first, "/a"))[0], 302)
        self.assertEqual(answered(visit(first, "/c"))[0], 404)

    def test_connection_order(self) -> None:
        """Connections that pass the first rule meet the second."""
        text = "on_tcp_connect:\n- {type: restrict-ips, config: {allow: [192.0.2.0/24]}}\n- {type: %s}\n"
        self.assertFalse(admitted(text % "deny"))
        self.assertTrue(admitted(text % "restrict-ips, config: {enforce: false}"))

    def test_edge_errors(self) -> None:
        """Rules for responses see what the service answers, and not errors of the edge."""
        self.assertEqual(answered(visit(REPLACE))[0], 299)
        broken = Render(lambda request: request.fail(LookupError("broken")) or 1)
        self.assertEqual(answered(visit(REPLACE, inner=broken))[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_response_body(self) -> None:
        """What is still coming of a replaced body is thrown away."""

        def render(request: object) -> int:
            for piece in (b"one", b"two"):
                request.write(piece)  # type: ignore[attr-defined]
            request.finish()  # type: ignore[attr-defined]
            return 1

        text = REPLACE.replace("status_code: 299", "body: new")
        self.assertEqual(answered(visit(text, inner=Render(render)))[2], "new")

    def test_in_its_place(self) -> None:
        """A filter of an action may have another one take the body."""

        class Shouts:
            feed, finish = staticmethod(bytes.upper), staticmethod(bytes)

        class Gives:
            @staticmethod
            def begin(head: Any) -> Shouts:
                return Shouts()

        class Kind:
            def __init__(self, *given: Any) -> None:
                """IActionKind."""

            make_filter = staticmethod(lambda request: Gives())

        rule = Rule("", (Action("gives", None),))
        made = PolicyChain(Policy(on_http_response=(rule,)), {"gives": Kind}, ActionContext(phase=""))
        answer = visit("{}", inner=made.around_resource(Render(lambda request: b"body")))
        self.assertEqual(answered(answer)[2], "BODY")

    def test_late(self) -> None:
        """Rules for connections can be run at a request."""
        resource = chain("on_tcp_connect: [{type: restrict-ips, config: {enforce: false}}]", "http").around_late(SERVED)
        self.assertEqual(answered(visit("{}", inner=resource))[0], 200)
